"""The days of a slice, sealed: together where the sink can, else several at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from gads_domain.metadata import PartitionFacts, PartitionMetadata
from gads_domain.ports.report_source import DayOutcome
from gads_domain.ports.sink import PartitionWriter, SealsTogether

SEALING_THREADS = 8
"""Days that are closed or sealed at once: a seal is some round trips to the storage, one after the other."""
TOGETHER = 16
"""Days that are handed to the sink at a time; of so many there is no outcome before all have one."""
THREADED_BYTES = 4 << 20
"""With more than this to write out, the days of a hand-over are closed at once: compressing is work for every core."""

FactsOf = Callable[[int], PartitionFacts]
"""The facts of a day, given its number of rows."""

_Closed = tuple[PartitionWriter, PartitionFacts]


class UnsealedDay(Protocol):
    """A day's payload on its way."""

    @property
    def buffered_bytes(self) -> int:
        """What is still to be written out."""
        ...

    def close(self, facts_of: FactsOf) -> _Closed | None:
        """Make the payload whole; None for a day that has failed."""
        ...

    def end(self, sealed: PartitionMetadata | Exception | None) -> DayOutcome:
        """What came of the day, given what came of sealing it; None where that was not tried."""
        ...


SealDays = Callable[[Sequence[UnsealedDay], FactsOf], Iterator[DayOutcome]]
"""Seals days; one outcome each, in their order. Days that were not begun when its reader leaves stay unsealed."""


def sealing_by(sink: object) -> SealDays:
    """How the days of a slice are best sealed in `sink`."""
    return _Together(sink) if isinstance(sink, SealsTogether) else at_once


class _Together:
    """For a sink that makes many seals at the price of few."""

    def __init__(self, sink: SealsTogether) -> None:
        self._sink = sink

    def __call__(self, days: Sequence[UnsealedDay], facts_of: FactsOf) -> Iterator[DayOutcome]:
        for start in range(0, len(days), TOGETHER):
            group = days[start : start + TOGETHER]
            closed = _closed(group, facts_of)
            sealed = iter(self._sink.finalize_together([each for each in closed if each is not None]))
            outcomes = [
                day.end(None if each is None else next(sealed)) for day, each in zip(group, closed, strict=True)
            ]
            yield from outcomes


def _closed(group: Sequence[UnsealedDay], facts_of: FactsOf) -> list[_Closed | None]:
    if len(group) == 1 or sum(day.buffered_bytes for day in group) <= THREADED_BYTES:
        return [day.close(facts_of) for day in group]
    with ThreadPoolExecutor(min(SEALING_THREADS, len(group)), thread_name_prefix="gads-close") as pool:
        return list(pool.map(lambda day: day.close(facts_of), group))


def at_once(days: Sequence[UnsealedDay], facts_of: FactsOf) -> Iterator[DayOutcome]:
    """For any sink: what a thread waits for does not hold up the others."""
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


def _sealed_alone(day: UnsealedDay, facts_of: FactsOf) -> DayOutcome:
    closed = day.close(facts_of)
    if closed is None:
        return day.end(None)
    writer, facts = closed
    try:
        return day.end(writer.finalize(facts))
    except Exception as error:  # a bug, too, is this day's alone: the others are being sealed beside it
        return day.end(error)
