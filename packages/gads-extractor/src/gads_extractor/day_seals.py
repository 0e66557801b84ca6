"""The days of a slice, sealed: together where the sink can, else several at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from gads_domain.ports.report_source import DayOutcome
from gads_domain.ports.sink import RawSink, SealsTogether
from gads_extractor.day_payload import ClosedDay, DayPayload, FactsOf

SEALING_THREADS = 8
"""Days that are closed or sealed at once: a seal is some round trips to the storage, one after the other."""
TOGETHER = 16
"""Days that are handed to the sink at a time; none of them has an outcome before all have one."""
THREADED_BYTES = 4 << 20
"""With more than this to write out, the days of a group are closed at once: compressing is work for every core."""


def seal_days(sink: RawSink, days: Sequence[DayPayload], facts_of: FactsOf) -> Iterator[DayOutcome]:
    """Seal days in `sink`; one outcome each, in their order.

    A caller that stops reading leaves the days that were not begun unsealed; those under way are waited for.
    """
    if isinstance(sink, SealsTogether):
        for start in range(0, len(days), TOGETHER):
            yield from _sealed_together(sink, days[start : start + TOGETHER], facts_of)
        return
    if len(days) == 1:
        yield _sealed_alone(days[0], facts_of)
        return
    with ThreadPoolExecutor(min(SEALING_THREADS, len(days)), thread_name_prefix="gads-seal") as pool:
        sealing = [pool.submit(_sealed_alone, day, facts_of) for day in days]
        try:
            for outcome in sealing:
                yield outcome.result()
        finally:
            for outcome in sealing:
                outcome.cancel()


def _sealed_together(sink: SealsTogether, group: Sequence[DayPayload], facts_of: FactsOf) -> list[DayOutcome]:
    closed = _closed(group, facts_of)
    sealed = iter(sink.finalize_together([each for each in closed if each is not None]))
    return [day.end(None if each is None else next(sealed)) for day, each in zip(group, closed, strict=True)]


def _closed(group: Sequence[DayPayload], facts_of: FactsOf) -> list[ClosedDay | None]:
    if len(group) == 1 or sum(day.buffered_bytes for day in group) <= THREADED_BYTES:
        return [day.close(facts_of) for day in group]
    with ThreadPoolExecutor(min(SEALING_THREADS, len(group)), thread_name_prefix="gads-close") as pool:
        return list(pool.map(lambda day: day.close(facts_of), group))


def _sealed_alone(day: DayPayload, facts_of: FactsOf) -> DayOutcome:
    closed = day.close(facts_of)
    if closed is None:
        return day.end(None)
    writer, facts = closed
    try:
        return day.end(writer.finalize(facts))
    except Exception as error:  # a bug, too, is this day's alone: the others are being sealed beside it
        return day.end(error)
