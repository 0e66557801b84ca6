"""One step, carried out inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

import duckdb
import pyarrow as pa

from gads_domain.errors import LedgerConflictError
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.warehouse import LoadedPartition, LoadedStep, LoadMode, LoadStep, Replacement
from gads_warehouse_duckdb.definitions import Definitions
from gads_warehouse_duckdb.errors import OtherLedgerError
from gads_warehouse_duckdb.layout import CONTRACT_VERSION, CUSTOMER_ID, LOGICAL_DATE, RECORDS, quoted
from gads_warehouse_duckdb.payload_rows import payload_rows, require_counts
from gads_warehouse_duckdb.report_tables import ReportTable, ReportTables
from gads_warehouse_duckdb.state import WarehouseState, find_state, naive_utc, write_state
from gads_warehouse_duckdb.unplaced import discard_unplaced

_MOVING = "moving_partitions"
_SAME_KEY = (
    "pointer.report = moving.report AND pointer.customer_id = moving.customer_id "
    "AND pointer.logical_date = moving.logical_date"
)
_MOVING_COLUMNS: list[tuple[str, pa.DataType]] = [
    ("customer_id", pa.string()),
    ("report", pa.string()),
    ("logical_date", pa.date32()),
    ("run_id", pa.string()),
    ("schema_version", pa.int32()),
    ("record_count", pa.int64()),
    ("seal_sha256", pa.string()),
]


class Application:
    """Rows, pointers, load records, catalogue and position of one step."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, step: LoadStep) -> None:
        self._connection = connection
        self._step = step
        self._at = naive_utc(step.at)
        self._before = find_state(connection)
        self._load_id = 1 if self._before is None else self._before.load_id + 1
        self._tables = ReportTables(connection)
        self._added = self._replaced = self._removed = self._rows = 0

    def execute_plan(self) -> LoadedStep:
        """Do it all; the caller commits."""
        self._require_base()
        if self._step.mode is LoadMode.RECONCILE:
            discard_unplaced(self._connection, self._tables.all())
        for chunk in self._step.replace:
            for (report, version), group in groupby(chunk, key=_place_of):
                self._replace(report, version, list(group))
        for report, keys in groupby(sorted(self._step.remove, key=_report_of), key=_report_of):
            self._remove(report, list(keys))
        self._record_step()
        return LoadedStep(self._added, self._replaced, self._removed, self._rows)

    def _require_base(self) -> None:
        found = None if self._before is None else self._before.position
        wanted = self._step.after
        if found is not None and found.ledger_id != self._step.to.ledger_id:
            raise OtherLedgerError(f"the tables are of the ledger {found.ledger_id}; this is {self._step.to.ledger_id}")
        if self._before is not None and self._before.source != self._step.source:
            raise OtherLedgerError(f"the tables are of the source {self._before.source}; this is {self._step.source}")
        if found != wanted:
            raise LedgerConflictError(
                "another loader moved the warehouse meanwhile", hint="load again; this one changed nothing"
            )

    def _replace(self, report: str, version: int, group: Sequence[Replacement]) -> None:
        table = self._tables.place(report, version, group[0].schema)
        for schema in {one.schema.columns: one.schema for one in group}.values():
            self._tables.place(report, version, schema)
        before = self._move(report, [one.partition for one in group], "replaced", "added")
        self._replaced += before
        self._added += len(group) - before
        self._insert(table, version, group)

    def _remove(self, report: str, keys: Sequence[PartitionKey]) -> None:
        self._removed += self._move(report, keys, "removed", "removed")

    def _move(
        self, report: str, partitions: Sequence[LoadedPartition] | Sequence[PartitionKey], known: str, new: str
    ) -> int:
        """Take away what is shown of `partitions` and point at what is to be; how many were shown before.

        The load record's action is `known` for a partition that was shown and `new` for one that was not.
        """
        self._connection.register(
            _MOVING, pa.Table.from_pylist([_row(one) for one in partitions], pa.schema(_MOVING_COLUMNS))
        )
        shown = self._connection.execute(
            f"SELECT count(*) FROM {_MOVING} AS moving SEMI JOIN {RECORDS}.pointers AS pointer ON {_SAME_KEY}"
        ).fetchone()
        self._connection.execute(
            f"INSERT INTO {RECORDS}.load_records SELECT $load, if(pointer.run_id IS NULL, $new, $known), "
            "moving.customer_id, moving.report, moving.logical_date, moving.run_id, pointer.run_id, "
            "moving.schema_version, moving.record_count, moving.seal_sha256, $at, $contract "
            f"FROM {_MOVING} AS moving LEFT JOIN {RECORDS}.pointers AS pointer ON {_SAME_KEY}",
            {
                "load": self._load_id,
                "new": new,
                "known": known,
                "at": self._at,
                "contract": CONTRACT_VERSION,
            },
        )
        self._connection.execute(
            f"DELETE FROM {RECORDS}.pointers AS pointer USING {_MOVING} AS moving WHERE {_SAME_KEY}"
        )
        self._connection.execute(
            f"INSERT INTO {RECORDS}.pointers SELECT *, ?, ? FROM {_MOVING} WHERE run_id IS NOT NULL",
            [self._at, self._load_id],
        )
        for table in self._tables.of(report):
            self._connection.execute(
                f"DELETE FROM main.{quoted(table.name)} AS old USING {_MOVING} AS moving "
                f"WHERE old.{CUSTOMER_ID} = moving.customer_id AND old.{LOGICAL_DATE} = moving.logical_date"
            )
        self._connection.unregister(_MOVING)
        return 0 if shown is None else int(shown[0])

    def _insert(self, table: ReportTable, version: int, group: Sequence[Replacement]) -> None:
        require_counts(self._connection, group)
        with payload_rows(self._connection, table, version, group) as query:
            self._connection.execute(f"INSERT INTO main.{quoted(table.name)} BY NAME {query}")
        self._rows += sum(one.partition.record_count for one in group)

    def _record_step(self) -> None:
        step = self._step
        definitions = Definitions(self._tables.all())
        if self._before is None or self._before.definitions != definitions.fingerprint:
            definitions.write(self._connection)
        write_state(
            self._connection,
            WarehouseState(step.source, step.to, definitions.fingerprint, self._load_id),
            step.at,
        )
        self._connection.execute(
            f"INSERT INTO {RECORDS}.loads VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                self._load_id,
                step.mode.value,
                None if step.after is None else step.after.position,
                step.to.position,
                self._at,
                self._added,
                self._replaced,
                self._removed,
                self._rows,
                CONTRACT_VERSION,
            ],
        )


def _place_of(one: Replacement) -> tuple[str, int]:
    return one.partition.key.report, one.partition.schema_version


def _report_of(key: PartitionKey) -> str:
    return key.report


def _row(moving: LoadedPartition | PartitionKey) -> dict[str, object]:
    key = moving if isinstance(moving, PartitionKey) else moving.key
    row: dict[str, object] = {
        "customer_id": key.customer_id,
        "report": key.report,
        "logical_date": key.logical_date,
    }
    if isinstance(moving, LoadedPartition):
        row |= {
            "run_id": moving.run_id.value,
            "schema_version": moving.schema_version,
            "record_count": moving.record_count,
            "seal_sha256": moving.seal_sha256,
        }
    return row
