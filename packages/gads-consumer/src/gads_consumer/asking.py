"""What a caller asks for, checked: an empty or reversed selection is an error, never everything or nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from gads_domain.errors import InvalidValueError
from gads_domain.partition_key import PartitionKey, parse_date, require_customer_id, require_name
from gads_domain.state import PartitionStatus, StateFilter

Day = date | str
"""A date, or its text as YYYY-MM-DD."""

_DAY_FORMS = "give a date or text as YYYY-MM-DD"


@dataclass(frozen=True, slots=True)
class Question:
    """One source's report or reports, the days (both ends included, None: no bound) and accounts (None: all known)."""

    source: str
    reports: tuple[str, ...]
    since: date | None
    until: date | None
    customers: tuple[str, ...] | None

    def filter(self, statuses: tuple[PartitionStatus, ...] = ()) -> StateFilter:
        """The same, as the ledger is asked."""
        return StateFilter(self.source, self.customers or (), self.reports, self.since, self.until, statuses)


def question(
    source: str,
    reports: str | Iterable[str],
    since: Day | None = None,
    until: Day | None = None,
    customers: str | Iterable[str] | None = None,
) -> Question:
    """Check a selection; raises `InvalidValueError` for one that names nothing."""
    first, last = as_day(since), as_day(until)
    if first is not None and last is not None and first > last:
        raise InvalidValueError(
            f"since {first} is after until {last}", hint="both days are included: for one day give it twice"
        )
    return Question(
        source,
        tuple(require_name(name, "report name") for name in _several(reports, "reports")),
        first,
        last,
        None if customers is None else tuple(require_customer_id(text) for text in _several(customers, "customers")),
    )


def as_day(day: Day | None) -> date | None:
    """The date of a day given as a date or as text; raises `InvalidValueError`."""
    if isinstance(day, datetime):
        raise InvalidValueError(f"{day.isoformat()} is a time, not a day", hint=_DAY_FORMS)
    if day is None or isinstance(day, date):
        return day
    if not isinstance(day, str):
        raise InvalidValueError(f"{day!r} is not a day", hint=_DAY_FORMS)
    return parse_date(day)


def days(since: date, until: date) -> list[date]:
    """Every day from `since` to `until`, both included."""
    return [since + timedelta(days=number) for number in range((until - since).days + 1)]


def expected_keys(asked: Question, customers: Iterable[str], since: date, until: date) -> Iterable[PartitionKey]:
    """Every partition that has to be there, by customer, report and day."""
    slice_ = days(since, until)
    return (
        PartitionKey(asked.source, customer, report, day)
        for customer in sorted(set(customers))
        for report in sorted(asked.reports)
        for day in slice_
    )


class Wanted:
    """Whose changes are looked for."""

    def __init__(self, source: str, reports: frozenset[str] | None, customers: frozenset[str] | None) -> None:
        self._source = source
        self._reports = reports
        self._customers = customers

    def __call__(self, key: PartitionKey) -> bool:
        """Whether a move of `key` is of interest."""
        return (
            key.source == self._source
            and (self._reports is None or key.report in self._reports)
            and (self._customers is None or key.customer_id in self._customers)
        )


def one_report(report: str) -> str:
    """`report`, if it is the name of one; several in one snapshot would be rows of several tables."""
    if not isinstance(report, str):
        raise InvalidValueError(f"{report!r} is not the name of one report", hint="ask for each report by itself")
    return report


def _several(values: str | Iterable[str], what: str) -> list[str]:
    """The values once each and sorted; a lone text is one value and not its letters."""
    if not isinstance(values, Iterable):
        raise InvalidValueError(f"{values!r} is no text for {what}", hint="write names and ids as text")
    found = [values] if isinstance(values, str) else list(values)
    if not found:
        raise InvalidValueError(f"no {what} are named", hint=f"name at least one; an empty list is not all {what}")
    for value in found:
        if not isinstance(value, str):
            raise InvalidValueError(f"{value!r} among {what} is not text", hint="write names and ids as text")
    return sorted(set(found))
