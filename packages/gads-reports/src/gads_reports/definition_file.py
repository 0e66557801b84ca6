"""A report file to a `ReportDefinition`: header, query, and whether they agree."""

import re
from dataclasses import fields, replace
from pathlib import Path

from gads_domain.errors import ConfigurationError, InvalidValueError, QueryError
from gads_domain.local_path import read_file
from gads_domain.partition_key import require_name
from gads_domain.report import DAY_SEGMENT, DEFAULT_RESTATEMENT_DAYS, History, ReportDefinition, ReportKind
from gads_gaql.history import history_of
from gads_gaql.parser import parse
from gads_gaql.resource_rules import CHANGE_LIMIT, CHANGE_TIMES, max_days_per_call
from gads_gaql.selection import can_have_metrics
from gads_gaql.syntax import CORE_DATE_SEGMENTS, Query
from gads_reports.header import Header, fault, has_header, parse_header

SUFFIX = ".gaql"
"""How the name of a report file ends; what stands before it is the report's name."""

_NOT_TAKEN = ("lines", "history_days")
_SETTLED_DAYS = 3
_CONVERTING = re.compile(r"conversion|revenue|units_sold|gross_profit|cost_of_goods_sold|orders")
_PLACE = re.compile(r"line ([0-9]+), (column [0-9]+: .*)", re.DOTALL)


