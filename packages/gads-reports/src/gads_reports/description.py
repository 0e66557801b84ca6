"""What a report gives under an API version, what is wrong with it there, and a table of all reports."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from gads_domain.documents import members_of
from gads_domain.report import ReportDefinition
from gads_gaql import FieldCatalogue, Problem, check, day_query, parse, table_schema
from gads_gaql.catalogue import column_name

_ANY_DAY = date(2024, 6, 1)


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


def problems(definition: ReportDefinition, fields: FieldCatalogue) -> list[Problem]:
    """Every problem of the report's query under the API version of `fields`, in the order of its text.

    It is checked as the request of one day; a report whose rows have `segments.date` is first checked as a report.
    Whether the header excludes the version is not asked: `definition.supports` tells that.
    """
    found = check(parse(definition.query), fields) if definition.kind.day_segment else []
    return found or check(day_query(definition, _ANY_DAY, _ANY_DAY), fields, expects_days=False)


def facts_of(definition: ReportDefinition) -> dict[str, Any]:
    """What a report is and how it is requested, as JSON; `describe` has its columns."""
    settings = ("schema_version", "restatement_days", "max_days_per_request", "date_field", "row_limit")
    return {
        **members_of(definition, ("name", "title", "kind")),
        "resource": resource(definition),
        **members_of(definition, ("grain", *settings)),
        "history": None if definition.history is None else str(definition.history),
        "versions": versions(definition),
    }


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
        again = str(definition.restatement_days) if definition.kind.has_history else ""
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
