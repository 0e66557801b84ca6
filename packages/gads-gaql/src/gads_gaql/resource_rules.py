"""What the API's documents say about single resources, and no descriptor does."""

from collections.abc import Iterable, Iterator

from gads_gaql.syntax import Condition, Problem, Query

CHANGE_TIMES = {
    "change_event": "change_event.change_date_time",
    "change_status": "change_status.last_change_date_time",
}
"""The resources that are changes, and the field with their time."""
CHANGE_LIMIT = 10_000
"""The rows that one query of changes gets at most."""
_LOWER = frozenset({">", ">="})
_UPPER = frozenset({"<", "<="})
_BOTH = frozenset({"=", "BETWEEN", "DURING", "IN"})


def max_days_per_call(query: Query) -> int | None:
    """How many days one call may ask for; None for any number.

    One for `click_view`, of which the API refuses more (https://developers.google.com/google-ads/api/fields/v26/
    click_view: "Queries including ClickView must have a filter limiting the results to one day"), and one for a query
    with a LIMIT, which would otherwise cut the slice instead of each day.
    """
    return 1 if query.resource == "click_view" or query.limit is not None else None


def bounds(conditions: Iterable[Condition], fields: Iterable[str]) -> bool:
    """Whether the conditions on `fields` make a finite range."""
    names = frozenset(fields)
    operators = {condition.operator for condition in conditions if condition.field.name in names}
    return bool(operators & _BOTH) or bool(operators & _LOWER and operators & _UPPER)


def change_problems(query: Query) -> Iterator[Problem]:
    """`change_event` and `change_status` need a finite range of time and a LIMIT of 10,000 at most.

    Source: https://developers.google.com/google-ads/api/docs/change-event, `ChangeEventError`, `ChangeStatusError`.
    """
    resource, time = query.resource_ref, CHANGE_TIMES.get(query.resource)
    if time is None:
        return
    if not bounds(query.conditions, [time]):
        hint = f"add a condition such as {time} DURING LAST_7_DAYS"
        yield Problem.at(resource, "change_date_range_infinite", f"{resource} needs a finite range of {time}", hint)
    if query.limit is None:
        hint = f"end the query with LIMIT {CHANGE_LIMIT}"
        yield Problem.at(resource, "limit_not_specified", f"{resource} needs a LIMIT", hint)
    elif query.limit > CHANGE_LIMIT:
        message = f"{resource} gives {CHANGE_LIMIT} rows at most, not {query.limit}"
        hint = f"write LIMIT {CHANGE_LIMIT}, and ask for less time if it comes back full"
        yield Problem.at(resource, "invalid_limit_clause", message, hint)


def click_problems(query: Query) -> Iterator[Problem]:
    """A query of `click_view` that is sent as it stands names one day.

    Source: https://developers.google.com/google-ads/api/fields/v26/click_view and `ClickViewError`.
    """
    days = [condition for condition in query.conditions if condition.field.name == "segments.date"]
    if query.resource == "click_view" and not any(_names_one_day(condition) for condition in days):
        message = "click_view gives one day at a time"
        hint = "add a condition such as segments.date = '2024-06-01'"
        yield Problem.at(query.resource_ref, "expected_filter_on_a_single_day", message, hint)


def _names_one_day(condition: Condition) -> bool:
    match condition.operator, condition.values:
        case "=", _:
            return True
        case "BETWEEN", (first, last):
            return first == last
        case "DURING", (function,):
            return function in ("TODAY", "YESTERDAY")
    return False
