"""What is asked for: a report's definition, and a slice of days of it."""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum

from gads_domain.errors import InvalidValueError
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey, require_customer_id, require_name

DEFAULT_RESTATEMENT_DAYS = 30
"""How many days are read again where a report does not say: as far back as conversions usually still move."""

DAY_SEGMENT = "segments.date"
"""The field that tells the day of a daily report's row."""

_FIELD = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_API_VERSION = re.compile(r"v[1-9][0-9]*")


class ReportKind(StrEnum):
    """What the rows of a report's day are, and what follows from that; nothing else asks which kind a report is of.

    - `has_history`: a day that has passed can still be asked for, so there are backfills and restatements.
    - `day_segment`: the field that tells a row's day in every report of the kind; None where there is no such field.
      Reports that have it carry metrics and segments, and no others do.
    - `has_date_field`: each report names the field that tells a row's time, and may have a `row_limit`.
    """

    has_history: bool
    day_segment: str | None
    has_date_field: bool

    def __new__(
        cls, name: str, has_history: bool = True, day_segment: str | None = None, has_date_field: bool = False
    ) -> "ReportKind":
        """A kind of that name, with what follows from it."""
        kind = str.__new__(cls, name)
        kind._value_ = name
        kind.has_history, kind.day_segment, kind.has_date_field = has_history, day_segment, has_date_field
        return kind

    DAILY = "daily", True, DAY_SEGMENT
    """What happened on a day: `segments.date` is selected and each request adds its condition."""
    SNAPSHOT = "snapshot", False
    """How things are at the moment of asking. The logical date is today in the account's zone; a day that has passed
    can never be asked for again."""
    EVENT = "event", True, None, True
    """What was logged on a day, told by a time in `date_field`; where the API wants a LIMIT, `row_limit` is it."""


@dataclass(frozen=True, slots=True)
class History:
    """How long rows are kept: `days` or `months` before the account's today; `source` is where that is said."""

    source: str
    days: int = 0
    months: int = 0

    def first_kept(self, today: date) -> date:
        """The first day of which there are still rows when it is `today` in the account's zone."""
        months = today.year * 12 + today.month - 1 - self.months
        year, month = months // 12, months % 12 + 1
        day = min(today.day, monthrange(year, month)[1])
        return date(year, month, day) - timedelta(days=self.days)

    def __str__(self) -> str:
        return f"{self.months} months" if self.months else f"{self.days} days"


