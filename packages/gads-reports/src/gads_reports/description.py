"""What a report gives, as values for `gads-etl reports show` and for a table of all reports."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gads_domain.report import ReportDefinition, ReportKind
from gads_gaql.catalogue import FieldCatalogue, column_name
from gads_gaql.columns import table_schema
from gads_gaql.parser import parse


@dataclass(frozen=True, slots=True)
class DescribedColumn:
    """A column of the payload: its `name` there, its `type` as `gads_domain.metadata.ColumnSpec` spells it, the GAQL
    `field` it comes from, whether it measures, and whether it is part of the grain."""

    name: str
    type: str
    field: str
    is_metric: bool
    in_grain: bool


def describe(definition: ReportDefinition, fields: FieldCatalogue) -> tuple[DescribedColumn, ...]:
    """The columns of a report under the API version of `fields`, in order.

    Raises `QueryError` for a field that the version does not have; ask `definition.supports(fields.version)` first.
    """
    grain = frozenset(definition.grain)
    return tuple(
        DescribedColumn(column.name, column.type, column.field, column.is_metric, column.field in grain)
        for column in table_schema(parse(definition.query), fields).columns
    )


def grain_columns(definition: ReportDefinition) -> tuple[str, ...]:
    """The payload's columns by which a row is unique, in the order of the grain."""
    return tuple(column_name(field) for field in definition.grain)


def resource(definition: ReportDefinition) -> str:
    """What the query reads FROM."""
    return parse(definition.query).resource


def markdown_table(definitions: Iterable[ReportDefinition]) -> str:
    """A Markdown table of reports: name, title, kind, resource, grain, days read again, API versions."""
    head = ["report", "what", "kind", "resource", "a row is one", "again", "versions"]
    rows = [head, ["---"] * len(head)]
    for definition in definitions:
        again = "" if definition.kind is ReportKind.SNAPSHOT else str(definition.restatement_days)
        rows.append(
            [
                f"`{definition.name}`",
                definition.title,
                definition.kind.value,
                f"`{resource(definition)}`",
                ", ".join(f"`{field}`" for field in definition.grain if field != "customer.id") or "`customer.id`",
                again,
                versions(definition),
            ]
        )
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def versions(definition: ReportDefinition) -> str:
    """The API versions that the report is for: `v24..`, `..v25`, `v24..v25`, or `all`."""
    if definition.first_api_version is None and definition.last_api_version is None:
        return "all"
    return f"{definition.first_api_version or ''}..{definition.last_api_version or ''}"
