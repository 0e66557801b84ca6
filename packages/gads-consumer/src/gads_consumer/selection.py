"""What a caller asks for, checked: an empty or reversed selection is an error, never everything or nothing."""

from collections.abc import Iterable
from datetime import date, datetime

from gads_domain.errors import InvalidValueError
from gads_domain.partition_key import parse_date, require_customer_id, require_name
from gads_domain.state import StateFilter

Day = date | str
"""A date, or its text as YYYY-MM-DD."""

_DAY_FORMS = "give a date or text as YYYY-MM-DD"


def select(
    source: str,
    reports: str | Iterable[str] | None = None,
    since: Day | None = None,
    until: Day | None = None,
    customers: str | Iterable[str] | None = None,
) -> StateFilter:
    """The partitions of `reports`, days (both ends included) and accounts; None sets no bound.

    Names come sorted and once each. Raises `InvalidValueError` for what selects nothing.
    """
    first, last = as_day(since), as_day(until)
    if first is not None and last is not None and first > last:
        raise InvalidValueError(
            f"since {first} is after until {last}", hint="both days are included: for one day give it twice"
        )
    return StateFilter(
        source,
        tuple(require_customer_id(text) for text in _several(customers, "customers")),
        tuple(require_name(name, "report name") for name in _several(reports, "reports")),
        first,
        last,
    )


def one_report(report: str) -> str:
    """`report`, if it is one name; raises `InvalidValueError`: rows of several reports are not one table."""
    if not isinstance(report, str):
        raise InvalidValueError(f"{report!r} is not the name of one report", hint="ask for each report by itself")
    return report


def as_day(day: Day | None) -> date | None:
    """The date of a day given as a date or as text; raises `InvalidValueError`."""
    if isinstance(day, datetime):
        raise InvalidValueError(f"{day.isoformat()} is a time, not a day", hint=_DAY_FORMS)
    if day is None or isinstance(day, date):
        return day
    if not isinstance(day, str):
        raise InvalidValueError(f"{day!r} is not a day", hint=_DAY_FORMS)
    return parse_date(day)


def _several(values: str | Iterable[str] | None, what: str) -> list[str]:
    """The values; a lone text is one value and not its letters. Empty for None alone."""
    if values is None:
        return []
    if not isinstance(values, Iterable):
        raise InvalidValueError(f"{values!r} is not text for {what}", hint="write names and ids as text")
    found = [values] if isinstance(values, str) else list(values)
    if not found:
        raise InvalidValueError(f"no {what} are named", hint=f"name at least one; an empty list is not all {what}")
    for value in found:
        if not isinstance(value, str):
            raise InvalidValueError(f"{value!r} among {what} is not text", hint="write names and ids as text")
    return sorted(set(found))
