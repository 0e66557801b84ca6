"""The ledger as a process may use it that says what it does: activity, and nothing else."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from gads_domain.activity import AlertState, Heartbeat, Round
from gads_domain.ports.activity import KEPT_PROCESSES, KEPT_RESOLVED
from gads_state_sqlite import activity_tables
from gads_state_sqlite.activity_tables import ACTIVITY
from gads_state_sqlite.read_only_file import ReadOnlyFile
from gads_state_sqlite.write_connection import WriteConnection, allowing

_MAY = allowing(inserts=frozenset(), updates=frozenset(), owned=ACTIVITY, deletes=ACTIVITY)


class SqliteActivityReader:
    """Implements `gads_domain.ports.activity.ActivityReader`, whose laws bind it; nothing in it writes."""

    def __init__(self, source: ReadOnlyFile | WriteConnection) -> None:
        self._source = source

    def has_activity(self) -> bool:
        """Whether the ledger has a place for it."""
        return self._source.read(activity_tables.has_activity)

    def heartbeats(self, limit: int = KEPT_PROCESSES) -> list[Heartbeat]:
        """The last heartbeat of each process, the one that came last first."""
        return self._source.read(lambda connection: activity_tables.heartbeats_in(connection, limit))

    def rounds(self, limit: int, before: int | None = None) -> list[Round]:
        """Rounds, newest first."""
        return self._source.read(lambda connection: activity_tables.rounds_in(connection, limit, before))

    def alerts(self, *, open_only: bool = True, limit: int = KEPT_RESOLVED) -> list[AlertState]:
        """Alerts, newest first."""
        return self._source.read(lambda connection: activity_tables.alerts_in(connection, limit, open_only=open_only))

    def close(self) -> None:
        """Let go of the ledger; using it afterwards is an error."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class SqliteActivityLedger(SqliteActivityReader):
    """Implements `gads_domain.ports.activity.ActivityLedger`, whose laws bind it."""

    def __init__(self, path: Path, busy_seconds: float) -> None:
        self._file = WriteConnection(path, busy_seconds, _MAY)
        super().__init__(self._file)

    def record(self, heartbeat: Heartbeat, rounds: Sequence[Round] = ()) -> list[int]:
        """Put a heartbeat on record, and rounds as they are now; returns the numbers of `rounds`."""
        return self._file.write(lambda connection: activity_tables.record(connection, heartbeat, rounds))

    def claim_alert(self, state: AlertState, *, repeat_before: datetime | None = None) -> bool:
        """Put the alert on record as seen now; whether the caller is to notify people of it."""
        return self._file.write(lambda connection: activity_tables.claim_alert(connection, state, repeat_before))

    def alert_delivered(self, rule: str, subject: str, now: datetime) -> None:
        """The notification that was claimed reached people."""
        self._file.write(lambda connection: activity_tables.alert_delivered(connection, rule, subject, now))

    def resolve_alert(self, rule: str, subject: str, now: datetime) -> bool:
        """It is seen no more; whether the caller is to say so."""
        return self._file.write(lambda connection: activity_tables.resolve_alert(connection, rule, subject, now))
