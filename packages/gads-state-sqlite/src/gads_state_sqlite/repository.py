"""What anybody may ask of the ledger; the base of what the validator and the control plane hold."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime
from types import TracebackType
from typing import Self

from gads_domain.partition_key import PartitionKey
from gads_domain.run import RunId
from gads_domain.state import (
    AuthorityChange,
    KeyHistory,
    PartitionState,
    RecordedAct,
    SchemaPin,
    StateFilter,
)
from gads_state_sqlite.bulk_queries import histories_in, states_in
from gads_state_sqlite.control_reader import ControlReading
from gads_state_sqlite.filter_sql import select_of
from gads_state_sqlite.rows import ACT, KEY, LOG, act_of, key_columns, log_entry_of, pin_of, run_of, state_of
from gads_state_sqlite.schema import RUNS_VERSION, version_of
from gads_state_sqlite.state_reader import ReadSource
from gads_state_sqlite.time_travel import as_of_statement, position_at, reports_of

BY_KEY = "source = ? AND customer_id = ? AND report = ? AND logical_date = ?"

_NO_LIMIT = -1

NEWEST_RUN = "SELECT run_id FROM runs WHERE results > 0 ORDER BY run_id DESC LIMIT 1"
_NEWEST_RUN_BY_SCAN = (
    "SELECT run_id FROM attempts AS a WHERE NOT EXISTS (SELECT 1 FROM revocations AS r WHERE "
    + " AND ".join(f"r.{column} = a.{column}" for column in (*KEY.split(", "), "run_id"))
    + ") ORDER BY run_id DESC LIMIT 1"
)
"""For a reader of a ledger that no writer has yet brought up to the present version."""


class PartitionStateRepository(ControlReading):
    """Implements `gads_domain.ports.ledger.StateReader`, whose laws bind it; nothing in it writes."""

    def __init__(self, source: ReadSource) -> None:
        self._source = source

    def get(self, key: PartitionKey) -> PartitionState:
        """The state of `key`; a pending one if there is no row."""
        return self.get_many([key])[0]

    def get_many(self, keys: Sequence[PartitionKey]) -> list[PartitionState]:
        """The states of `keys`, in their order, of one moment."""
        return self._source.read(lambda connection: states_in(connection, keys))

    def find(self, wanted: StateFilter, *, limit: int | None = None) -> Iterator[PartitionState]:
        """The rows that match, in key order, as they were at the moment of the call."""
        return map(state_of, self._source.stream(lambda connection: select_of(connection, wanted, limit)))

    def history(self, key: PartitionKey) -> KeyHistory:
        """The row of `key`, its attempts in the order they were recorded, the runs withdrawn from it."""
        return self.histories([key])[0]

    def histories(self, keys: Sequence[PartitionKey]) -> list[KeyHistory]:
        """The histories of `keys`, in their order, of one moment."""
        return self._source.read(lambda connection: histories_in(connection, keys))

    def acts(self, key: PartitionKey) -> list[RecordedAct]:
        """The control plane's acts on `key`, oldest first."""
        statement = f"SELECT {ACT} FROM operator_acts WHERE {BY_KEY} ORDER BY sequence"
        return self._source.read(
            lambda connection: [act_of(row) for row in connection.execute(statement, key_columns(key))]
        )

    def schema_pin(self, source: str, report: str, schema_version: int) -> SchemaPin | None:
        """The schema that this version of the report stands for, if a run has fixed it."""

        def work(connection: sqlite3.Connection) -> SchemaPin | None:
            row = connection.execute(
                "SELECT source, report, schema_version, columns FROM schema_pins "
                "WHERE source = ? AND report = ? AND schema_version = ?",
                (source, report, schema_version),
            ).fetchone()
            return None if row is None else pin_of(row)

        return self._source.read(work)

    def authority_changes(self, *, after: int = 0, limit: int | None = None) -> list[AuthorityChange]:
        """The moves with a sequence number above `after`, in order."""
        statement = f"SELECT {LOG} FROM authority_log WHERE sequence > ? ORDER BY sequence LIMIT ?"
        values = (after, _NO_LIMIT if limit is None else max(limit, 0))
        return self._source.read(
            lambda connection: [log_entry_of(row) for row in connection.execute(statement, values)]
        )

    def position(self) -> int:
        """The sequence number of the last move; 0 for an empty log."""
        return self._source.read(
            lambda connection: int(
                connection.execute("SELECT coalesce(max(sequence), 0) FROM authority_log").fetchone()[0]
            )
        )

    def as_of(self, wanted: StateFilter, position: int) -> Iterator[AuthorityChange]:
        """The last move at or below `position` of each partition that matches, in key order."""
        return map(log_entry_of, self._source.stream(lambda connection: as_of_statement(connection, wanted, position)))

    def position_at(self, moment: datetime) -> int:
        """The sequence number of the last move that was made at or before `moment`; 0 if there is none."""
        return self._source.read(lambda connection: position_at(connection, moment))

    def reports(self, source: str) -> list[str]:
        """The names of the reports of `source` that have a row, sorted."""
        return self._source.read(lambda connection: reports_of(connection, source))

    def newest_run(self) -> RunId | None:
        """The latest run with a validation result that is not revoked, whatever its outcome; None if there is none."""

        def work(connection: sqlite3.Connection) -> RunId | None:
            has_runs = version_of(connection) >= RUNS_VERSION
            row = connection.execute(NEWEST_RUN if has_runs else _NEWEST_RUN_BY_SCAN).fetchone()
            return None if row is None else run_of(row)

        return self._source.read(work)

    def ledger_id(self) -> str | None:
        """Names this ledger among all ledgers, for good; None while it does not exist."""

        def work(connection: sqlite3.Connection) -> str | None:
            row = connection.execute("SELECT ledger_id FROM ledger_meta").fetchone()
            return None if row is None else str(row[0])

        return self._source.read(work)

    def close(self) -> None:
        """Let go of the ledger; using it afterwards is an error."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
