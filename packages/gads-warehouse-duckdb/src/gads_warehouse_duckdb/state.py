"""The one row that says where the tables are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb

from gads_domain.ports.warehouse import WarehousePosition
from gads_warehouse_duckdb.errors import WarehouseDamagedError
from gads_warehouse_duckdb.layout import CONTRACT_VERSION, RECORDS


@dataclass(frozen=True, slots=True)
class WarehouseState:
    """Where the tables are, of which source, by which load, and what they are looked at by."""

    source: str
    position: WarehousePosition
    definitions: str
    load_id: int


def naive_utc(moment: datetime) -> datetime:
    """The moment as the tables keep it: UTC without a zone."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def find_state(connection: duckdb.DuckDBPyConnection) -> WarehouseState | None:
    """The state, None before the first load is done."""
    row = connection.execute(
        f"SELECT source, ledger_id, position, cursor, definitions, load_id FROM {RECORDS}.state"
    ).fetchone()
    if row is None:
        return None
    source, ledger_id, position, cursor, definitions, load_id = row
    return WarehouseState(source, WarehousePosition(ledger_id, position, cursor), definitions, load_id)


def read_state(connection: duckdb.DuckDBPyConnection) -> WarehouseState:
    """The state of a warehouse that has one."""
    found = find_state(connection)
    if found is None:
        raise WarehouseDamagedError("the warehouse does not say where it is: gads.state is empty")
    return found


def write_state(connection: duckdb.DuckDBPyConnection, state: WarehouseState, at: datetime) -> None:
    """Put `state` in place of what is there."""
    connection.execute(f"DELETE FROM {RECORDS}.state")
    connection.execute(
        f"INSERT INTO {RECORDS}.state VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [
            CONTRACT_VERSION,
            state.source,
            state.position.ledger_id,
            state.position.position,
            state.position.cursor,
            state.definitions,
            naive_utc(at),
            state.load_id,
        ],
    )
