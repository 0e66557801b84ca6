"""Whether what was expected is authoritative: gaps, the watermark, and whether to publish."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import groupby

from gads_domain.gaps import Gap, expected_keys, find_gaps, gap_reason
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.ledger import StateReader
from gads_domain.state import AuthorityChange, PartitionStatus, StateFilter

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Readiness:
    """The answer to "may I publish?": true in a condition exactly if there is no gap.

    `position` is the place in the log that answers; a snapshot `as_of` it holds exactly what was found complete.
    `watermarks` has for each report the last day up to which there is no gap for any of the accounts (None: not even
    the first), as `Consumer.watermark` defines it.
    """

    since: date
    day: date
    gaps: tuple[Gap, ...]
    watermarks: Mapping[str, date | None]
    position: int
    cursor: str

    def __bool__(self) -> bool:
        return not self.gaps

    def __str__(self) -> str:
        if not self.gaps:
            return f"complete up to {self.day} as of position {self.position}"
        more = f" and {len(self.gaps) - 1} more" if len(self.gaps) > 1 else ""
        return f"not complete up to {self.day} as of position {self.position}: {self.gaps[0]}{more}"


def gaps_at(ledger: StateReader, asked: StateFilter, position: int) -> tuple[Gap, ...]:
    """The gaps of `asked`, which names its source, accounts, reports and both bounds, at `position`.

    The failure in a reason is that of the row of now, and is there only if the row still has that status. What is held
    for a decision is so now.
    """
    assert asked.source is not None
    assert asked.since is not None
    assert asked.until is not None
    status = {change.key: change.status_after for change in ledger.as_of(asked, position)}
    held = {row.key for row in ledger.find(replace(asked, held=True))}
    rows = ledger.get_many([key for key, found in status.items() if found is not PartitionStatus.SUCCESS])
    reasons = {
        row.key: gap_reason(row.status, failure=row.last_error or "") for row in rows if row.status is status[row.key]
    }
    expected = expected_keys(asked.source, asked.customer_ids, asked.reports, asked.since, asked.until)
    return tuple(find_gaps(expected, status, reasons, held))


def watermark_at(ledger: StateReader, asked: StateFilter, position: int) -> date | None:
    """The last day up to which `asked`, one report and named accounts, had no gap at `position`."""
    reached: dict[str, date | None] = dict.fromkeys(asked.customer_ids)
    held = {row.key for row in ledger.find(replace(asked, held=True))}
    for customer, changes in groupby(ledger.as_of(asked, position), key=lambda change: change.key.customer_id):
        reached[customer] = _unbroken(changes, asked.since, held)
    found = [day for day in reached.values() if day is not None]
    return min(found) if len(found) == len(reached) else None


def _unbroken(changes: Iterable[AuthorityChange], since: date | None, held: Set[PartitionKey]) -> date | None:
    """The end of the unbroken success from `since` on, or else from the first day that is known at all."""
    last = None if since is None else since - _DAY
    for change in changes:
        day = change.key.logical_date
        good = change.status_after is PartitionStatus.SUCCESS and change.key not in held
        if not good or (last is not None and day != last + _DAY):
            break
        last = day
    return None if since is not None and last is not None and last < since else last
