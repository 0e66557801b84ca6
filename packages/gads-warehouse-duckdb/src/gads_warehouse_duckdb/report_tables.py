"""Which table the rows of a schema version go to: one that they only add columns to, or one of their own."""

import json
from dataclasses import dataclass, field

import duckdb

from gads_domain.metadata import ColumnSpec, TableSchema
from gads_warehouse_duckdb.errors import SchemaDriftError, TableTakenError
from gads_warehouse_duckdb.layout import IDENTITY, column_type, quoted

Columns = tuple[ColumnSpec, ...]


@dataclass
class ReportTable:
    """A table of one report and the schema versions whose rows it holds, each a widening of the one before."""

    report: str
    name: str
    versions: dict[int, Columns] = field(default_factory=dict)

    @property
    def columns(self) -> Columns:
        """The columns of the table in their order, without the identity: those of the first version come first."""
        found: dict[str, ColumnSpec] = {}
        for columns in self.versions.values():
            for column in columns:
                found.setdefault(column.name, column)
        return tuple(found.values())

    @property
    def place(self) -> str:
        """The table as SQL names it."""
        return f"main.{quoted(self.name)}"

    @property
    def newest(self) -> int:
        """The highest schema version it holds."""
        return max(self.versions)

    def takes(self, version: int, columns: Columns) -> bool:
        """Whether every lower version has strictly fewer columns, every higher one strictly more, with equal types."""
        return all(
            _widens(known, columns) if number < version else _widens(columns, known)
            for number, known in self.versions.items()
        )

    def selection(self, version: int) -> str:
        """The table's columns as they are selected from a payload of `version`: those it lacks are null."""
        present = {column.name for column in self.versions[version]}
        return ", ".join(
            quoted(column.name)
            if column.name in present
            else f"NULL::{column_type(column.type)} AS {quoted(column.name)}"
            for column in self.columns
        )


def _widens(narrow: Columns, wide: Columns) -> bool:
    kinds = {column.name: (column.type, column.field) for column in wide}
    return len(wide) > len(narrow) and all(kinds.get(column.name) == (column.type, column.field) for column in narrow)


class ReportTables:
    """The tables of all reports, as recorded; changed in step with the database."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._tables: dict[str, ReportTable] = {}
        self._places: dict[tuple[str, int], ReportTable] = {}
        self.history: list[tuple[str, int, Columns]] = []
        rows = connection.execute(
            "SELECT report, schema_version, table_name, columns FROM gads.report_tables ORDER BY rowid"
        ).fetchall()
        for report, version, name, columns in rows:
            table = self._tables.setdefault(name, ReportTable(report, name))
            self._place(table, version, tuple(ColumnSpec(*column) for column in json.loads(columns)))

    def all(self) -> list[ReportTable]:
        """Every table, by report and then by its newest schema version."""
        return sorted(self._tables.values(), key=lambda table: (table.report, table.newest))

    def of(self, report: str) -> list[ReportTable]:
        """The tables of `report`, the one with the newest schema version last."""
        return [table for table in self.all() if table.report == report]

    def take_over(self, other: "ReportTables") -> None:
        """Make the same tables here, without rows."""
        for report, version, columns in other.history:
            self.place(report, version, TableSchema(columns))

    def place(self, report: str, version: int, schema: TableSchema) -> ReportTable:
        """The table for such rows: found, widened or created. Raises `SchemaDriftError`, `TableTakenError`."""
        columns = schema.columns
        known = self._places.get((report, version))
        if known is not None:
            if known.versions[version] != columns:
                changes = TableSchema(known.versions[version]).differences(schema)
                raise SchemaDriftError(
                    f"{report} has schema version {version} and other columns than before: "
                    f"{', '.join(changes) or 'of other fields'}"
                )
            return known
        table = self._neighbour(report, version, columns)
        if table is None:
            table = self._create(report, version, columns)
        else:
            self._widen(table, version, columns)
        self._connection.execute(
            "INSERT INTO gads.report_tables VALUES (?, ?, ?, ?)",
            [
                report,
                version,
                table.name,
                json.dumps([[column.name, column.field, column.type] for column in columns], separators=(",", ":")),
            ],
        )
        return table

    def _neighbour(self, report: str, version: int, columns: Columns) -> ReportTable | None:
        """The table of the next lower version or else of the next higher one, if it takes these columns.

        No other table is tried, so that a meaning that changed in between stays changed.
        """
        known = sorted(number for name, number in self._places if name == report)
        lower = [number for number in known if number < version][-1:]
        higher = [number for number in known if number > version][:1]
        for number in (*lower, *higher):
            table = self._places[report, number]
            if table.takes(version, columns):
                return table
        return None

    def _create(self, report: str, version: int, columns: Columns) -> ReportTable:
        name = report if not self.of(report) else f"{report}__v{version}"
        taken = self._connection.execute(
            "SELECT count(*) FROM information_schema.tables WHERE table_schema = 'main' AND table_name = ?", [name]
        ).fetchone()
        if taken is not None and taken[0]:
            raise TableTakenError(f"the rows of {report} cannot have a table {name}: there is one already")
        kinds = {column.name: column_type(column.type) for column in columns} | IDENTITY
        table = ReportTable(report, name)
        self._connection.execute(
            f"CREATE TABLE {table.place} ({', '.join(f'{quoted(one)} {kind}' for one, kind in kinds.items())})"
        )
        self._tables[name] = table
        self._place(table, version, columns)
        return table

    def _widen(self, table: ReportTable, version: int, columns: Columns) -> None:
        before = {column.name for column in table.columns}
        for column in columns:
            if column.name not in before:
                self._connection.execute(
                    f"ALTER TABLE {table.place} ADD COLUMN {quoted(column.name)} {column_type(column.type)}"
                )
        self._place(table, version, columns)

    def _place(self, table: ReportTable, version: int, columns: Columns) -> None:
        table.versions[version] = columns
        self.history.append((table.report, version, columns))
        self._places[table.report, version] = table
