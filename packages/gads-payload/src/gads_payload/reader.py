"""Parquet bytes back to record batches, in bounded memory."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO, Self

import pyarrow as pa
import pyarrow.parquet as pq

from gads_domain.errors import DamagedPartitionError, GadsError, StorageError

BATCH_ROWS = 65_536
"""Rows of a batch by default."""


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
        self._parquet = pq.ParquetFile(stream, pre_buffer=False)

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
