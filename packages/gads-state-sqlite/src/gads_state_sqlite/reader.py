"""What every program may ask of the ledger; the base of the validator's and the control plane's view."""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import TracebackType
from typing import Any, Self

from gads_domain.control import Lease, Mark, SchedulingState
from gads_domain.erasure import Erasure
from gads_domain.expectations import Expectations
from gads_domain.gaps import AuthoritativeDays
from gads_domain.metadata import KnownContent
from gads_domain.partition_key import PartitionKey
from gads_domain.quota import Rest, Spent
from gads_domain.run import RunId
from gads_domain.state import (
    AuthorityChange,
    KeyHistory,
    PartitionState,
    PartitionStatus,
    PrunedRun,
    RecordedAct,
    SchemaPin,
    StateFilter,
)
from gads_state_sqlite import queries
from gads_state_sqlite.erasure_tables import account_rows_in, erased_change_in, erased_reports_in, erasures_in
from gads_state_sqlite.expectation_tables import account_list_in, expectations_in
from gads_state_sqlite.prune_tables import open_prunes_in, pinned_in, superseded_in
from gads_state_sqlite.quota_tables import rests_in, spent_in
from gads_state_sqlite.read_only_file import ReadOnlyFile
from gads_state_sqlite.rows import (
    ACT,
    BY_KEY,
    LEASE,
    LOG,
    PIN,
    SCHEDULING,
    STATE,
    Row,
    key_columns,
    moment_text,
)
from gads_state_sqlite.write_connection import WriteConnection

_NO_LIMIT = -1