@dataclass(frozen=True, slots=True)
class ReportDefinition:
    """A named report. `query` is GAQL without a condition on its day: the request adds it.

    - `schema_version` means "rows with this shape and meaning" and starts at 1; it is raised whenever either changes.
    - `title` is one line for people; `grain` names the fields by which a row is unique, empty if that is not said.
    - `restatement_days`: how many days before today a run reads again, because the API still changes them.
    - `max_days_per_request`: how many days one request may ask for; None if the report sets no limit of its own.
    - `history`: how far back the API keeps an answer; None where that is unlimited or not known.
    - `date_field`, of an event alone: the field with the time that tells its day.
    - `row_limit`, of an event alone: the LIMIT of each request. A full answer is truncated until proven otherwise.
    - `first_api_version`, `last_api_version`: the versions (`v24`) that have what the query asks for; None is no bound.

    A snapshot report is asked for one day at a time and never again, whatever it is given: its `restatement_days` is 0
    and its `max_days_per_request` is 1. Raises `InvalidValueError` for what contradicts the kind.
    """

    name: str
    query: str
    schema_version: int = 1
    kind: ReportKind = ReportKind.DAILY
    title: str = ""
    grain: tuple[str, ...] = ()
    restatement_days: int = DEFAULT_RESTATEMENT_DAYS
    max_days_per_request: int | None = None
    history: History | None = None
    date_field: str | None = None
    row_limit: int | None = None
    first_api_version: str | None = None
    last_api_version: str | None = None

    def __post_init__(self) -> None:
        require_name(self.name, "report name")
        if self.schema_version < 1:
            raise self._invalid(f"schema_version of report {self.name} is {self.schema_version}; it starts at 1")
        if not self.kind.has_history:
            object.__setattr__(self, "restatement_days", 0)
            object.__setattr__(self, "max_days_per_request", 1)
        elif self.restatement_days < 1:
            raise self._invalid(f"restatement_days of report {self.name} is {self.restatement_days}; 1 is yesterday")
        if self.max_days_per_request is not None and self.max_days_per_request < 1:
            raise self._invalid(f"report {self.name} asks for {self.max_days_per_request} days a request")
        history = self.history
        if history is not None and not history.months and history.days < max(self.restatement_days, 1):
            raise self._invalid(
                f"report {self.name} reads {self.restatement_days} days again of a history of {history}",
                "let it read fewer days again: restatement_days is at most the days that the API keeps",
            )
        self._check_event()
        for field in self.grain:
            if not _FIELD.fullmatch(field) or self.grain.count(field) > 1:
                raise self._invalid(f"{field!r} in the grain of report {self.name} is no field, or is named twice")
        self._check_versions()

    def _check_event(self) -> None:
        if self.kind.has_date_field:
            if self.date_field is None or not _FIELD.fullmatch(self.date_field):
                raise self._invalid(
                    f"report {self.name} is an event whose date_field is {self.date_field!r}",
                    "name the field with the time, such as change_event.change_date_time",
                )
        elif self.date_field is not None or self.row_limit is not None:
            raise self._invalid(f"report {self.name} is no event, and only an event has a date_field or a row_limit")
        if self.row_limit is not None and self.row_limit < 1:
            raise self._invalid(f"row_limit of report {self.name} is {self.row_limit}")

    def _check_versions(self) -> None:
        for version in (self.first_api_version, self.last_api_version):
            if version is not None and not _API_VERSION.fullmatch(version):
                raise self._invalid(f"{version!r} of report {self.name} is not an API version", "it looks like v26")
        first, last = self.first_api_version, self.last_api_version
        if first is not None and last is not None and _number(last) < _number(first):
            raise self._invalid(f"the API versions of report {self.name} are reversed: {first} is after {last}")

    @staticmethod
    def _invalid(message: str, hint: str = "") -> InvalidValueError:
        return InvalidValueError(message, hint=hint)

    @property
    def day_field(self) -> str | None:
        """The field that tells a row's day; None for a snapshot report, whose rows say no day."""
        return self.kind.day_segment or self.date_field

    def supports(self, api_version: str) -> bool:
        """Whether `api_version`, such as `v26`, has what the query asks for, as far as the definition says."""
        number = _number(api_version)
        return (self.first_api_version is None or _number(self.first_api_version) <= number) and (
            self.last_api_version is None or number <= _number(self.last_api_version)
        )


def _number(api_version: str) -> int:
    if not _API_VERSION.fullmatch(api_version):
        raise InvalidValueError(f"{api_version!r} is not an API version", hint="it looks like v26")
    return int(api_version[1:])


@dataclass(frozen=True, slots=True)
class ReportSlice:
    """Adjacent days of one report of one account: one request to the API, one partition a day.

    `first` and `last` are both included. Raises `InvalidValueError` if they are reversed, or further apart than the
    report's `max_days_per_request` allows.
    """

    customer_id: str
    report: ReportDefinition
    first: date
    last: date
    source: str = GOOGLE_ADS

    def __post_init__(self) -> None:
        require_customer_id(self.customer_id)
        if self.last < self.first:
            raise InvalidValueError(f"the days are reversed: {self.first} is after {self.last}")
        most = self.report.max_days_per_request
        if most is not None and (self.last - self.first).days >= most:
            raise InvalidValueError(
                f"one request for {self.report.name} may ask for {most} days, not {self.first} to {self.last}"
            )

    @property
    def days(self) -> tuple[date, ...]:
        """Every day of the slice, in order."""
        count = (self.last - self.first).days + 1
        return tuple(self.first + timedelta(days=n) for n in range(count))

    @property
    def keys(self) -> tuple[PartitionKey, ...]:
        """The partition of every day, in order."""
        return tuple(PartitionKey(self.source, self.customer_id, self.report.name, day) for day in self.days)


def slices(customer_id: str, report: ReportDefinition, days: list[date], max_days: int) -> list[ReportSlice]:
    """Join adjacent `days` into slices of at most `max_days` each, or fewer if the report says so.

    Order and repetition do not count.
    """
    if max_days < 1:
        raise InvalidValueError(f"a slice of {max_days} days asks for nothing")
    if report.max_days_per_request is not None:
        max_days = min(max_days, report.max_days_per_request)
    joined: list[ReportSlice] = []
    start: date | None = None
    end: date | None = None
    for day in sorted(set(days)):
        if start is not None and end is not None:
            if day == end + timedelta(days=1) and (day - start).days < max_days:
                end = day
                continue
            joined.append(ReportSlice(customer_id, report, start, end))
        start = end = day
    if start is not None and end is not None:
        joined.append(ReportSlice(customer_id, report, start, end))
    return joined
