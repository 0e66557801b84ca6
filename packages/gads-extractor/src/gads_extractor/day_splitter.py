"""The rows of a slice, sorted into one payload a day, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute

from gads_domain.errors import FailureReason, GadsError, PermanentApiError
from gads_domain.metadata import PartitionFacts, PartitionMetadata, TableSchema
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.report_source import DayOutcome, Sealed, Unsealed
from gads_domain.ports.sink import PartitionWriter
from gads_extractor.day_seals import FactsOf, SealDays, at_once
from gads_payload.writer import PayloadWriter

pc: Any = pyarrow.compute
"""Untyped on purpose: the stubs know fewer of its combinations of types than Arrow has."""

BUFFERED_ROWS = 400_000
"""Rows of all days together that may wait for their row group."""
BUFFERED_BYTES = 128 << 20
"""Bytes of all days together that may wait for their row group."""
SHARED_ROWS = 2_000
"""So many rows of a slice may stay in memory as long as one of them does. Of those that come later each day's are
copied, so that one row in a buffer does not hold its whole page."""

WriterOpener = Callable[[PartitionKey], PartitionWriter]
DaysOf = Callable[[pa.RecordBatch], Any]
"""The day of each row: an Arrow array of date32 as long as the batch; null where a row says none."""


class DaySplitter:
    """Writes each row to the payload of its day; used for one try at a slice.

    A day that the sink refuses is given up alone, and its rows are dropped; the others go on. Writers are opened when
    their day's first row comes, and each is used by one thread at a time. Nothing is sealed before `seal`; `abort`
    takes away all that was not.
    """

    def __init__(
        self,
        keys: Sequence[PartitionKey],
        schema: TableSchema,
        days_of: DaysOf,
        open_writer: WriterOpener,
        *,
        buffered_rows: int = BUFFERED_ROWS,
        buffered_bytes: int = BUFFERED_BYTES,
        seal_days: SealDays | None = None,
    ) -> None:
        self._days = {key.logical_date: _Day(key, schema, open_writer) for key in keys}
        self._days_of = days_of
        self._row_limit = buffered_rows
        self._byte_limit = buffered_bytes
        self._seal_days = seal_days or at_once
        self.row_count = 0

    @property
    def buffered_rows(self) -> int:
        """Rows of all days that wait for their row group."""
        return sum(day.buffered_rows for day in self._days.values())

    @property
    def all_failed(self) -> bool:
        """Whether the sink has refused every day, so that reading on is of no use."""
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
                    hint="nothing was written; what the report says of its day must be the day of the row",
                )
            self._days[day].add(part)
        self._keep_bounds()

    def seal(self, facts_of: FactsOf) -> Iterator[DayOutcome]:
        """Seal every day, those without rows too; one outcome each, in the order of the days.

        Whoever leaves early leaves the days that were not begun unsealed; those under way are waited for.
        """
        return self._seal_days(list(self._days.values()), facts_of)

    def abort(self) -> None:
        """Give up whatever is not sealed."""
        for day in self._days.values():
            day.abort()

    def _keep_bounds(self) -> None:
        """Write out the largest buffers, one after the other, until half of the room is free again."""
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


class _Day:
    """One day's payload on its way: not opened, open, sealed, or failed."""

    def __init__(self, key: PartitionKey, schema: TableSchema, open_writer: WriterOpener) -> None:
        self._key = key
        self._schema = schema
        self._open_writer = open_writer
        self._out: PartitionWriter | None = None
        self._payload: PayloadWriter | None = None
        self.failure: FailureReason | None = None

    @property
    def buffered_rows(self) -> int:
        return self._payload.buffered_rows if self._payload else 0

    @property
    def buffered_bytes(self) -> int:
        return self._payload.buffered_bytes if self._payload else 0

    def add(self, rows: pa.RecordBatch) -> None:
        self._guarded(lambda: self._opened().write(rows))

    def flush(self) -> None:
        self._guarded(lambda: self._opened().flush())

    def close(self, facts_of: FactsOf) -> tuple[PartitionWriter, PartitionFacts] | None:
        """The payload is whole: what is to be sealed, and the facts; None for a day that has failed."""
        if self.failure is not None:
            return None
        try:
            payload = self._opened()
            payload.close()
            assert self._out is not None
            return self._out, facts_of(payload.row_count)
        except Exception as error:  # a bug, too, is this day's alone: the others are being sealed beside it
            self._fail(error)
            return None

    def end(self, sealed: PartitionMetadata | Exception | None) -> DayOutcome:
        """What came of the day, given what came of sealing it; None where it was not tried."""
        if isinstance(sealed, Exception):
            self._fail(sealed)
        elif sealed is not None:
            self._payload = self._out = None
            return Sealed(self._key, sealed)
        assert self.failure is not None
        return Unsealed(self._key, self.failure)

    def abort(self) -> None:
        payload, out, self._payload, self._out = self._payload, self._out, None, None
        if payload is not None:
            payload.abandon()
        if out is not None:
            with suppress(GadsError):  # what is left of it is invisible, and swept later
                out.abort()

    def _opened(self) -> PayloadWriter:
        if self._payload is None:
            self._out = self._open_writer(self._key)
            self._payload = PayloadWriter(self._out, self._schema)
        return self._payload

    def _fail(self, error: Exception) -> None:
        self.failure = FailureReason.of(error)
        self.abort()

    def _guarded(self, act: Callable[[], None]) -> None:
        if self.failure is not None:
            return
        try:
            act()
        except GadsError as error:
            self._fail(error)


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
