"""The port, on a DuckDB file."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from pathlib import Path
from typing import Self

import duckdb

from gads_domain.current_partition import CurrentPartition
from gads_domain.errors import UsageError
from gads_domain.package_data import statements_of
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.warehouse import (
    FullLoad,
    LoadedExpectations,
    LoadedStep,
    LoadStep,
    PartitionContent,
    QueryResult,
    Replacement,
    ViewFigure,
    WarehousePosition,
)
from gads_domain.run import RunId
from gads_warehouse_duckdb.account_rows import count_account_rows
from gads_warehouse_duckdb.contents import payload_contents, table_contents
from gads_warehouse_duckdb.database_file import DatabaseFile
from gads_warehouse_duckdb.definitions import Definitions
from gads_warehouse_duckdb.expected import find_expected
from gads_warehouse_duckdb.invalid_identity import VALID_POINTER, count_invalid_identity, valid_identity
from gads_warehouse_duckdb.layout import CUSTOMER_ID, LOGICAL_DATE, RUN_ID, is_laid_out, lay_out
from gads_warehouse_duckdb.payload_rows import of_one_version
from gads_warehouse_duckdb.report_tables import ReportTables
from gads_warehouse_duckdb.state import find_state
from gads_warehouse_duckdb.step import StepTransaction
from gads_warehouse_duckdb.views.checks import check_of
from gads_warehouse_duckdb.views.expectation_checks import expectation_checks
from gads_warehouse_duckdb.views.figures import compared

_SQL = statements_of("gads_warehouse_duckdb", "warehouse.sql")


class DuckDbWarehouse:
    """Implements `gads_domain.ports.warehouse.Warehouse`. The file is open only while a call needs it."""

    def __init__(self, path: Path) -> None:
        self._file = DatabaseFile(path)
        self._nothing: duckdb.DuckDBPyConnection | None = None

    @property
    def path(self) -> Path:
        """The file."""
        return self._file.path

    def position(self) -> WarehousePosition | None:
        """The position that the tables are equal to; None for an empty warehouse and during a full load."""
        state = self._state()
        return state if isinstance(state, WarehousePosition) else None

    def full_load(self) -> FullLoad | None:
        """The full load that is under way."""
        state = self._state()
        return state if isinstance(state, FullLoad) else None

    def expected(self) -> LoadedExpectations | None:
        """What the tables should hold; None before a step has said so."""
        with self._opened() as found:
            state = find_state(found)
            return None if state is None else find_expected(found, state.source)

    def reports(self) -> list[str]:
        """The reports that have, or had, rows here; sorted."""
        with self._opened() as found:
            return _reports(found, ReportTables(found))

    def pointers(self, report: str) -> list[CurrentPartition]:
        """The partitions of `report` that are shown, in key order."""
        with self._opened() as found:
            rows = found.execute(_SQL["pointers"].format(valid=VALID_POINTER), [report]).fetchall()
        return [
            CurrentPartition(PartitionKey(source, customer, report, day), RunId(run), count, version, seal)
            for source, customer, day, run, count, version, seal in rows
        ]

    def mismatched(self) -> list[PartitionKey]:
        """The keys with more or fewer rows than their pointer says, rows of another run, or several pointers."""
        keys: set[PartitionKey] = set()
        with self._opened() as found:
            tables = ReportTables(found)
            for report in _reports(found, tables):
                identity = f"{CUSTOMER_ID}, {LOGICAL_DATE}, {RUN_ID}"
                rows = " ".join(f"UNION ALL SELECT {identity} FROM {table.place}" for table in tables.of(report))
                valid = valid_identity("customer_id", "logical_date", "run_id")
                wrong = found.execute(_SQL["mismatched"].format(rows=rows, valid=valid), [report]).fetchall()
                keys.update(PartitionKey(source, customer, report, day) for source, customer, day in wrong)
        return sorted(keys)

    def invalid_identity(self) -> dict[str, int]:
        """The number of rows and pointers that belong to no possible partition, by table; only tables with any."""
        with self._opened() as found:
            return count_invalid_identity(found, ReportTables(found).all())

    def contents(self, report: str) -> Iterator[PartitionContent]:
        """The partitions in the tables of `report`, rows without a pointer included."""
        with self._opened() as found:
            state = find_state(found)
            if state is not None:
                for table in ReportTables(found).of(report):
                    yield from table_contents(found, state.source, table)

    def measure(self, replacements: Sequence[Replacement]) -> list[PartitionContent]:
        """The contents that these payloads would have, in their order."""
        measured: dict[tuple[PartitionKey, RunId], PartitionContent] = {}
        with self._opened() as found, _empty_warehouse() as scratch:
            # The tables as they are, and those that the payloads would make, laid out again without rows.
            tables = ReportTables(scratch)
            tables.take_over(ReportTables(found))
            for (report, version), group in groupby(replacements, key=of_one_version):
                several = list(group)
                table = tables.place(report, version, several[0].schema)
                for content in payload_contents(scratch, table, version, several):
                    measured[content.key, content.run_id] = content
        return [measured.get((one.partition.key, one.partition.run_id)) or _empty(one) for one in replacements]

    def view_figures(self, *, counts_only: bool = False) -> list[ViewFigure]:
        """Figures of each view, with `counts_only` the number of its rows."""
        with self._opened() as found:
            state = find_state(found)
            if state is None:
                return []
            tables = ReportTables(found).all()
            checks = expectation_checks(found, state.source, find_expected(found, state.source))
            return [
                figure
                for view in Definitions(tables).views
                if (check := checks.get(view.name) or check_of(view.schema, view.name, tables)) is not None
                for figure in compared(found, f"{view.schema}.{view.name}", check, counts_only=counts_only)
            ]

    def account_rows(self, customer_id: str) -> dict[str, int]:
        """The number of rows that belong to an account, by table; only tables with any."""
        with self._opened() as found:
            return count_account_rows(found, ReportTables(found).all(), customer_id)

    def is_current(self) -> bool:
        """Whether catalogue and views are those that this software makes; an absent warehouse is."""
        with self._opened() as found:
            state = find_state(found)
            return state is None or Definitions(ReportTables(found).all()).are_there(found, state.definitions)

    def query(self, sql: str) -> QueryResult:
        """The result of one SQL query to the tables. Raises `UsageError` if it cannot be answered."""
        if not self.path.exists():
            raise UsageError(f"there is no warehouse {self.path}", hint="`Pipeline.load_warehouse` makes one")
        with self._file.reading() as connection:
            try:
                statements = connection.extract_statements(sql)
                if [one.type for one in statements] != [duckdb.StatementType.SELECT]:
                    raise UsageError("a query is one SELECT statement", hint="other statements are for DuckDB itself")
                found = connection.execute(statements[0])
                columns = tuple(column[0] for column in found.description)
                return QueryResult(columns, tuple(found.fetchall()))
            except (duckdb.ProgrammingError, duckdb.DataError) as error:
                raise UsageError(f"the warehouse cannot answer: {str(error).splitlines()[0]}") from error

    def apply(self, step: LoadStep) -> LoadedStep:
        """Apply `step`, and bring catalogue and views up to date in the same transaction.

        A step from one position to another is made on a copy, which then takes the file's place. What no position
        has yet is loaded into the file itself if no process has it open: a copy for each step of a full load would
        cost more than the load.
        """
        aside = isinstance(step.after, WarehousePosition) and isinstance(step.to, WarehousePosition)
        with self._file.writing(aside=aside) as connection:
            lay_out(connection)
            return StepTransaction(connection, step).execute()

    def close(self) -> None:
        """Let go of what stands for an absent warehouse; the file is not held open."""
        if self._nothing is not None:
            self._nothing.close()
            self._nothing = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _state(self) -> WarehousePosition | FullLoad | None:
        with self._opened() as found:
            state = find_state(found)
        return None if state is None else state.at

    @contextmanager
    def _opened(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection for reading, to an empty warehouse in memory if nothing was ever loaded."""
        if self.path.exists():
            with self._file.reading() as connection:
                if is_laid_out(connection):
                    yield connection
                    return
        with self._file.translated():
            # Laying out an empty warehouse takes as long as a small step, and a first load asks it five questions.
            if self._nothing is None:
                self._nothing = duckdb.connect()
                lay_out(self._nothing)
            yield self._nothing


@contextmanager
def _empty_warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        lay_out(connection)
        yield connection


def _reports(connection: duckdb.DuckDBPyConnection, tables: ReportTables) -> list[str]:
    """The reports that have a table or a pointer."""
    pointed = connection.execute(f"SELECT DISTINCT report FROM gads.pointers WHERE {VALID_POINTER}").fetchall()
    return sorted({*(table.report for table in tables.all()), *(report for (report,) in pointed)})


def _empty(one: Replacement) -> PartitionContent:
    return PartitionContent(one.partition.key, one.partition.run_id, 0, {}, "0")
