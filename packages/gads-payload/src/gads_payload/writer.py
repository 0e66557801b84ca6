"""Record batches to Parquet bytes, on a stream that can only be appended to."""

import io
from functools import lru_cache
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from gads_domain.metadata import TableSchema
from gads_payload.schema import arrow_schema

ROW_GROUP_ROWS = 100_000
"""Rows gathered before a row group is written; groups of a page's 10,000 rows make a file 13 % larger."""

PLAIN_BYTES = 4096
"""A payload whose rows take no more than this in memory is stored uncompressed and without statistics.

Compressed it would hardly be smaller and take as many blocks of a disk, while compressing and decompressing would be
most of the work on it; and no reader skips a part of it.
"""

_COMPRESSION_LEVEL = 3


class ByteSink(Protocol):
    """Anything bytes can be appended to, such as a sink's `PartitionWriter`."""

    def write(self, data: bytes | memoryview, /) -> int:
        """Append `data`."""


class _AppendOnly(io.RawIOBase):
    """`out` as the file that pyarrow wants; after `shut` nothing reaches `out` any more."""

    def __init__(self, out: ByteSink) -> None:
        self._out: ByteSink | None = out
        self._position = 0

    def write(self, data: Any) -> int:
        size = len(data)
        if self._out is not None:
            self._out.write(data)
        self._position += size
        return size

    def shut(self) -> None:
        self._out = None

    def tell(self) -> int:
        return self._position

    def writable(self) -> bool:
        return True


class PayloadWriter:
    """Writes one payload: Parquet, zstd, dictionaries on the dimensions alone; a tiny one without either.

    Batches are gathered until `row_group_rows` rows are there and then written as one row group. The same sequence of
    batches and flushes gives the same bytes. What `out.write` raises comes out of `write`, `flush` and `close` as it
    is. `out` is never closed here: sealing or aborting is its owner's act.
    """

    def __init__(self, out: ByteSink, schema: TableSchema, *, row_group_rows: int = ROW_GROUP_ROWS) -> None:
        self._layout = _layout_of(schema)
        self._row_group_rows = row_group_rows
        self.schema: pa.Schema = self._layout.schema
        """What every batch must have."""
        self.row_count = 0
        """Rows taken so far."""
        self.buffered_rows = 0
        """Rows taken and not yet written to `out`."""
        self.buffered_bytes = 0
        """Bytes that the buffered rows take in memory."""
        self._held: list[pa.RecordBatch] = []
        self._file = _AppendOnly(out)
        self._parquet: pq.ParquetWriter | None = None
        self._ended = False

    def write(self, batch: pa.RecordBatch) -> None:
        """Take `batch`; raises `pa.ArrowInvalid` if its schema is another."""
        if not batch.schema.equals(self.schema):
            raise pa.ArrowInvalid(f"the batch has the schema {batch.schema}, not {self.schema}")
        if batch.num_rows == 0:
            return
        self._held.append(batch)
        self.row_count += batch.num_rows
        self.buffered_rows += batch.num_rows
        self.buffered_bytes += batch.nbytes
        if self.buffered_rows >= self._row_group_rows:
            self.flush()

    def flush(self) -> None:
        """Write what is buffered as a row group, however small."""
        if self._held:
            self._parquet = self._parquet or self._layout.compressed(self._file)
            self._write_group(self._parquet)

    def close(self) -> None:
        """Write what is buffered and the footer: the payload is whole. Twice does nothing."""
        if self._ended:
            return
        self._ended = True
        if self._parquet is None and self.buffered_bytes <= PLAIN_BYTES:
            self._write_plain()
        else:
            self.flush()
            if self._parquet is not None:
                self._parquet.close()
        self._file.shut()

    def abandon(self) -> None:
        """Give up: what is buffered is dropped and `out` is not touched again."""
        self._ended = True
        self._file.shut()
        self._held, self.buffered_rows, self.buffered_bytes = [], 0, 0
        if self._parquet is not None:
            self._parquet.close()

    def _write_plain(self) -> None:
        """The whole payload in one piece."""
        whole = pa.BufferOutputStream()
        with self._layout.plain(whole) as parquet:
            if self._held:
                self._write_group(parquet)
        self._file.write(memoryview(whole.getvalue()))

    def _write_group(self, parquet: pq.ParquetWriter) -> None:
        table = pa.Table.from_batches(self._held, self.schema)
        self._held, self.buffered_rows, self.buffered_bytes = [], 0, 0
        parquet.write_table(table, row_group_size=table.num_rows)


class _Layout:
    """How payloads of a schema are laid out."""

    def __init__(self, schema: TableSchema) -> None:
        self.schema = arrow_schema(schema)
        # Metrics hardly repeat: a dictionary would cost time and bytes, and be given up halfway through the group.
        self._dictionaries = [
            f"{column.name}.list.element" if column.type.startswith("list<") else column.name
            for column in schema.columns
            if not column.is_metric
        ]

    def compressed(self, file: Any) -> pq.ParquetWriter:
        options: dict[str, Any] = {"use_dictionary": self._dictionaries, "store_schema": False}
        return pq.ParquetWriter(file, self.schema, compression="zstd", compression_level=_COMPRESSION_LEVEL, **options)

    def plain(self, file: Any) -> pq.ParquetWriter:
        options: dict[str, Any] = {"use_dictionary": False, "write_statistics": False, "store_schema": False}
        return pq.ParquetWriter(file, self.schema, compression="none", **options)


_layout_of = lru_cache(maxsize=64)(_Layout)
