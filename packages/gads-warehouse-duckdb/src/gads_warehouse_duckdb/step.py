"""One step of a load, inside the caller's transaction."""

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

import duckdb

from gads_domain.current_partition import CurrentPartition
from gads_domain.errors import LedgerConflictError
from gads_domain.package_data import statements_of
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.warehouse import LoadedStep, LoadStep, Replacement, WarehousePosition
from gads_warehouse import OtherLedgerError
from gads_warehouse_duckdb.account_rows import erase_account
from gads_warehouse_duckdb.definitions import Definitions
from gads_warehouse_duckdb.expected import write_expected
from gads_warehouse_duckdb.invalid_identity import discard_invalid_identity
from gads_warehouse_duckdb.layout import CONTRACT_VERSION
from gads_warehouse_duckdb.payload_rows import of_one_version, payload_rows, require_counts, table_of
from gads_warehouse_duckdb.report_tables import ReportTables
from gads_warehouse_duckdb.state import WarehouseState, find_state, naive_utc, write_state

_CHANGED = "changed_partitions"
_SQL = statements_of("gads_warehouse_duckdb", "step.sql")
_REPORT = attrgetter("report")
_POINTER_COLUMNS: dict[str, str] = {
    "customer_id": "string",
    "report": "string",
    "logical_date": "date32",
    "run_id": "string",
    "schema_version": "int32",
    "record_count": "int64",
    "seal_sha256": "string",
}


class StepTransaction:
    """Rows, pointers, load records, catalogue and position of one step."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, step: LoadStep) -> None:
        self._connection = connection
        self._step = step
        self._at = naive_utc(step.at)
        self._before = find_state(connection)
        self._load_id = 1 if self._before is None else self._before.load_id + 1
        self._tables = ReportTables(connection)
        self._added = self._replaced = self._removed = self._rows = 0

    def execute(self) -> LoadedStep:
        """Make all changes; the caller commits."""
        self._require_base()
        if self._step.discard_invalid:
            discard_invalid_identity(self._connection, self._tables.all())
        for (report, version), group in groupby(self._step.replace, key=of_one_version):
            self._replace(report, version, list(group))
        for report, keys in groupby(sorted(self._step.remove, key=_REPORT), key=_REPORT):
            self._removed += self._change_pointers(report, list(keys), "removed", "removed")
        for customer_id in self._step.erase:
            self._removed += erase_account(self._connection, self._tables.all(), customer_id)
        if self._step.expected is not None:
            write_expected(self._connection, self._step.expected)
        self._record_step()
        return LoadedStep(self._added, self._replaced, self._removed, self._rows)

    def _require_base(self) -> None:
        step, before = self._step, self._before
        if before is not None and before.at.ledger_id != step.to.ledger_id:
            raise OtherLedgerError(f"the tables are of the ledger {before.at.ledger_id}; this is {step.to.ledger_id}")
        if before is not None and before.source != step.source:
            raise OtherLedgerError(f"the tables are of the source {before.source}; this is {step.source}")
        if step.after != (None if before is None else before.at):
            raise LedgerConflictError(
                "another loader changed the warehouse meanwhile", hint="load again; this one changed nothing"
            )

    def _replace(self, report: str, version: int, group: Sequence[Replacement]) -> None:
        for schema in {one.schema.columns: one.schema for one in group}.values():
            table = self._tables.place(report, version, schema)
        shown = self._change_pointers(report, [one.partition for one in group], "replaced", "added")
        self._replaced += shown
        self._added += len(group) - shown
        require_counts(self._connection, group)
        with payload_rows(self._connection, table, version, group) as query:
            self._connection.execute(f"INSERT INTO {table.place} BY NAME {query}")
        self._rows += sum(one.partition.record_count for one in group)

    def _change_pointers(
        self, report: str, partitions: Sequence[CurrentPartition] | Sequence[PartitionKey], known: str, new: str
    ) -> int:
        """Delete the rows and pointers of `partitions`, write the new pointers; how many were shown before.

        The load record's action is `known` for a partition that was shown and `new` for one that was not.
        """
        execute = self._connection.execute
        self._connection.register(_CHANGED, table_of(_POINTER_COLUMNS, map(_pointer_row, partitions)))
        ((shown,),) = execute(_SQL["count_shown"]).fetchall()
        values = {"load": self._load_id, "new": new, "known": known, "at": self._at, "contract": CONTRACT_VERSION}
        execute(_SQL["record_changes"], values)
        execute(_SQL["delete_pointers"])
        execute(_SQL["insert_pointers"], [self._at, self._load_id])
        for table in self._tables.of(report):
            execute(_SQL["delete_rows"].format(table=table.place))
        self._connection.unregister(_CHANGED)
        return int(shown)

    def _record_step(self) -> None:
        step = self._step
        definitions = Definitions(self._tables.all())
        if self._before is None or not definitions.are_there(self._connection, self._before.definitions):
            definitions.write(self._connection)
        state = WarehouseState(step.source, step.to, definitions.fingerprint, self._load_id)
        write_state(self._connection, state, step.at)
        positions = [at.position if isinstance(at, WarehousePosition) else None for at in (step.after, step.to)]
        counts = self._added, self._replaced, self._removed, self._rows
        load = [self._load_id, step.mode.value, *positions, self._at, *counts, CONTRACT_VERSION]
        self._connection.execute(_SQL["insert_load"], load)


def _pointer_row(one: CurrentPartition | PartitionKey) -> tuple[Any, ...]:
    if isinstance(one, PartitionKey):
        return one.customer_id, one.report, one.logical_date, *[None] * 4
    facts = one.run_id.value, one.schema_version, one.record_count, one.seal_sha256
    return one.customer_id, one.report, one.logical_date, *facts
