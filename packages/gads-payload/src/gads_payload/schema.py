"""The payload's column types as `ColumnSpec` spells them, and as Arrow has them.

Lists name their item `element`, as Parquet does, so that a file reads back as exactly the schema it was written with
and needs no Arrow schema of its own inside.
"""

from collections.abc import Mapping
from functools import lru_cache

import pyarrow as pa

from gads_domain.errors import InvalidValueError
from gads_domain.metadata import ColumnSpec, TableSchema

_SCALARS: dict[str, pa.DataType] = {
    "int64": pa.int64(),
    "double": pa.float64(),
    "bool": pa.bool_(),
    "string": pa.string(),
    "binary": pa.binary(),
    "date32": pa.date32(),
}
_NAMES = {data_type: name for name, data_type in _SCALARS.items()}
_ITEM = "element"


def arrow_type(type_text: str) -> pa.DataType:
    """The Arrow type of a `ColumnSpec.type`; raises `InvalidValueError` for a text that names none."""
    item = type_text.removeprefix("list<").removesuffix(">")
    is_list = type_text == f"list<{item}>"
    scalar = _SCALARS.get(item if is_list else type_text)
    if scalar is None:
        raise InvalidValueError(f"{type_text!r} is not a column type", hint=f"known: {', '.join(_SCALARS)}, list<…>")
    return pa.list_(pa.field(_ITEM, scalar)) if is_list else scalar


def type_text(data_type: pa.DataType) -> str:
    """The `ColumnSpec.type` of an Arrow type; one that no payload may have comes out as Arrow spells it."""
    if pa.types.is_list(data_type) and data_type.value_type in _NAMES:
        return f"list<{_NAMES[data_type.value_type]}>"
    return _NAMES.get(data_type, str(data_type))


@lru_cache(maxsize=1024)
def arrow_schema(schema: TableSchema) -> pa.Schema:
    """The Arrow schema of the payload: the columns in order, each of them nullable."""
    return pa.schema([pa.field(column.name, arrow_type(column.type)) for column in schema.columns])


def table_schema_of(schema: pa.Schema, fields: Mapping[str, str] | None = None) -> TableSchema:
    """A payload's own schema as metadata has it; `fields` gives the GAQL field of each column name.

    A name that `fields` lacks is its own field, which makes no difference to the fingerprint.
    """
    known = fields or {}
    return TableSchema(
        tuple(ColumnSpec(field.name, known.get(field.name, field.name), type_text(field.type)) for field in schema)
    )
