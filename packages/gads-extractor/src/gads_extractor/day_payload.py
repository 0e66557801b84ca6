"""One day's payload on its way to the sink."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

import pyarrow as pa

from gads_domain.errors import FailureReason, GadsError
from gads_domain.metadata import PartitionFacts, PartitionMetadata, TableSchema
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.report_source import DayOutcome, Sealed, Unsealed
from gads_domain.ports.sink import PartitionWriter, RawSink
from gads_domain.run import RunId
from gads_payload.writer import PayloadWriter

FactsOf = Callable[[int], PartitionFacts]
"""The facts of a day, given its number of rows."""

ClosedDay = tuple[PartitionWriter, PartitionFacts]


class DayPayload:
    """The payload of one day: not opened, open, closed, sealed or failed. What the sink refuses fails this day alone.

    Used by one thread at a time; the writer is opened with the first row, or when it is closed.
    """

    def __init__(self, key: PartitionKey, schema: TableSchema, sink: RawSink, run_id: RunId) -> None:
        self._key, self._schema, self._sink, self._run_id = key, schema, sink, run_id
        self._out: PartitionWriter | None = None
        self._payload: PayloadWriter | None = None
        self.failure: FailureReason | None = None

    @property
    def buffered_rows(self) -> int:
        """Rows that wait for their row group."""
        return self._payload.buffered_rows if self._payload else 0

    @property
    def buffered_bytes(self) -> int:
        """Bytes that wait for their row group."""
        return self._payload.buffered_bytes if self._payload else 0

    def add(self, rows: pa.RecordBatch) -> None:
        """Take rows; those of a day that has failed are dropped."""
        self._guarded(lambda payload: payload.write(rows))

    def flush(self) -> None:
        """Write out what waits."""
        self._guarded(lambda payload: payload.flush())

    def close(self, facts_of: FactsOf) -> ClosedDay | None:
        """Write out the rest; returns what is to be sealed, None for a day that has failed."""
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
        """The outcome of the day, given that of sealing it; None where that was not tried."""
        if isinstance(sealed, Exception):
            self._fail(sealed)
        elif sealed is not None:
            self._payload = self._out = None
            return Sealed(self._key, sealed)
        assert self.failure is not None
        return Unsealed(self._key, self.failure)

    def abort(self) -> None:
        """Give up what is not sealed."""
        payload, out, self._payload, self._out = self._payload, self._out, None, None
        if payload is not None:
            payload.abandon()
        if out is not None:
            with suppress(GadsError):  # what is left of it is invisible, and swept later
                out.abort()

    def _opened(self) -> PayloadWriter:
        if self._payload is None:
            self._out = self._sink.open_writer(self._key, self._run_id)
            self._payload = PayloadWriter(self._out, self._schema)
        return self._payload

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
