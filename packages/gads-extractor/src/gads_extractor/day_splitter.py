"""The rows of a slice: one payload a day, in bounded memory, each sealed at the end."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute

from gads_domain.errors import FailureReason, GadsError, PermanentApiError
from gads_domain.metadata import KnownContent, PartitionFacts, PartitionMetadata, TableSchema
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.report_source import NOTHING_KNOWN, DayOutcome, Sealed, Unchanged, Unsealed
from gads_domain.ports.sink import PartitionWriter, RawSink, SealsTogether
from gads_domain.run import RunId
from gads_payload.schema import arrow_schema
from gads_payload.small_table import Rows
from gads_payload.writer import PayloadWriter

pc: Any = pyarrow.compute
"""Untyped on purpose: the stubs know fewer of its combinations of types than Arrow has."""

BUFFERED_ROWS = 400_000
"""Rows of all days together that may wait for their row group."""
BUFFERED_BYTES = 128 << 20
"""Bytes of all days together that may wait for their row group."""
SHARED_ROWS = 2_000
"""Rows of a slice that may share the memory of their pages. Those that come later are copied for each day, so that one
row in a buffer does not keep its whole page."""
SEALING_THREADS = 8
"""Days that are closed or sealed at once: a seal is some round trips to the storage, one after the other."""
TOGETHER = 16
"""Days that are handed to the sink at a time; none of them has an outcome before all have one."""
THREADED_BYTES = 4 << 20
"""With more than this to write out, the days of a group are closed at once: compressing is work for every core."""

DaysOf = Callable[[pa.RecordBatch], Any]
"""The day of each row: an Arrow array of date32 as long as the batch; null where a row has none."""
FactsOf = Callable[[int], PartitionFacts]
"""The facts of a day, given its number of rows."""

_ClosedDay = tuple[PartitionWriter, PartitionFacts]


class DaySplitter:
    """Writes each row to the payload of its day, in `sink` under `run_id`; used for one try at a slice.

    A day whose content is `known` is held back: where its rows turn out to be the same, nothing of it is written.
    A day that the sink refuses is given up alone, and its rows are dropped; the others go on. Nothing is sealed before
    `seal`; `abort` removes all that was not.
    """

    def __init__(
        self,
        keys: Sequence[PartitionKey],
        schema: TableSchema,
        days_of: DaysOf,
        sink: RawSink,
        run_id: RunId,
        known: Mapping[PartitionKey, KnownContent] = NOTHING_KNOWN,
        *,
        buffered_rows: int = BUFFERED_ROWS,
        buffered_bytes: int = BUFFERED_BYTES,
    ) -> None:
        self._days = {key.logical_date: _DayPayload(key, schema, sink, run_id, known.get(key)) for key in keys}
        self._days_of = days_of
        self._sink = sink
        self._row_limit = buffered_rows
        self._byte_limit = buffered_bytes
        self.row_count = 0

    @property
    def buffered_rows(self) -> int:
        """Rows of all days that wait for their row group."""
        return sum(day.buffered_rows for day in self._days.values())

    @property
    def all_failed(self) -> bool:
        """Whether the sink has refused every day, so that no more rows are needed."""
        return all(day.failure is not None for day in self._days.values())

    def add(self, rows: pa.RecordBatch) -> None:
        """Take a page's rows; raises `PermanentApiError` for a row of another day than those of the slice."""
        if rows.num_rows == 0:
            return
        self.row_count += rows.num_rows
        for day, part in _by_day(rows, self._days_of(rows), shared=self.row_count <= SHARED_ROWS):
            if day is None or day not in self._days:
                raise PermanentApiError(
                    f"the API sent a row of {day or 'no day'}, which was not asked for",
                    hint="nothing was written; the day in a row must be the day that was asked for",
                )
            self._days[day].add(part)
        self._keep_bounds()

    def seal(self, facts_of: FactsOf) -> Iterator[DayOutcome]:
        """Seal every day, those without rows too: together where the sink can, else several at once.

        One outcome a day, in their order. A caller that stops reading leaves the days that were not begun unsealed;
        those under way are waited for.
        """
        return _seal_days(self._sink, list(self._days.values()), facts_of)

    def abort(self) -> None:
        """Give up whatever is not sealed."""
        for day in self._days.values():
            day.abort()

    def _keep_bounds(self) -> None:
        """Write out the largest buffers, one after the other, until half of the space is free again."""
        rows = self.buffered_rows
        size = sum(day.buffered_bytes for day in self._days.values())
        if rows <= self._row_limit and size <= self._byte_limit:
            return
        for day in sorted(self._days.values(), key=lambda day: day.buffered_bytes, reverse=True):
            rows -= day.buffered_rows
            size -= day.buffered_bytes
            day.flush()
            if rows <= self._row_limit // 2 and size <= self._byte_limit // 2:
                return


def _by_day(rows: pa.RecordBatch, days: Any, *, shared: bool) -> Iterator[tuple[date | None, pa.RecordBatch]]:
    """The rows of each day, in their order; copies of their own unless they may share their memory."""
    found = pc.unique(days).to_pylist()
    if len(found) == 1:
        yield found[0], rows
        return
    order = pc.sort_indices(days)
    counted = pc.value_counts(pc.take(days, order)).to_pylist()
    together = rows.take(order) if shared else None
    start = 0
    for entry in counted:
        value, count = entry["values"], entry["counts"]
        yield value, together.slice(start, count) if together is not None else rows.take(order.slice(start, count))
        start += count


