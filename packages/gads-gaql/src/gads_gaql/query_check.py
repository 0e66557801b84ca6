"""Everything that is wrong with a query, found without asking the API.

What only the API knows is not guessed, such as most of which segment goes with which metric: a query without problems
here may still be refused there.
"""

from collections.abc import Iterator

from gads_domain.report import DAY_SEGMENT
from gads_gaql.catalogue import FieldCatalogue
from gads_gaql.conditions import condition_problems, described
from gads_gaql.resource_rules import bounds, change_problems, click_problems
from gads_gaql.selection import can_have_metrics, conflicts, is_selectable, resources_of
from gads_gaql.syntax import CORE_DATE_SEGMENTS, Problem, Query

_PARAMETERS = ("include_drafts", "omit_unselected_resource_names")
_SEGMENTATION = "https://developers.google.com/google-ads/api/docs/reporting/segmentation"


def check(query: Query, catalogue: FieldCatalogue, *, expects_days: bool = True) -> list[Problem]:
    """Every problem of `query` under the API version of `catalogue`, in the order of the text; empty if none.

    With `expects_days` the query is a report's: each run adds the days it asks for, so `segments.date` must be
    selected (of resources that can have metrics) and may not be filtered. Without, the query is sent as it stands.
    """
    found = [
        *_resource_problems(query, catalogue),
        *_field_problems(query, catalogue),
        *_selection_problems(query),
        *_reference_problems(query),
        *_ordering_problems(query, catalogue),
        *_parameter_problems(query),
        *change_problems(query),
    ]
    for condition in query.conditions:
        kind = catalogue.get(condition.field.name)
        if kind is not None:
            found.extend(condition_problems(condition, kind, catalogue))
    if expects_days:
        found.extend(_report_problems(query))
    else:
        found.extend(_date_problems(query))
        found.extend(click_problems(query))
    return sorted(dict.fromkeys(found))


def _resource_problems(query: Query, catalogue: FieldCatalogue) -> Iterator[Problem]:
    """`FROM` names a resource of this version (`QueryError.BAD_RESOURCE_TYPE_IN_FROM_CLAUSE`)."""
    if query.resource not in catalogue.resources():
        message = f"{catalogue.version} has no resource {query.resource!r}"
        hint = catalogue.suggestion(query.resource)
        yield Problem.at(query.resource_ref, "bad_resource_type_in_from_clause", message, hint)


def _field_problems(query: Query, catalogue: FieldCatalogue) -> Iterator[Problem]:
    """Every field that is mentioned exists and is one that can be selected (`QueryError.UNRECOGNIZED_FIELD`)."""
    for reference in query.references():
        name = reference.name
        if catalogue.get(name) is not None:
            continue
        parent = catalogue.repeated_parent(name)
        if name in catalogue.resources() or name in ("metrics", "segments"):
            inside = list(catalogue.paths(name))
            example = next((path for path in (f"{name}.id", f"{name}.name") if path in inside), inside[0])
            message, hint = f"{name} is not a field: it has fields", f"name each field, such as {example}"
            yield Problem.at(reference, "prohibited_field_in_select_clause", message, hint)
        elif parent is not None:
            message = f"{name} is inside {parent}, which is repeated and comes whole"
            yield Problem.at(reference, "unrecognized_field", message, f"use {parent}")
        else:
            message = f"{catalogue.version} has no field {name!r}"
            yield Problem.at(reference, "unrecognized_field", message, catalogue.suggestion(name))


def _selection_problems(query: Query) -> Iterator[Problem]:
    """A field is selected once; metrics and segments are those of the resource, and go with each other.

    `QueryError.PROHIBITED_METRIC_IN_SELECT_OR_WHERE_CLAUSE`, `PROHIBITED_SEGMENT_IN_SELECT_OR_WHERE_CLAUSE`,
    `PROHIBITED_SEGMENT_WITH_METRIC_IN_SELECT_OR_WHERE_CLAUSE`.
    """
    seen: set[str] = set()
    for reference in query.fields:
        if reference.name in seen:
            yield Problem.at(reference, "duplicate_field", f"{reference} is selected twice", "select each field once")
        seen.add(reference.name)
    for reference in query.references():
        if not is_selectable(reference.name, query.resource):
            root = reference.name.partition(".")[0]
            code = f"prohibited_{root.removesuffix('s')}_in_select_or_where_clause"
            others = ", ".join(sorted(resources_of(reference.name)))
            message, hint = f"{query.resource} has no {root}", f"its rows are about the present: remove {reference}"
            if can_have_metrics(query.resource):
                message = f"{reference} cannot be selected from {query.resource}"
                hint = f"remove {reference}, or select it from {others or 'another resource'}"
            yield Problem.at(reference, code, message, hint)
    for segment, metric in conflicts(query):
        code = "prohibited_segment_with_metric_in_select_or_where_clause"
        message = f"{segment} does not divide {metric}: only conversions have it"
        yield Problem.at(segment, code, message, f"remove {metric}, or select it in a report of its own")


