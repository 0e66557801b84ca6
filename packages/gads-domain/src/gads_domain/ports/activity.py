"""Activity: heartbeats, rounds and alerts on the ledger, so that they are seen from another process or machine.

Whether a ledger records activity is up to its adapter (`ActivityLedgerAdapter`). What is recorded is no evidence of any
partition: nothing that decides reads it, and it may be lost.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from gads_domain.activity import AlertState, Heartbeat, Round

KEPT_ROUNDS = 10_000
"""At least so many rounds are kept, the newest ones."""

KEPT_PROCESSES = 200
"""At least so many heartbeats are kept, those that came last."""

KEPT_RESOLVED = 1_000
"""At least so many resolved alerts are kept, those that were resolved last."""

CLAIM_LASTS = timedelta(minutes=5)
"""How long a process that has claimed an alert has for delivering it, before another one may claim it."""

LONGEST_TEXT = 2_000
"""Characters; what is longer is cut."""


class ActivityReader(Protocol):
    """What any process may know of the others.

    Laws:

    1. `heartbeats` are the last one of each process, `rounds` those with a number below `before`, and `alerts` the
       open ones, or all: the newest first, and at most `limit`. Each is as it was recorded.
    2. A ledger that does not exist, or was written before activity was recorded, `has_activity` not, and shows none.
    """

    def has_activity(self) -> bool:
        """Whether the ledger has a place for it; if not, what is empty is unknown."""

    def heartbeats(self, limit: int = KEPT_PROCESSES) -> list[Heartbeat]:
        """The last heartbeat of each process, the one that came last first."""

    def rounds(self, limit: int, before: int | None = None) -> list[Round]:
        """Rounds, newest first; `before` is the number of the last one of the page before."""

    def alerts(self, *, open_only: bool = True, limit: int = KEPT_RESOLVED) -> list[AlertState]:
        """Alerts, by when they were raised, newest first."""

    def close(self) -> None:
        """Let go of the ledger; using it afterwards is an error."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class ActivityLedger(ActivityReader, Protocol):
    """What a process may put on record of itself, and of alerts.

    Laws:

    1. `record` keeps the heartbeat unless there is a later one of its process or its process has ended, and each round:
       a round without a number begins and gets the next one, one with a number takes the place of what was recorded of
       it, unless it has ended. All of it, or nothing and an error.
    2. Of all calls of `claim_alert` for one rule and subject, in any number of processes, exactly one returns true at a
       time: the first for an alert that is not open, and later ones when its severity rises, when it was delivered
       before `repeat_before`, or when it was claimed `CLAIM_LASTS` ago and not delivered. Only the one that returns
       true notifies.
    3. A claim by what was seen before the alert was resolved returns false. `resolve_alert` returns true once for an
       alert that is open and was delivered, and ends it; what was seen before it was raised does not.
    4. Texts that are longer than `LONGEST_TEXT` are cut, and old entries go: at least `KEPT_ROUNDS`,
       `KEPT_PROCESSES` and `KEPT_RESOLVED` of each remain, with every open alert.
    5. Nothing else is within its reach. When an account is erased, alerts and messages that name it go.
    """

    def record(self, heartbeat: Heartbeat, rounds: Sequence[Round] = ()) -> list[int]:
        """Put a heartbeat on record, and rounds as they are now; returns the numbers of `rounds`."""

    def claim_alert(self, state: AlertState, *, repeat_before: datetime | None = None) -> bool:
        """Put the alert on record as seen at `state.raised_at`; whether the caller is to notify people of it.

        Of `state` the rule, the subject, `raised_at` (now), the text and the severity count. With `repeat_before` an
        alert that was last delivered before is due again.
        """

    def alert_delivered(self, rule: str, subject: str, now: datetime) -> None:
        """The notification that was claimed reached people; without this, another process will claim it again."""

    def resolve_alert(self, rule: str, subject: str, now: datetime) -> bool:
        """It is seen no more; whether the caller is to say so. Does nothing if no such alert is open."""

    def __enter__(self) -> Self: ...


@runtime_checkable
class ActivityLedgerAdapter(Protocol):
    """A `LedgerAdapter` whose ledgers record activity."""

    def open_activity(self, url: str, base: Path) -> ActivityLedger:
        """Open with the right to record activity, and no other.

        It gives up after a second, by `HeldElsewhereError`, where another process holds the ledger: nothing waits for
        what is recorded here.
        """

    def open_activity_reader(self, url: str, base: Path) -> ActivityReader:
        """Open read-only. An absent ledger is an empty one, and is not created."""
