"""A snapshot as a file for tools that do not speak Arrow, with the manifest of its origin beside it."""

import hashlib
import io
import json
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.compute
import pyarrow.csv
import pyarrow.parquet

from gads_consumer.atomic_file import only_writer, write_atomically
from gads_consumer.manifest import ExportedFile, Manifest, encode_manifest
from gads_consumer.scan import Scan
from gads_consumer.snapshot import Snapshot
from gads_domain.errors import InvalidValueError

pc: Any = pyarrow.compute

_COMPRESSION_LEVEL = 3
_FORMULA = r"^[=+\-@\t\r]"
"""How a text begins that a spreadsheet takes for a formula; see https://owasp.org/www-community/attacks/CSV_Injection."""


class ExportFormat(StrEnum):
    """The form of the file."""

    PARQUET = "parquet"
    """Parquet, zstd."""
    CSV = "csv"
    """UTF-8, a header, comma, line feed; null is an empty field and an empty text is `""`; a list is JSON text."""
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
    safe_csv: bool = False,
    progress: Callable[[int], None] = lambda _: None,
) -> Manifest:
    """Write the rows of `snapshot` to `path`, and its manifest to `manifest_path(path)`; return the manifest.

    `scan` is a scan of that snapshot with a choice of columns, rows or a unified schema; by default it is all. Rows are
    streamed. The file appears whole or not at all. Its manifest appears just before it with its sha256, which tells the
    file from an older one if a crash came between the two. Where the file cannot take its name, as on a mount point,
    the manifest is as it was before. While another process exports to `path`, `StorageError` says so.

    `progress` gets the number of rows written so far.

    With `safe_csv` an apostrophe stands before each text of a CSV file that a spreadsheet would take for a formula;
    such texts are then changed. Without `overwrite` raises `InvalidValueError` if either file is there. Raises what
    reading raises (see `Scan`), and `StorageError`.
    """
    path = Path(path)
    kind = format or format_of(path)
    chosen = scan or snapshot.scan()
    _require_writable(chosen.schema, kind, safe_csv)
    schema = _flat_schema(chosen.schema) if kind is ExportFormat.CSV else chosen.schema
    written: list[ExportedFile] = []

    def write(stream: BinaryIO) -> None:
        counted = _Summed(stream)
        rows = 0
        with _writer(kind, counted, schema) as writer:
            for batch in chosen.to_batches():
                writer.write_batch(_flat(batch, schema, safe_csv) if kind is ExportFormat.CSV else batch)
                rows += batch.num_rows
                progress(rows)
        written.append(
            ExportedFile(
                file=path.name,
                format=kind.value,
                bytes=counted.size,
                sha256=counted.digest.hexdigest(),
                rows=rows,
                columns=tuple(schema.names),
            )
        )

    def manifest() -> Manifest:
        return snapshot.manifest().model_copy(update={"export": written[0]})

    def write_manifest() -> Callable[[], object]:
        beside, data = manifest_path(path), encode_manifest(manifest())
        before = beside.read_bytes() if beside.exists() else None
        write_atomically(beside, lambda stream: stream.write(data))
        return beside.unlink if before is None else lambda: beside.write_bytes(before)

    with only_writer(path):
        if not overwrite:
            for taken in (path, manifest_path(path)):
                if taken.exists():
                    raise InvalidValueError(
                        f"{taken} is there already", hint="choose another name, or allow overwriting"
                    )
        write_atomically(path, write, write_manifest)
    return manifest()


def preview(
    snapshot: Snapshot,
    rows: int = 10,
    *,
    columns: Sequence[str] | None = None,
    identity: bool = True,
    unify: bool = False,
) -> pa.Table:
    """The first `rows` rows, by default with where they are from; raises what reading raises (see `Scan`)."""
    return snapshot.scan(columns, identity=identity, unify=unify).head(rows)


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


def _flat_schema(schema: pa.Schema) -> pa.Schema:
    """The schema with a text for each list, as CSV has it."""
    types = [pa.string() if pa.types.is_list(field.type) else field.type for field in schema]
    return pa.schema(list(zip(schema.names, types, strict=True)))


def _flat(batch: pa.RecordBatch, schema: pa.Schema, safe: bool) -> pa.RecordBatch:
    """The rows as `schema`: lists as JSON text, and with `safe` an apostrophe before what looks like a formula."""
    columns: list[Any] = []
    for column in batch.columns:
        flat: Any = column
        if pa.types.is_list(column.type):
            flat = pa.array([None if items is None else _json(items) for items in column.to_pylist()], pa.string())
        elif safe and pa.types.is_string(column.type):
            flat = pc.replace_substring_regex(column, f"({_FORMULA})", "'\\1", max_replacements=1)
        columns.append(flat)
    return pa.record_batch(columns, schema=schema)


def _json(items: list[object]) -> str:
    return json.dumps(items, ensure_ascii=False, default=str)


def _require_writable(schema: pa.Schema, kind: ExportFormat, safe_csv: bool) -> None:
    if kind is not ExportFormat.CSV:
        if safe_csv:
            raise InvalidValueError(f"safe_csv is for CSV, and the file is {kind}", hint="end its name in .csv")
        return
    items = {field.name: field.type.value_type if pa.types.is_list(field.type) else field.type for field in schema}
    unfit = [name for name, kind_ in items.items() if pa.types.is_binary(kind_)]
    if unfit:
        raise InvalidValueError(
            f"CSV cannot hold {', '.join(unfit)}", hint="export to parquet or arrow, or do not select these columns"
        )
