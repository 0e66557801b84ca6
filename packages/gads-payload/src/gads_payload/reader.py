"""Parquet bytes back to record batches, in bounded memory."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, Self

import pyarrow as pa
import pyarrow.parquet as pq

from gads_domain.errors import DamagedPartitionError, GadsError, StorageError

BATCH_ROWS = 65_536
"""Rows of a batch by default."""


_LARGEST_FOOTER = 64 * 1024 * 1024
_MOST_PARTS = 1_000_000
"""Row groups, or columns of one, that a footer may list."""
_CELLS = (10_000_000, 256)
"""How many cells a payload may announce: so many, and so many more for each of its bytes.

Rows that differ take about a byte each at the least; what announces more would only fill the memory of its reader.
"""
_DECODED = (64 * 1024 * 1024, 1024)
"""The same for the bytes that it has once it is decompressed."""


def open_payload(stream: BinaryIO) -> "PayloadFile":
    """Open a payload; `stream` is readable and seekable and is closed with the result.

    Raises `DamagedPartitionError` if it is not a Parquet file.
    """
    with _damage():
        return PayloadFile(stream)


class PayloadFile:
    """An open payload. Every method that reads raises `DamagedPartitionError` for bytes that cannot be decoded."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._parquet = pq.ParquetFile(
            stream, pre_buffer=False, thrift_string_size_limit=_LARGEST_FOOTER, thrift_container_size_limit=_MOST_PARTS
        )
        _require_plausible(self._parquet.metadata, stream.seek(0, os.SEEK_END))

    @property
    def row_count(self) -> int:
        """The rows that the footer announces."""
        return self._parquet.metadata.num_rows

    @property
    def arrow_schema(self) -> pa.Schema:
        """The schema as stored."""
        return self._parquet.schema_arrow

    def batches(self, columns: Sequence[str] | None = None, *, rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
        """The rows in stored order, at most `rows` a batch, holding about one row group in memory."""
        with _damage():
            yield from self._parquet.iter_batches(
                batch_size=rows, columns=None if columns is None else list(columns), use_threads=False
            )

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows at once."""
        with _damage():
            return self._parquet.read(columns=None if columns is None else list(columns), use_threads=False)

    def close(self) -> None:
        """Close the file and its stream."""
        self._parquet.close(force=True)
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _require_plausible(footer: pq.FileMetaData, size: int) -> None:
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    rows, decoded = sum(group.num_rows for group in groups), sum(group.total_byte_size for group in groups)
    if rows != footer.num_rows or min((group.num_rows for group in groups), default=0) < 0:
        raise DamagedPartitionError(f"the payload announces {footer.num_rows:,} rows, and {rows:,} in its row groups")
    for what, found, (base, a_byte) in (
        ("cells", rows * footer.num_columns, _CELLS),
        ("bytes once decompressed", decoded, _DECODED),
    ):
        if found > base + a_byte * size:
            raise DamagedPartitionError(f"the payload has {size:,} bytes and announces {found:,} {what}")


@contextmanager
def _damage() -> Iterator[None]:
    """Undecodable bytes are damage; a storage that could not be read is not, and has an errno."""
    try:
        yield
    except GadsError:
        raise
    except OSError as error:
        if error.errno is not None:
            raise StorageError(f"the payload could not be read: {error.strerror}") from error
        raise DamagedPartitionError(f"the payload cannot be decoded: {_line(error)}") from error
    except (pa.ArrowException, ValueError, OverflowError, MemoryError) as error:
        raise DamagedPartitionError(f"the payload cannot be decoded: {_line(error)}") from error


def _line(error: BaseException) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
