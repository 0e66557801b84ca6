"""Whether what is expected is authoritative: gaps, the watermark, and whether to publish."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime

from gads_domain.completeness import Answer, Completeness, Expected, Freshness, completeness, expected_at
from gads_domain.expectations import Expectations
from gads_domain.gaps import HELD, AuthoritativeDays, Gap, gap_reason
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.ledger import StateReader
from gads_domain.state import PartitionStatus, StateFilter

_NOT_SUCCESS = (PartitionStatus.PENDING, PartitionStatus.FAILED)
_NAMED_AT_MOST = 3


@dataclass(frozen=True, slots=True)
class Readiness:
    """The answer to "may I publish?": true in a condition exactly if all that was asked for is authoritative.

    - `completeness`: the gaps, how many partitions are not due yet, and why it is unknown what is expected, if it is.
    - `watermarks`: for each report the last day up to which there is no gap, as `Consumer.watermark` defines it.
    - `position`: the place in the log that answers; a snapshot `as_of` it holds exactly what was found complete.
    """

    since: date | None
    day: date | None
    completeness: Completeness
    watermarks: Mapping[str, date | None]
    position: int
    cursor: str

    @property
    def answer(self) -> Answer:
        """Complete, incomplete, or unknown."""
        return self.completeness.answer

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """The gaps, day by day."""
        return tuple(gap for found in self.completeness.gaps for gap in found)

    def __bool__(self) -> bool:
        return bool(self.completeness) and not self.completeness.not_due

    def __str__(self) -> str:
        up_to = "" if self.day is None else f" up to {self.day}"
        at = f"{up_to} as of position {self.position}"
        if self:
            return f"complete{at}"
        return f"{'unknown' if self.answer is Answer.UNKNOWN else 'not complete'}{at}: {why_not(self.completeness)}"


def why_not(found: Completeness) -> str:
    """What keeps it from being complete: the first gaps by account and day, or else what is unknown or not due."""
    if found.gaps:
        texts = []
        for gap in found.gaps[:_NAMED_AT_MOST]:
            first, account = gap.first, found.described(gap.first.customer_id)
            texts.append(f"{first.report} of {account} on {gap.span} is {first.status} ({first.reason})")
        more = f"; and {len(found.gaps) - _NAMED_AT_MOST:,} more" if len(found.gaps) > _NAMED_AT_MOST else ""
        return f"{_partitions(found.days)} not authoritative: {'; '.join(texts)}{more}"
    return found.unknown or f"{_partitions(found.not_due)} not over or not due yet"


def _partitions(number: int) -> str:
    return "1 partition is" if number == 1 else f"{number:,} partitions are"


@dataclass(frozen=True, slots=True)
class Question:
    """Partitions that are asked for, what is on record as expected, and the moment at which days are due."""

    ledger: StateReader
    asked: StateFilter
    expectations: Expectations
    now: datetime
    freshness: Freshness

    def completeness(self, position: int | None = None) -> tuple[Completeness, int]:
        """What is missing now or at a position of the log, and that position."""
        authoritative = self._authoritative(position)
        at = authoritative.position
        found = completeness(self.expectations, self._expected(), authoritative, lambda wanted: self._rows(wanted, at))
        return found, at

    def watermarks(self, position: int) -> dict[str, date | None]:
        """The last day up to which each report had no gap at `position`."""
        expected = self._expected()
        if expected.unknown and not self.asked.customer_ids:
            return dict.fromkeys(self.asked.reports)
        authoritative = self._authoritative(position).days
        return {report: expected.complete_up_to(authoritative, report) for report in self.asked.reports}

    def _authoritative(self, position: int | None) -> AuthoritativeDays:
        """The days that are there at a position; what is held for a decision is so now."""
        held = [row.key for row in self.ledger.find(replace(self.asked, held=True))]
        return self.ledger.authoritative_days(self.asked, position).but(held)

    def _expected(self) -> Expected:
        return expected_at(
            self.expectations,
            self.asked.reports,
            self.now,
            self.freshness,
            since=self.asked.since,
            until=self.asked.until,
            customers=self.asked.customer_ids,
        )

    def _rows(self, wanted: StateFilter, position: int) -> dict[PartitionKey, tuple[PartitionStatus, str]]:
        """Status and reason of what was not success at `position`.

        The failure in a reason is that of the row of now, and is there only if the row still has that status.
        """
        held = {row.key: (row.status, HELD) for row in self.ledger.find(replace(wanted, held=True))}
        wanted = replace(wanted, statuses=_NOT_SUCCESS)
        rows = {row.key: row for row in self.ledger.find(wanted)}
        status = {key: row.status for key, row in rows.items()}
        if self.ledger.position() != position:
            status = {change.key: change.status_after for change in self.ledger.as_of(wanted, position)}
        found = dict(held)
        for key, then in status.items():
            row = rows.get(key)
            failure = row.last_error if row is not None and row.status is then else None
            found[key] = then, gap_reason(then, failure=failure or "")
        return found
