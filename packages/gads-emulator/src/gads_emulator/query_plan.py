"""The plan of a query for one version and one account: the rows to request, and what to do with them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from gads_domain.errors import QueryError
from gads_domain.package_data import tables_of
from gads_emulator.agency import RowRequest
from gads_emulator.api_versions import error_codes
from gads_emulator.conditions import Test, compile_condition, date_bounds
from gads_emulator.failures import ApiFailureError, refusal
from gads_emulator.metrics import parts_of
from gads_emulator.schema import Field, Schema
from gads_gaql.catalogue import load
from gads_gaql.history import FINE_SEGMENTS, history_of
from gads_gaql.parser import parse
from gads_gaql.query_check import check
from gads_gaql.resource_rules import CHANGE_TIMES
from gads_gaql.syntax import Problem, Query

_TABLES = tables_of("gads_emulator", "api.toml")


@dataclass(frozen=True)
class Plan:
    """`columns` are the selected fields, then the resource names that the API adds."""

    request: RowRequest
    selected: tuple[str, ...]
    columns: tuple[Field, ...]
    row_tests: tuple[tuple[str, Test], ...]
    """Conditions on attributes and segments: on each row, before summing."""
    metric_tests: tuple[tuple[str, Test], ...]
    """Conditions on metrics: after summing."""
    orderings: tuple[tuple[str, bool], ...]
    limit: int | None
    segmented: bool
    """Whether SELECT or WHERE has a segment, so that rows without activity are dropped."""
    extra_metrics: tuple[Field, ...]
    """Metrics of WHERE that are not selected."""


def make_plan(schema: Schema, text: str, *, manager: bool, today: date, keeps_everything: bool) -> Plan:
    """Read a query, check it as the API does, and plan it.

    `manager` says whether the account is a manager; `today` is the account's day. Days beyond what the API keeps are
    refused, unless the agency `keeps_everything`. Raises `ApiFailureError`.
    """
    try:
        query = parse(text)
    except QueryError as error:
        raise refusal(_syntax_code(text, error.message), message=error.message) from None
    version = schema.version.name
    refuse(check(query, load(version), expects_days=False), version, "query_error", f"{query.resource}_error")
    fields = {name: field for used in query.references() if (field := schema.field(name := used.name)) is not None}
    if manager and any(field.is_metric for field in fields.values()):
        raise refusal("REQUESTED_METRICS_FOR_MANAGER")
    tests = [(c.field.name, compile_condition(fields[c.field.name], c, today)) for c in query.conditions]
    change = CHANGE_TIMES.get(query.resource)
    first, last = date_bounds(query.conditions, today, change or "segments.date")
    if change and first is not None and last is not None and last < first:
        raise _change_refusal(query, "CHANGE_DATE_RANGE_NEGATIVE", path=change)
    if first is not None and not keeps_everything:
        _check_history(query, first, today)
    columns = _columns(schema, query, fields)
    selected = frozenset(column.path for column in columns)
    extra = tuple(field for field in fields.values() if field.is_metric and field.path not in selected)
    wanted = {*fields, *selected}
    wanted.update(part for path in list(wanted) if path.startswith("metrics.") for part in parts_of(path))
    return Plan(
        request=RowRequest(query.resource, frozenset(wanted), first, last, today),
        selected=tuple(dict.fromkeys(query.field_names)),
        columns=columns,
        row_tests=tuple((path, test) for path, test in tests if not fields[path].is_metric),
        metric_tests=tuple((path, test) for path, test in tests if fields[path].is_metric),
        orderings=tuple((ordering.field.name, ordering.descending) for ordering in query.orderings),
        limit=query.limit,
        segmented=any(path.startswith("segments.") for path in fields),
        extra_metrics=extra,
    )


def refuse(problems: Iterable[Problem], version: str, *groups: str) -> None:
    """Raise the first problem for which the API has an error in one of the groups, as an `ApiFailureError`."""
    for problem in problems:
        for group in groups:
            if f"{group}.{problem.code.upper()}" in error_codes(version):
                raise ApiFailureError(group, problem.code.upper(), f"Error in query: {problem}.")


def _columns(schema: Schema, query: Query, fields: dict[str, Field]) -> tuple[Field, ...]:
    columns = {name: fields[name] for name in query.field_names}
    given = {parameter.name: parameter.value.lower() for parameter in query.parameters}
    if given.get("omit_unselected_resource_names") == "true":
        return tuple(columns.values())
    for resource in dict.fromkeys([query.resource, *(field.resource for field in columns.values())]):
        name = schema.field(f"{resource}.resource_name")
        if name is not None:
            columns.setdefault(name.path, name)
    return tuple(columns.values())


def _check_history(query: Query, first: date, today: date) -> None:
    kept = history_of(query)
    if kept is None or first >= kept.first_kept(today):
        return
    if query.resource in CHANGE_TIMES:
        raise _change_refusal(query, "START_DATE_TOO_OLD", path=CHANGE_TIMES[query.resource], kept=kept)
    if query.resource == "click_view":
        raise refusal("DATE_TOO_OLD", kept=kept)
    if not FINE_SEGMENTS.isdisjoint(query.field_names):
        raise refusal("REQUESTED_DATE_GRANULARITY_NOT_SUPPORTED", kept=kept)


def _change_refusal(query: Query, code: str, **details: object) -> ApiFailureError:
    return ApiFailureError(f"{query.resource}_error", code, _TABLES["change_refusals"][code].format(**details))


def _syntax_code(text: str, message: str) -> str:
    """Return the API's name of a syntax error, as far as the text and the parser's message tell."""
    words = text.upper().split() or ["SELECT", "FROM"]
    signs = {
        "EXPECTED_SELECT": words[0] != "SELECT",
        "BAD_LIMIT_VALUE": "LIMIT" in message and "not a number of rows" in message,
        "BAD_ESCAPE_SEQUENCE": "is not an escape" in message,
        "EXPECTED_FROM": "FROM" not in words,
        "UNEXPECTED_END_OF_QUERY": not text.split() or "the query ends" in message,
    }
    return next((code for code, found in signs.items() if found), "UNEXPECTED_INPUT")
