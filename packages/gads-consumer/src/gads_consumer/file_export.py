"""A snapshot as a file for tools that do not speak Arrow, with the manifest of its origin beside it."""

import hashlib
import io
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from gads_consumer.atomic_file import write_atomically
from gads_consumer.manifest import ExportedFile, Manifest, encode_manifest
from gads_consumer.scan import Scan
from gads_consumer.snapshot import Snapshot
from gads_domain.errors import InvalidValueError

_COMPRESSION_LEVEL = 3


class ExportFormat(StrEnum):
    """The form of the file."""

    PARQUET = "parquet"
    """Parquet, zstd."""
    CSV = "csv"
    """UTF-8, a header, comma, line feed; null is an empty field and an empty text is `""`."""
    ARROW = "arrow"
    """Arrow IPC file (Feather 2), zstd."""


def format_of(path: Path) -> ExportFormat:
    """The format that the file's extension names; raises `InvalidValueError`."""
    try:
        return ExportFormat(path.suffix.removeprefix("."))
    except ValueError:
        raise InvalidValueError(
            f"{path.name!r} does not show its format", hint="end it in .parquet, .csv or .arrow, or name the format"
        ) from None


def manifest_path(path: Path) -> Path:
    """Where the manifest of an exported file lies."""
    return path.with_name(f"{path.name}.manifest.json")


def export(
    snapshot: Snapshot,
    path: Path | str,
    *,
    scan: Scan | None = None,
    format: ExportFormat | None = None,  # noqa: A002 -- it is what the option is called
    overwrite: bool = False,
) -> Manifest:
    """Write the rows of `snapshot` to `path`, and its manifest to `manifest_path(path)`; return the manifest.

    `scan` is a scan of that snapshot with a choice of columns, rows or a unified schema; by default it is all. Rows are
    streamed. The file appears whole or not at all. Its manifest appears just before it with its sha256, which tells the
    file from an older one if a crash came between the two. Without `overwrite` raises `InvalidValueError` if either is
    there. Raises what reading raises (see `Scan`), and `StorageError`.
    """
    path = Path(path)
    kind = format or format_of(path)
    chosen = scan or snapshot.scan()
    if not overwrite:
        for taken in (path, manifest_path(path)):
            if taken.exists():
                raise InvalidValueError(f"{taken} is there already", hint="choose another name, or allow overwriting")
    _require_writable(chosen.schema, kind)
    written: list[ExportedFile] = []

    def write(stream: BinaryIO) -> None:
        counted = _Summed(stream)
        with _writer(kind, counted, chosen.schema) as writer:
            rows = _written(chosen, writer)
        written.append(
            ExportedFile(
                file=path.name,
                format=kind.value,
                bytes=counted.size,
                sha256=counted.digest.hexdigest(),
                rows=rows,
                columns=tuple(chosen.schema.names),
            )
        )

    def manifest() -> Manifest:
        return snapshot.manifest().model_copy(update={"export": written[0]})

    def write_manifest() -> None:
        data = encode_manifest(manifest())
        write_atomically(manifest_path(path), lambda beside: beside.write(data))

    write_atomically(path, write, write_manifest)
    return manifest()


def preview(snapshot: Snapshot, rows: int = 10, *, identity: bool = True, unify: bool = False) -> pa.Table:
    """The first `rows` rows, by default with where they are from; raises what reading raises (see `Scan`)."""
    return snapshot.scan(identity=identity, unify=unify).head(rows)


class _Summed(io.RawIOBase):
    """A file that sums what is written to it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()
        self.size = 0

    def write(self, data: Any) -> int:
        view = memoryview(data)
        self.digest.update(view)
        self.size += view.nbytes
        return self._stream.write(view)

    def tell(self) -> int:
        return self.size

    def writable(self) -> bool:
        return True


def _writer(kind: ExportFormat, out: Any, schema: pa.Schema) -> Any:
    if kind is ExportFormat.CSV:
        return pyarrow.csv.CSVWriter(out, schema, write_options=pyarrow.csv.WriteOptions(quoting_style="needed"))
    if kind is ExportFormat.ARROW:
        return pa.ipc.new_file(out, schema, options=pa.ipc.IpcWriteOptions(compression="zstd"))
    options: dict[str, Any] = {"compression": "zstd", "compression_level": _COMPRESSION_LEVEL}
    return pyarrow.parquet.ParquetWriter(out, schema, **options)


def _written(scan: Scan, writer: Any) -> int:
    rows = 0
    for batch in scan.to_batches():
        writer.write_batch(batch)
        rows += batch.num_rows
    return rows


def _require_writable(schema: pa.Schema, kind: ExportFormat) -> None:
    if kind is not ExportFormat.CSV:
        return
    unfit = [field.name for field in schema if pa.types.is_list(field.type) or pa.types.is_binary(field.type)]
    if unfit:
        raise InvalidValueError(
            f"CSV cannot hold {', '.join(unfit)}", hint="export to parquet or arrow, or do not select these columns"
        )