class _DayPayload:
    """The payload of one day: not opened, open, closed, sealed, unchanged or failed.

    What the sink refuses fails this day alone. Used by one thread at a time; the writer is opened with the first row,
    or when it is closed. Rows of a day whose content is `known` are held back while they may turn out to be those.
    """

    def __init__(
        self, key: PartitionKey, schema: TableSchema, sink: RawSink, run_id: RunId, known: KnownContent | None
    ) -> None:
        self._key, self._schema, self._sink, self._run_id = key, schema, sink, run_id
        self._known = known
        self._held_back: list[pa.RecordBatch] = []
        self._held_rows = self._held_bytes = 0
        self._unchanged: Unchanged | None = None
        self._out: PartitionWriter | None = None
        self._payload: PayloadWriter | None = None
        self.failure: FailureReason | None = None

    @property
    def buffered_rows(self) -> int:
        """Rows that wait for their row group, or for the end."""
        return self._payload.buffered_rows if self._payload else self._held_rows

    @property
    def buffered_bytes(self) -> int:
        """Bytes that wait for their row group, or for the end."""
        return self._payload.buffered_bytes if self._payload else self._held_bytes

    def add(self, rows: pa.RecordBatch) -> None:
        """Take rows; those of a day that has failed are dropped."""
        if self._known is not None and self.buffered_rows + rows.num_rows <= self._known.record_count:
            self._held_back.append(rows)
            self._held_rows += rows.num_rows
            self._held_bytes += rows.nbytes
        else:
            self._guarded(lambda payload: payload.write(rows))

    def flush(self) -> None:
        """Write out what waits."""
        self._guarded(lambda payload: payload.flush())

    def close(self, facts_of: FactsOf) -> _ClosedDay | None:
        """Write out the rest; returns what is to be sealed, None for a day that has failed or is unchanged."""
        if self.failure is not None:
            return None
        try:
            self._unchanged = self._same_as_known(facts_of)
            if self._unchanged is not None:
                return None
            payload = self._opened()
            payload.close()
            assert self._out is not None
            return self._out, facts_of(payload.row_count)
        except Exception as error:  # a bug, too, is this day's alone: the others are being sealed beside it
            self._fail(error)
            return None

    def end(self, sealed: PartitionMetadata | Exception | None) -> DayOutcome:
        """The outcome of the day, given that of sealing it; None where that was not tried."""
        if isinstance(sealed, Exception):
            self._fail(sealed)
        elif sealed is not None:
            self._payload = self._out = None
            return Sealed(self._key, sealed)
        elif self._unchanged is not None:
            return self._unchanged
        assert self.failure is not None
        return Unsealed(self._key, self.failure)

    def abort(self) -> None:
        """Give up what is not sealed."""
        payload, out, self._payload, self._out = self._payload, self._out, None, None
        self._release()
        if payload is not None:
            payload.abandon()
        if out is not None:
            with suppress(GadsError):  # what is left of it is invisible, and swept later
                out.abort()

    def _opened(self) -> PayloadWriter:
        if self._payload is None:
            self._out = self._sink.open_writer(self._key, self._run_id)
            self._payload = PayloadWriter(self._out, self._schema)
            held_back, self._known = self._held_back, None
            self._release()
            for rows in held_back:
                self._payload.write(rows)
        return self._payload

    def _release(self) -> None:
        self._held_back = []
        self._held_rows = self._held_bytes = 0

    def _same_as_known(self, facts_of: FactsOf) -> Unchanged | None:
        """The outcome of a day whose rows are those that are known; the cheap comparisons come first."""
        known = self._known
        if known is None or self.buffered_rows != known.record_count:
            return None
        facts = facts_of(known.record_count)
        if facts.schema_version != known.schema_version:
            return None
        content = Rows(pa.Table.from_batches(self._held_back, arrow_schema(self._schema))).content_sha256()
        if content != known.content_sha256:
            return None
        self._release()
        return Unchanged(self._key, known.run_id, content, known.record_count, facts.request_ids)

    def _fail(self, error: Exception) -> None:
        self.failure = FailureReason.of(error)
        self.abort()

    def _guarded(self, act: Callable[[PayloadWriter], None]) -> None:
        if self.failure is not None:
            return
        try:
            act(self._opened())
        except GadsError as error:
            self._fail(error)


def _seal_days(sink: RawSink, days: Sequence[_DayPayload], facts_of: FactsOf) -> Iterator[DayOutcome]:
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


def _sealed_together(sink: SealsTogether, group: Sequence[_DayPayload], facts_of: FactsOf) -> list[DayOutcome]:
    closed = _closed(group, facts_of)
    sealed = iter(sink.finalize_together([each for each in closed if each is not None]))
    return [day.end(None if each is None else next(sealed)) for day, each in zip(group, closed, strict=True)]


def _closed(group: Sequence[_DayPayload], facts_of: FactsOf) -> list[_ClosedDay | None]:
    if len(group) == 1 or sum(day.buffered_bytes for day in group) <= THREADED_BYTES:
        return [day.close(facts_of) for day in group]
    with ThreadPoolExecutor(min(SEALING_THREADS, len(group)), thread_name_prefix="gads-close") as pool:
        return list(pool.map(lambda day: day.close(facts_of), group))


def _sealed_alone(day: _DayPayload, facts_of: FactsOf) -> DayOutcome:
    closed = day.close(facts_of)
    if closed is None:
        return day.end(None)
    writer, facts = closed
    try:
        return day.end(writer.finalize(facts))
    except Exception as error:  # a bug, too, is this day's alone: the others are being sealed beside it
        return day.end(error)
