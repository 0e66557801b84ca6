"""What processes say of themselves: heartbeats and rounds, and which alerts are open."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

BEATS_AN_INTERVAL = 2
"""How often a process says within its interval that it lives, since a write may have to wait for its turn."""


class Liveness(StrEnum):
    """What a heartbeat says of its process."""

    ALIVE = "alive"
    SILENT = "silent"
    """No heartbeat came in time: the process was killed, its machine is gone, or it cannot write the ledger."""
    ENDED = "ended"
    """It said that it ends."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A process that executes plans, as it last said.

    - `process` is unique: `host:pid:nonce`. `command` is the command line, `version` that of gads-etl.
    - `beat_at` is when it last said so, and `interval` after how long without another one it is silent.
    - `doing` is in plain words; `active_at` is when its work last advanced, which tells a process that hangs, and
      still beats, from one that works or waits.
    """

    process: str
    host: str
    pid: int
    command: str
    version: str
    started_at: datetime
    beat_at: datetime
    interval: timedelta
    doing: str = ""
    active_at: datetime | None = None
    ended_at: datetime | None = None

    def liveness(self, now: datetime) -> Liveness:
        """Whether it is alive at `now`."""
        if self.ended_at is not None:
            return Liveness.ENDED
        return Liveness.SILENT if now > self.beat_at + self.interval else Liveness.ALIVE

    def is_silent(self, now: datetime) -> bool:
        """Whether its next heartbeat is overdue."""
        return self.liveness(now) is Liveness.SILENT

    @property
    def subcommand(self) -> str:
        """`serve`, `run`, `backfill`, …: the first word of the command that is no program and no option."""
        words = [word for word in self.command.split()[1:] if not word.startswith("-")]
        return words[0] if words else self.command


def lost(heartbeats: Iterable[Heartbeat], now: datetime) -> list[Heartbeat]:
    """The silent processes whose place no later one has taken, newest first.

    A process takes the place of at most one that had ended or was silent when it started: of the same subcommand, on
    the same host and by the same command if there is one, and else the one with the latest heartbeat.
    """
    beats = sorted(heartbeats, key=lambda beat: beat.started_at)
    gone = {one.process: one for one in beats if one.liveness(now) is not Liveness.ALIVE}
    kinds = {one.process: one.subcommand for one in beats}
    for later in beats:
        left = [
            one
            for one in gone.values()
            if one is not later
            and kinds[one.process] == kinds[later.process]
            and (one.ended_at or one.beat_at) <= later.started_at
        ]
        if left:
            nearest = max(left, key=lambda one: (one.host == later.host, one.command == later.command, one.beat_at))
            del gone[nearest.process]
    return [one for one in reversed(beats) if one.process in gone and one.ended_at is None]


@dataclass(frozen=True, slots=True)
class Round:
    """One execution of a plan: a round of `serve`, a `run`, a `backfill`.

    - `number` is given by the ledger, and grows; 0 before it is on record.
    - `ended` is `done`, `stopped` on request, `replan` (there was more to do, in another order), or the scope of the
      failure that ended it (`error` for a bug); empty while it goes on. `message` is why it ended early, for people.
    - `planned`, `succeeded`, `unchanged`, `failed` count partitions: `unchanged` are among those that succeeded, and a
      run that is held for a decision is among those that failed. `deferred` counts requests that were put off.
    - `rows` were received, `operations` of the quota spent.
    """

    process: str
    command: str
    run_id: str
    started_at: datetime
    planned: int = 0
    ended_at: datetime | None = None
    ended: str = ""
    succeeded: int = 0
    unchanged: int = 0
    failed: int = 0
    deferred: int = 0
    rows: int = 0
    operations: int = 0
    message: str = ""
    number: int = 0

    def is_cut_short(self, heartbeats: Iterable[Heartbeat], now: datetime) -> bool:
        """Whether its process went without ending it: it was killed, or has lost the ledger."""
        alive = {one.process for one in heartbeats if one.liveness(now) is Liveness.ALIVE}
        return self.ended_at is None and self.process not in alive


def ended_in_words(ended: str) -> str:
    """How a round ended, or the execution of a plan, for people: `Round.ended` has names of scopes."""
    return {"done": "done", "stopped": "stopped on request", "replan": "planned anew"}.get(ended, "ended early")


class Severity(StrEnum):
    """How urgent an alert is."""

    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True)
class AlertState:
    """One alert, known by `rule` and `subject`, such as a deadline and the report that missed it.

    - `raised_at` is when what it says was first seen; `text` and `severity` are as last seen.
    - `claimed_at` is when a process last undertook to notify people of it, `notified_at` when that was last
      delivered: None if it never was.
    - `resolved_at` is when it was seen no more; None while it is open.
    """

    rule: str
    subject: str
    raised_at: datetime
    text: str
    severity: Severity = Severity.WARNING
    claimed_at: datetime | None = None
    notified_at: datetime | None = None
    resolved_at: datetime | None = None
