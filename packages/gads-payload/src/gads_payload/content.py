"""A sum over the rows of a payload that does not depend on how they are stored."""

import hashlib

import pyarrow as pa

from gads_payload.grain import Array, Columns, pc, row_keys
from gads_payload.schema import type_text


def content_sha256(rows: pa.Table | Columns) -> str:
    """SHA-256 (hex) of the rows regardless of their order, of row groups and of how the file was written.

    Equal for two payloads of the same columns exactly when they hold the same rows, each as often. Null differs from
    every value; NaN equals NaN and minus zero equals zero.
    """
    columns = rows if isinstance(rows, Columns) else Columns(rows)
    table = columns.table
    digest = hashlib.sha256(f"{table.num_rows}\n".encode())
    order = None
    if table.num_rows > 1 and table.num_columns:
        order = pc.sort_indices(row_keys(columns, range(table.num_columns), ordered=True)[0])
    for place, field in enumerate(table.schema):
        column = columns.sortable(place)
        digest.update(f"{field.name}\t{type_text(field.type)}\n".encode())
        _add(digest, column if order is None else pc.take(column, order))
    return digest.hexdigest()


def _add(digest: "hashlib._Hash", array: Array) -> None:
    if array.null_count:
        digest.update(b"nulls")
        _add_buffer(digest, pc.is_null(array).cast(pa.uint8()))
    if pa.types.is_large_string(array.type) or pa.types.is_large_binary(array.type):
        filled = pc.fill_null(array.cast(pa.large_binary()), b"")
        _add_buffer(digest, pc.binary_length(filled))
        offsets = pa.Array.from_buffers(pa.int64(), len(filled) + 1, [None, filled.buffers()[1]], offset=filled.offset)
        data = filled.buffers()[2]
        if data is not None:
            digest.update(memoryview(data)[offsets[0].as_py() : offsets[-1].as_py()])
    else:
        _add_buffer(digest, pc.fill_null(array, pa.scalar(0, array.type)))


def _add_buffer(digest: "hashlib._Hash", array: Array) -> None:
    width = array.type.bit_width // 8
    data = array.buffers()[1]
    if data is not None and len(array):
        digest.update(memoryview(data)[array.offset * width : (array.offset + len(array)) * width])
