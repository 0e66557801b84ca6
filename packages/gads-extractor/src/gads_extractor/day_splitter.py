"""The rows of a slice, sorted into one payload a day, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute

from gads_domain.errors import PermanentApiError
from gads_domain.metadata import TableSchema
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.report_source import DayOutcome
from gads_domain.ports.sink import RawSink
from gads_domain.run import RunId
from gads_extractor.day_payload import DayPayload, FactsOf
from gads_extractor.day_seals import seal_days

pc: Any = pyarrow.compute
"""Untyped on purpose: the stubs know fewer of its combinations of types than Arrow has."""

BUFFERED_ROWS = 400_000
"""Rows of all days together that may wait for their row group."""
BUFFERED_BYTES = 128 << 20
"""Bytes of all days together that may wait for their row group."""
SHARED_ROWS = 2_000
"""Rows of a slice that may share the memory of their pages. Those that come later are copied for each day, so that one
row in a buffer does not keep its whole page."""

DaysOf = Callable[[pa.RecordBatch], Any]
"""The day of each row: an Arrow array of date32 as long as the batch; null where a row has none."""


class DaySplitter:
    """Writes each row to the payload of its day, in `sink` under `run_id`; used for one try at a slice.

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
        *,
        buffered_rows: int = BUFFERED_ROWS,
        buffered_bytes: int = BUFFERED_BYTES,
    ) -> None:
        self._days = {key.logical_date: DayPayload(key, schema, sink, run_id) for key in keys}
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
        """Seal every day, those without rows too, as `seal_days` does."""
        return seal_days(self._sink, list(self._days.values()), facts_of)

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