class SqliteStateReader:
    """Implements `gads_domain.ports.ledger.StateReader`, whose laws bind it; nothing in it writes."""

    def __init__(self, source: ReadOnlyFile | WriteConnection) -> None:
        self._source = source

    def get(self, key: PartitionKey) -> PartitionState:
        """The state of `key`; a pending one if there is no row."""
        return self.get_many([key])[0]

    def get_many(self, keys: Sequence[PartitionKey]) -> list[PartitionState]:
        """The states of `keys`, in their order, of one moment."""
        return self._source.read(lambda connection: queries.states_in(connection, keys))

    def find(self, wanted: StateFilter, *, limit: int | None = None) -> Iterator[PartitionState]:
        """The rows that match, in key order, as they were at the moment of the call."""
        return map(STATE.read, self._source.stream(lambda connection: queries.select_states(connection, wanted, limit)))

    def history(self, key: PartitionKey) -> KeyHistory:
        """The row of `key`, its validation results in the order they were recorded, its revoked and accepted runs."""
        return self.histories([key])[0]

    def histories(self, keys: Sequence[PartitionKey]) -> list[KeyHistory]:
        """The histories of `keys`, in their order, of one moment."""
        return self._source.read(lambda connection: queries.histories_in(connection, keys))

    def acts(self, key: PartitionKey) -> list[RecordedAct]:
        """The control plane's acts on `key`, oldest first."""
        statement = f"SELECT {ACT.columns} FROM operator_acts WHERE {BY_KEY} ORDER BY sequence"
        return list(map(ACT.read, self._rows(statement, *key_columns(key))))

    def schema_pin(self, source: str, report: str, schema_version: int) -> SchemaPin | None:
        """The schema that this version of the report stands for, if a run has fixed it."""
        found = self._rows(queries.SQL["pin"], source, report, schema_version)
        return PIN.read(found[0]) if found else None

    def authority_changes(self, *, after: int = 0, limit: int | None = None) -> list[AuthorityChange]:
        """The authority changes with a sequence number above `after`, in order."""
        statement = f"SELECT {LOG.columns} FROM authority_log WHERE sequence > ? ORDER BY sequence LIMIT ?"
        return list(map(LOG.read, self._rows(statement, after, _NO_LIMIT if limit is None else max(limit, 0))))

    def authority_changes_of(self, key: PartitionKey) -> list[AuthorityChange]:
        """The authority changes of `key`, in order."""
        statement = f"SELECT {LOG.columns} FROM authority_log WHERE {BY_KEY} ORDER BY sequence"
        return list(map(LOG.read, self._rows(statement, *key_columns(key))))

    def position(self) -> int:
        """The sequence number of the last authority change; 0 for an empty log."""
        return self._source.read(queries.position_in)

    def as_of(self, wanted: StateFilter, position: int) -> Iterator[AuthorityChange]:
        """The last authority change at or below `position` of each partition that matches, in key order."""
        return map(
            LOG.read,
            self._source.stream(lambda connection: queries.select_as_of(connection, wanted, position)),
        )

    def position_at(self, moment: datetime) -> int:
        """The sequence number of the last authority change at or before `moment`; 0 if there is none."""
        return self._source.read(lambda connection: queries.position_at(connection, moment))

    def reports(self, source: str) -> list[str]:
        """The names of the reports of `source` that have a row, or a change that an erasure made, sorted."""

        def work(connection: sqlite3.Connection) -> list[str]:
            return sorted({*queries.reports_in(connection, source), *erased_reports_in(connection, source)})

        return self._source.read(work)

    def newest_run(self) -> RunId | None:
        """The latest run with a validation result that is not revoked, whatever its outcome; None if there is none."""
        return self._source.read(queries.newest_run_in)

    def scheduling_states(self, wanted: StateFilter) -> Iterator[SchedulingState]:
        """The scheduling state of each partition that has a row or a mark, in key order, of one moment."""
        if len(wanted.customer_ids) == 1:
            # One account's rows fit in memory; a stream would open a connection of its own.
            return map(
                SCHEDULING.read,
                self._source.read(lambda c: c.execute(*queries.select_scheduling_states(c, wanted)).fetchall()),
            )
        return map(SCHEDULING.read, self._source.stream(lambda c: queries.select_scheduling_states(c, wanted)))

    def known_contents(self, wanted: StateFilter) -> Mapping[PartitionKey, KnownContent]:
        """What the authoritative run of the partitions that match has sealed; none that is revoked or held against."""
        return self._source.read(lambda connection: queries.known_contents_in(connection, wanted))

    def marks(self, key: PartitionKey) -> frozenset[Mark]:
        """What the control plane has put on `key` and not taken off."""
        return self._source.read(lambda connection: queries.marks_in(connection, key))

    def leases(self, now: datetime) -> list[Lease]:
        """The leases that are held at `now`, by scope."""
        return list(map(LEASE.read, self._rows(queries.SQL["leases"], moment_text(now, "now"))))

    def spent(self, budget: str, now: datetime) -> Spent:
        """What was spent of `budget` and still counts at `now`."""
        return self._source.read(lambda connection: spent_in(connection, budget, now))

    def rests(self, budget: str, now: datetime) -> list[Rest]:
        """The rests of `budget` whose time has not come at `now`, by scope."""
        return self._source.read(lambda connection: rests_in(connection, budget, now))

    def authoritative_days(self, wanted: StateFilter, position: int | None = None) -> AuthoritativeDays:
        """The days of each account and report that are authoritative, now or as of a `position`, and which it is."""
        found = self._source.read(lambda connection: queries.authoritative_days_in(connection, wanted, position))
        if found is not None:
            return found
        assert position is not None
        success = self.as_of(replace(wanted, statuses=(PartitionStatus.SUCCESS,)), position)
        return AuthoritativeDays.of(position, (one.key for one in success))

    def expectations(self, source: str) -> Expectations:
        """The account list of `source` as last drawn, and what is expected of it; inferred from rows without one."""
        return self._source.read(lambda connection: expectations_in(connection, source))

    def account_list(self, source: str) -> Expectations:
        """The account list of `source` as last drawn, with nothing expected."""
        return self._source.read(lambda connection: account_list_in(connection, source))

    def superseded(self, wanted: StateFilter) -> Iterator[PartitionKey]:
        """The partitions that match and may have a run that retention lets go, in key order."""
        return iter(self._source.read(lambda connection: superseded_in(connection, wanted)))

    def open_prunes(self, limit: int) -> list[PrunedRun]:
        """Up to `limit` pruned runs whose removal from the sink is not on record, in key order."""
        return self._source.read(lambda connection: open_prunes_in(connection, limit))

    def pinned(self, now: datetime) -> frozenset[tuple[PartitionKey, RunId]]:
        """The runs that readers have pinned."""
        return self._source.read(lambda connection: pinned_in(connection, now))

    def erasures(self, source: str) -> list[Erasure]:
        """The erasures of accounts of `source`, oldest first."""
        return self._source.read(lambda connection: erasures_in(connection, source))

    def erased_change(self, sequence: int) -> str | None:
        """The fingerprint of the authority change with this number, if an erasure has removed it."""
        return self._source.read(lambda connection: erased_change_in(connection, sequence))

    def account_rows(self, source: str, customer_id: str) -> Mapping[str, int]:
        """How many rows each table has of an account; only tables with any."""
        return self._source.read(lambda connection: account_rows_in(connection, source, customer_id))

    def ledger_id(self) -> str | None:
        """Names this ledger among all ledgers, for good; None while it does not exist."""
        found = self._rows("SELECT ledger_id FROM ledger_meta")
        return str(found[0][0]) if found else None

    def close(self) -> None:
        """Let go of the ledger; using it afterwards is an error."""
        self._source.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _rows(self, statement: str, *values: Any) -> list[Row]:
        return self._source.read(lambda connection: connection.execute(statement, values).fetchall())
