"""Whether what was expected is there: gaps, the watermark, and whether to publish."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby

from gads_consumer.asking import Question, expected_keys
from gads_consumer.gap import Gap
from gads_domain.ports.ledger import StateReader
from gads_domain.state import AuthorityChange, PartitionStatus

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Readiness:
    """The answer to "may I publish?": true in a condition exactly if nothing expected is missing.

    `position` is the place in the log that answers; a snapshot `as_of` it holds exactly what was found complete.
    `watermarks` has for each report the last day up to which nothing is missing for any of the accounts (None: not
    even the first), as `Consumer.watermark` defines it.
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
            return f"complete up to {self.day} as of move {self.position}"
        more = f" and {len(self.gaps) - 1} more" if len(self.gaps) > 1 else ""
        return f"not complete up to {self.day} as of move {self.position}: {self.gaps[0]}{more}"


def gaps_at(ledger: StateReader, asked: Question, position: int) -> tuple[Gap, ...]:
    """The partitions of `asked`, which names accounts and both bounds, that were not vouched for at `position`.

    The reasons are those of the rows of now, where the row still has that status.
    """
    assert asked.customers is not None
    assert asked.since is not None
    assert asked.until is not None
    status = {entry.key: entry.status_after for entry in ledger.as_of(asked.filter(), position)}
    expected = expected_keys(asked, asked.customers, asked.since, asked.until)
    open_keys = [key for key in expected if status.get(key) is not PartitionStatus.SUCCESS]
    # What never moved was never attempted, and has no reason; of many accounts and days that is most of what is open.
    moved = [key for key in open_keys if key in status]
    rows = {row.key: row for row in ledger.get_many(moved)}
    return tuple(
        Gap(key, status[key], rows[key].last_error if rows[key].status is status[key] else None)
        if key in status
        else Gap(key, PartitionStatus.PENDING)
        for key in open_keys
    )


def watermark_at(ledger: StateReader, asked: Question, position: int) -> date | None:
    """The last day up to which nothing of `asked`, one report and named accounts, was missing at `position`."""
    assert asked.customers is not None
    reached: dict[str, date | None] = dict.fromkeys(asked.customers)
    entries: Iterable[AuthorityChange] = ledger.as_of(asked.filter(), position)
    for customer, moves in groupby(entries, key=lambda entry: entry.key.customer_id):
        reached[customer] = _unbroken(moves, asked.since)
    found = [day for day in reached.values() if day is not None]
    return min(found) if len(found) == len(reached) else None


def _unbroken(moves: Iterable[AuthorityChange], since: date | None) -> date | None:
    """The end of the unbroken success from `since` on, or else from the first day that is known at all."""
    last = None if since is None else since - _DAY
    for entry in moves:
        day = entry.key.logical_date
        if entry.status_after is not PartitionStatus.SUCCESS or (last is not None and day != last + _DAY):
            break
        last = day
    return None if since is not None and last is not None and last < since else last
