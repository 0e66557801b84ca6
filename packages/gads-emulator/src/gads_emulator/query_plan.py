"""The plan of a query for one version and one account: the rows to request, and what to do with them."""

from dataclasses import dataclass
from datetime import date

from gads_domain.errors import QueryError
from gads_domain.package_data import tables_of
from gads_emulator.agency import RowRequest
from gads_emulator.calendar_segments import DERIVED
from gads_emulator.conditions import Test, compile_condition, date_bounds
from gads_emulator.failures import ApiFailureError, refusal
from gads_emulator.metrics import parts_of
from gads_emulator.schema import Field, Schema
from gads_gaql.history import FINE_SEGMENTS, history_of
from gads_gaql.parser import parse
from gads_gaql.resource_rules import CHANGE_LIMIT, CHANGE_TIMES
from gads_gaql.selection import conflicts, is_selectable
from gads_gaql.syntax import CORE_DATE_SEGMENTS, Query

_PARAMETERS = frozenset({"include_drafts", "omit_unselected_resource_names"})
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


def parse_query(text: str) -> Query:
    """Parse GAQL. Raises `ApiFailureError` with a `QueryError`."""
    try:
        return parse(text)
    except QueryError as error:
        raise refusal(_syntax_code(text, error.message), message=error.message) from None


def make_plan(schema: Schema, query: Query, *, manager: bool, today: date, keeps_everything: bool = False) -> Plan:
    """Check a query as the API does, and plan it.

    `manager` says whether the account is a manager; `today` is the account's day. Days beyond what the API keeps are
    refused, unless the agency `keeps_everything`. Raises `ApiFailureError`.
    """
    if not schema.has_resource(query.resource):
        raise refusal("BAD_RESOURCE_TYPE_IN_FROM_CLAUSE", query.resource)
    fields = _resolve(schema, query)
    _check_parameters(query)
    if manager and any(field.is_metric for field in fields.values()):
        raise refusal("REQUESTED_METRICS_FOR_MANAGER")
    _check_selection(query)
    tests = [(c.field.name, compile_condition(fields[c.field.name], c, today)) for c in query.conditions]
    change = CHANGE_TIMES.get(query.resource)
    first, last = date_bounds(query.conditions, today, change or "segments.date")
    if change:
        _check_changes(query, change, first, last)
    _check_segments(query, fields, first, last)
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
        segmented=any(field.is_segment for field in fields.values()),
        extra_metrics=extra,
    )


def _resolve(schema: Schema, query: Query) -> dict[str, Field]:
    found: dict[str, Field] = {}
    unknown: list[str] = []
    for reference in query.references():
        field = schema.field(reference.name)
        if field is None:
            unknown.append(reference.name)
        else:
            found[reference.name] = field
    if unknown:
        names = ", ".join(f"'{name}'" for name in dict.fromkeys(unknown))
        raise refusal("UNRECOGNIZED_FIELD", unknown[0], names=names)
    return found


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


def _check_parameters(query: Query) -> None:
    for parameter in query.parameters:
        name, value = parameter.name, parameter.value
        if name not in _PARAMETERS:
            raise refusal("BAD_PARAMETER_NAME", name)
        if value.lower() not in ("true", "false"):
            raise refusal("BAD_PARAMETER_VALUE", value, parameter=name)


def _check_selection(query: Query) -> None:
    for name in (reference.name for reference in query.references()):
        if is_selectable(name, query.resource):
            continue
        if name.startswith("metrics."):
            raise refusal("PROHIBITED_METRIC_IN_SELECT_OR_WHERE_CLAUSE", name, resource=query.resource)
        raise refusal("PROHIBITED_SEGMENT_IN_SELECT_OR_WHERE_CLAUSE", name, resource=query.resource)
    for segment, metric in conflicts(query):
        raise refusal("PROHIBITED_SEGMENT_WITH_METRIC_IN_SELECT_OR_WHERE_CLAUSE", segment.name, metric=metric)


def _check_segments(query: Query, fields: dict[str, Field], first: date | None, last: date | None) -> None:
    selected = frozenset(query.field_names)
    for condition in query.conditions:
        name = condition.field.name
        if fields[name].is_segment and name not in selected and name not in CORE_DATE_SEGMENTS:
            raise refusal("EXPECTED_REFERENCED_FIELD_IN_SELECT_CLAUSE", name, clause="WHERE")
    resources = {query.resource, *(fields[name].resource for name in selected)}
    for ordering in query.orderings:
        name = ordering.field.name
        field = fields[name]
        if field.repeated or field.kind == "message":
            raise refusal("PROHIBITED_FIELD_IN_ORDER_BY_CLAUSE", name)
        if name not in selected and (field.is_segment or field.is_metric or field.resource not in resources):
            raise refusal("EXPECTED_REFERENCED_FIELD_IN_SELECT_CLAUSE", name, clause="ORDER BY")
    if query.resource == "click_view" and (first is None or first != last):
        raise refusal("EXPECTED_FILTER_ON_A_SINGLE_DAY")
    dated = [reference.name for reference in query.references() if reference.name in CORE_DATE_SEGMENTS]
    if dated and not _has_finite_range(query, first, last):
        message = f"{dated[0]} is asked for, so WHERE must bound the days on both sides"
        raise refusal("EXPECTED_FILTERS_ON_DATE_RANGE", dated[0], message=message)


def _check_changes(query: Query, time: str, first: date | None, last: date | None) -> None:
    refusals = {
        "LIMIT_NOT_SPECIFIED": query.limit is None,
        "INVALID_LIMIT_CLAUSE": query.limit is not None and query.limit > CHANGE_LIMIT,
        "CHANGE_DATE_RANGE_INFINITE": first is None or last is None,
        "CHANGE_DATE_RANGE_NEGATIVE": first is not None and last is not None and last < first,
    }
    for code, applies in refusals.items():
        if applies:
            raise _change_refusal(query, code, path=time)


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


def _has_finite_range(query: Query, first: date | None, last: date | None) -> bool:
    if first is not None and last is not None:
        return True
    others = [c for c in query.conditions if c.field.name in DERIVED and c.field.name in CORE_DATE_SEGMENTS]
    operators = {condition.operator[0] for condition in others}
    return any(c.operator in ("=", "IN", "BETWEEN", "DURING") for c in others) or operators >= {"<", ">"}


def _syntax_code(text: str, message: str) -> str:
    """Return the API's name of a syntax error, as far as the parser's message tells."""
    words = text.split()
    if not words:
        return "UNEXPECTED_END_OF_QUERY"
    if words[0].upper() != "SELECT":
        return "EXPECTED_SELECT"
    if "LIMIT" in message and "not a number of rows" in message:
        return "BAD_LIMIT_VALUE"
    if "is not an escape" in message:
        return "BAD_ESCAPE_SEQUENCE"
    if "FROM" not in text.upper().split():
        return "EXPECTED_FROM"
    return "UNEXPECTED_END_OF_QUERY" if "the query ends" in message else "UNEXPECTED_INPUT"