def _reference_problems(query: Query) -> Iterator[Problem]:
    """What WHERE and ORDER BY mention is selected where the API asks for it.

    Segments in WHERE, the core date segments excepted; metrics, segments and the attributes of other resources in
    ORDER BY: `EXPECTED_REFERENCED_FIELD_IN_SELECT_CLAUSE`. An attribute of a resource of which something is selected
    need not be selected itself. Source: https://developers.google.com/google-ads/api/docs/query/ordering-limiting
    """
    selected = frozenset(query.field_names)
    resources = {query.resource, *(name.split(".")[0] for name in selected)} - {"metrics", "segments"}
    filtered = [
        condition.field
        for condition in query.conditions
        if condition.field.name.startswith("segments.") and condition.field.name not in CORE_DATE_SEGMENTS
    ]
    ordered = [term.field for term in query.orderings if term.field.name.split(".")[0] not in resources]
    for clause, references in (("WHERE", filtered), ("ORDER BY", ordered)):
        for reference in references:
            if reference.name not in selected:
                message = f"{clause} mentions {reference}, which is not selected"
                code = "expected_referenced_field_in_select_clause"
                yield Problem.at(reference, code, message, f"add {reference} to SELECT")


def _ordering_problems(query: Query, catalogue: FieldCatalogue) -> Iterator[Problem]:
    """Rows have an order by single values alone (`QueryError.PROHIBITED_FIELD_IN_ORDER_BY_CLAUSE`)."""
    for term in query.orderings:
        found = catalogue.get(term.field.name)
        if found is not None and (found.repeated or found.kind == "message"):
            message = f"rows cannot be ordered by {term.field}, which is {described(found)}"
            hint = "order by a field that holds a single value"
            yield Problem.at(term.field, "prohibited_field_in_order_by_clause", message, hint)


def _parameter_problems(query: Query) -> Iterator[Problem]:
    """`PARAMETERS` knows two names, both true or false.

    Source: https://developers.google.com/google-ads/api/docs/query/structure; `BAD_PARAMETER_NAME`,
    `BAD_PARAMETER_VALUE`.
    """
    for given in query.parameters:
        if given.name not in _PARAMETERS:
            message = f"there is no parameter {given.name!r}"
            yield Problem.at(given, "bad_parameter_name", message, f"known: {' and '.join(_PARAMETERS)}")
        elif given.value.lower() not in ("true", "false"):
            message = f"{given.name} is true or false, not {str(given.value)!r}"
            yield Problem.at(given, "bad_parameter_value", message)


def _report_problems(query: Query) -> Iterator[Problem]:
    """A report's rows carry their day, and its query leaves the choice of days to the run."""
    if not can_have_metrics(query.resource):
        return
    if DAY_SEGMENT not in query.field_names:
        message = f"{DAY_SEGMENT} is not selected, so no row would carry its day"
        hint = f"add {DAY_SEGMENT} to SELECT"
        if not any(name.startswith(("metrics.", "segments.")) for name in query.field_names):
            hint += ", or give the query a header with -- kind: snapshot if its rows are about the present"
        yield Problem.at(query.resource_ref, "day_not_selected", message, hint)
    for condition in query.conditions:
        if condition.field.name in CORE_DATE_SEGMENTS:
            message = f"the query bounds its days itself, with a condition on {condition.field}"
            hint = "remove the condition: each run adds the days it asks for"
            yield Problem.at(condition.field, "days_are_added_by_each_run", message, hint)


def _date_problems(query: Query) -> Iterator[Problem]:
    """A query that mentions a core date segment bounds it (`QueryError.EXPECTED_FILTERS_ON_DATE_RANGE`).

    Source: https://developers.google.com/google-ads/api/docs/reporting/segmentation
    """
    mentioned = [reference for reference in query.references() if reference.name in CORE_DATE_SEGMENTS]
    if mentioned and can_have_metrics(query.resource) and not bounds(query.conditions, CORE_DATE_SEGMENTS):
        message = f"{mentioned[0]} needs a finite range of days in WHERE"
        hint = f"add a condition such as {DAY_SEGMENT} DURING LAST_7_DAYS; see {_SEGMENTATION}"
        yield Problem.at(mentioned[0], "expected_filters_on_date_range", message, hint)