def load_file(path: Path) -> ReportDefinition:
    """Read a report file; the report is named like the file, `campaign.gaql` is `campaign`.

    Raises `ConfigurationError` for a file that cannot be read, is not UTF-8 or is not a report; the message starts
    with the path, and with the line where there is one.
    """
    try:
        text = read_file(path).decode("utf-8-sig")
    except OSError as error:
        raise ConfigurationError(f"{path}: cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise ConfigurationError(f"{path}: is not UTF-8 text") from None
    if path.suffix != SUFFIX:
        raise ConfigurationError(f"{path}: is not named like a report", hint=f"end its name with {SUFFIX}")
    return read_definition(path.stem, text, str(path))


def read_definition(name: str, text: str, source: str) -> ReportDefinition:
    """Read the text of a report file; `source` names it in errors.

    The definition's query is the whole text, so that line numbers stay true; `gads_gaql.renderer` writes it without
    comments when it is sent. Raises `ConfigurationError`.
    """
    try:
        require_name(name, "report name")
    except InvalidValueError as error:
        raise ConfigurationError(f"{source}: {error.message}", hint=error.hint) from None
    header = parse_header(text, source)
    query = _query(text, source)
    _agree(header, query, source)
    given = {field.name: getattr(header, field.name) for field in fields(header) if field.name not in _NOT_TAKEN}
    most_days = filter(None, (header.max_days_per_request, max_days_per_call(query)))
    given["restatement_days"] = header.restatement_days or default_restatement_days(query)
    given["max_days_per_request"] = min(most_days, default=None)
    given["history"] = _history(header, query)
    if query.resource in CHANGE_TIMES:
        given["row_limit"] = header.row_limit or CHANGE_LIMIT
    try:
        return ReportDefinition(name, text, **given)
    except InvalidValueError as error:
        key = "history_days" if header.history_days is not None else "restatement_days"
        raise header.fault(source, key, error.message, error.hint) from None


def read_text(name: str, text: str, source: str, *, schema_version: int | None = None) -> ReportDefinition:
    """Read a report from a text that may have a header, such as `query` or `file` of a `[[reports]]` in `gads.toml`.

    Without a header its kind, limits, history and restatement are those of its resource and metrics: changes are
    events, what has no metrics is a snapshot, all else is daily. Its version is `schema_version` or 1. A header has it
    all, and a `schema_version` that differs from its own is refused. Raises `ConfigurationError`.
    """
    if has_header(text):
        found = read_definition(name, text, source)
        if schema_version not in (None, found.schema_version):
            versions = f"{found.schema_version} in the header, {schema_version} in the configuration"
            raise ConfigurationError(f"{source}: schema_version is {versions}", hint="remove it from the configuration")
        return found
    query = _query(text, source)
    version, restated = schema_version or 1, default_restatement_days(query)
    if query.resource in CHANGE_TIMES:
        return ReportDefinition(
            name,
            text,
            version,
            ReportKind.EVENT,
            restatement_days=restated,
            max_days_per_request=1,
            history=history_of(query),
            date_field=CHANGE_TIMES[query.resource],
            row_limit=CHANGE_LIMIT,
        )
    if not can_have_metrics(query.resource):
        return ReportDefinition(name, text, version, ReportKind.SNAPSHOT)
    most = max_days_per_call(query)
    return ReportDefinition(
        name, text, version, restatement_days=restated, max_days_per_request=most, history=history_of(query)
    )


def default_restatement_days(query: Query) -> int:
    """How many days are read again by default: 30 with metrics that conversions change later, else 3.

    One of `change_status`, which has a resource on the day of its last change: a day that is read again has lost rows.
    """
    if query.resource == "change_status":
        return 1
    metrics = (name.removeprefix("metrics.") for name in query.field_names if name.startswith("metrics."))
    return DEFAULT_RESTATEMENT_DAYS if any(_CONVERTING.search(metric) for metric in metrics) else _SETTLED_DAYS


def _history(header: Header, query: Query) -> History | None:
    """What the header says, or else what is kept of the query's resource; None of a report about the present."""
    if header.history_days is not None:
        return History("the header of the report", days=header.history_days)
    return history_of(query) if header.kind.has_history else None


def _query(text: str, source: str) -> Query:
    try:
        return parse(text)
    except QueryError as error:
        place = _PLACE.fullmatch(error.message)
        line, rest = (int(place[1]), place[2]) if place else (1, error.message)
        raise fault(source, line, rest, error.hint) from None


def _agree(header: Header, query: Query, source: str) -> None:
    """The grain is selected and has every segment, and the query leaves days and rows to the request.

    No hint asks for what another one, or the check of the query, asks to remove.
    """
    _require_kind_of_resource(header, query, source)
    selected = frozenset(query.field_names)
    for name in header.grain:
        if name.startswith("metrics."):
            raise header.fault(source, "grain", f"{name} is a metric", "name only fields that are not measured")
        if name not in selected:
            is_foreign = name.startswith("segments.") and not header.kind.day_segment
            hint = f"{'' if is_foreign else f'add {name} to SELECT, or '}remove it from the grain"
            raise header.fault(source, "grain", f"{name} is in the grain and not selected", hint)
    for field in query.fields:
        if field.name.startswith("segments.") and field.name not in header.grain and header.kind.day_segment:
            raise fault(source, field.line, f"{field} splits rows and is not in the grain", f"add {field} to the grain")
    for condition in query.conditions:
        if condition.field.name in CORE_DATE_SEGMENTS or condition.field.name == header.date_field:
            message = f"the query bounds its days itself, with a condition on {condition.field}"
            hint = "remove the condition: each request adds the days it asks for"
            raise fault(source, condition.field.line, message, hint)
    for ordering in query.orderings:
        hint = "remove it: the order of rows means nothing"
        raise fault(source, ordering.field.line, "a report has no ORDER BY", hint)
    if query.limit is not None:
        hint = "remove it: an event report has row_limit in its header, others get all rows"
        raise fault(source, query.resource_line, "a report has no LIMIT", hint)
    _agree_with_kind(header, query, source)


def _require_kind_of_resource(header: Header, query: Query, source: str) -> None:
    """Changes are events, clicks are asked for by day, and what has no days has a present alone."""
    resource = query.resource
    time = CHANGE_TIMES.get(resource)
    if time is not None and header.date_field != time:
        hint = f"write -- kind: {ReportKind.EVENT} and -- date_field: {time}"
        raise header.fault(source, "kind", f"{resource} is a log of changes, each at its {time}", hint)
    if header.row_limit is not None and time is not None and header.row_limit > CHANGE_LIMIT:
        message = f"{resource} gives {CHANGE_LIMIT} rows at most, not {header.row_limit}"
        raise header.fault(source, "row_limit", message, f"write -- row_limit: {CHANGE_LIMIT}")
    if max_days_per_call(replace(query, limit=None)) is not None and header.kind is not ReportKind.DAILY:
        hint = f"write -- kind: {ReportKind.DAILY} and select {DAY_SEGMENT}"
        raise header.fault(source, "kind", f"{resource} is asked for by day, and this is a {header.kind} report", hint)
    if header.kind is ReportKind.DAILY and not can_have_metrics(resource):
        hint = f"write -- kind: {ReportKind.SNAPSHOT}, without {DAY_SEGMENT}"
        raise header.fault(source, "kind", f"{resource} has no days: its rows are about the present", hint)


def _agree_with_kind(header: Header, query: Query, source: str) -> None:
    selected = frozenset(query.field_names)
    if (day := header.kind.day_segment) is not None:
        if day not in selected:
            message = f"a {header.kind} report selects {day}, and this one does not"
            hint = f"add {day} to SELECT, or write -- kind: snapshot if the rows are about the present"
            raise fault(source, query.resource_line, message, hint)
        return
    for field in query.fields:
        if field.name.startswith(("segments.", "metrics.")):
            hint = f"remove {field}"
            if can_have_metrics(query.resource):
                hint += f", or write -- kind: daily and select {DAY_SEGMENT}"
            raise fault(source, field.line, f"{header.kind} reports have no metrics and no segments", hint)
    if header.date_field is not None and header.date_field not in selected:
        message = f"{header.date_field} is the date_field and not selected"
        raise header.fault(source, "date_field", message, f"add {header.date_field} to SELECT")
