"""The check that each row is there once, with what tells apart the rows that are not."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from gads_domain.metadata import ColumnSpec, PartitionMetadata
from gads_domain.state import CheckResult
from gads_payload.grain import first_repeat
from gads_payload.small_table import Rows

GRAIN = "grain"

_SHOWN_COLUMNS = 8
_SHOWN_CHARACTERS = 40


@dataclass(frozen=True, slots=True)
class DeclaredGrain:
    """The grain of a report's definition: its `fields`, empty if it declares none, and its `schema_version`.

    `key_fields` are those by which the API's rows are unique in an account, segments aside, as far as that is known;
    of them the hint names what the payload does not have.
    """

    fields: tuple[str, ...] = ()
    schema_version: int = 1
    key_fields: tuple[str, ...] = ()


NO_GRAIN = DeclaredGrain()


def check_grain(metadata: PartitionMetadata, rows: Rows, declared: DeclaredGrain = NO_GRAIN) -> CheckResult:
    """No two rows are equal in the columns of the declared grain.

    Where none is declared for the payload's `schema_version`, they are all columns that are not metrics.
    """
    grain = _grain_of(metadata, declared)
    repeated = rows.duplicates([column.name for column in grain])
    count = rows.table.num_rows
    if not repeated:
        return CheckResult.of(GRAIN, rows=count)
    first, second = _two_rows(rows.table, grain)
    held = _listed(f"{column.field} = {_shown(first[column.name])}" for column in grain)
    apart = _listed(
        f"{column.field} ({_shown(first[column.name])}, {_shown(second[column.name])})"
        for column in metadata.facts.schema.columns
        if repr(first[column.name]) != repr(second[column.name])
    )
    verb = "repeats" if repeated == 1 else "repeat"
    detail = f"{repeated} of {count} rows {verb} the grain of another, such as two{f' with {held}' if held else ''}"
    detail += f", which differ in {apart}" if apart else ", which are equal in every column"
    return CheckResult.of(GRAIN, detail, duplicate_rows=repeated, rows=count)


def grain_hint(metadata: PartitionMetadata, table: pa.Table, declared: DeclaredGrain) -> str:
    """What tells the rows apart that repeat the grain: fields of the API that are not selected, or else of the rows."""
    columns, grain = metadata.facts.schema.columns, _grain_of(metadata, declared)
    selected = {column.field for column in columns}
    absent = [
        field
        for field in declared.key_fields
        if field not in selected and f"{field.split('.')[0]}.resource_name" not in selected
    ]
    first, second = _two_rows(table, grain)
    apart = [c.field for c in columns if not c.is_metric and repr(first[c.name]) != repr(second[c.name])]
    if absent:
        todo = f"add {', '.join(absent)} to SELECT{' and to the grain' if declared.fields else ''}"
    elif apart:
        todo = f"add {_listed(apart)} to the grain"
    else:
        todo = "select a field or a segment that tells the rows apart"
    return f"{todo}, raise the report's schema_version, and reprocess the partition with a new run"


def _grain_of(metadata: PartitionMetadata, declared: DeclaredGrain) -> Sequence[ColumnSpec]:
    columns = metadata.facts.schema.columns
    known = {column.field: column for column in columns}
    is_of_version = declared.schema_version == metadata.facts.schema_version
    if declared.fields and is_of_version and known.keys() >= set(declared.fields):
        return [known[field] for field in declared.fields]
    return [column for column in columns if not column.is_metric]


def _two_rows(table: pa.Table, grain: Sequence[ColumnSpec]) -> tuple[dict[str, object], dict[str, object]]:
    both = table.take(pa.array(first_repeat(table, [column.name for column in grain])))
    # Days as texts: Arrow has days that Python's calendar has not.
    columns = [column.cast(pa.string()) if pa.types.is_date32(column.type) else column for column in both.columns]
    first, second = pa.table(columns, names=both.column_names).to_pylist()
    return first, second


def _listed(texts: Iterable[str]) -> str:
    found = list(texts)
    more = len(found) - _SHOWN_COLUMNS
    return ", ".join(found[:_SHOWN_COLUMNS]) + (f" and {more} more" if more > 0 else "")


def _shown(value: object) -> str:
    """A value on one line, cut, and its control characters as escapes."""
    text = "null" if value is None else str(value)
    text = text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"
    return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in text)
