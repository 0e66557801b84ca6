"""The one row that says where the tables are."""

from dataclasses import dataclass
from datetime import UTC, datetime

import duckdb

from gads_domain.ports.warehouse import FullLoad, WarehousePosition
from gads_warehouse import WarehouseDamagedError
from gads_warehouse_duckdb.layout import CONTRACT_VERSION


@dataclass(frozen=True, slots=True)
class WarehouseState:
    """Where the tables are, of which source, by which load, and the fingerprint of their catalogue and views."""

    source: str
    at: WarehousePosition | FullLoad
    definitions: str
    load_id: int


def naive_utc(moment: datetime) -> datetime:
    """The moment as the tables keep it: UTC without a zone."""
    return moment.astimezone(UTC).replace(tzinfo=None)


def find_state(connection: duckdb.DuckDBPyConnection) -> WarehouseState | None:
    """The state, None before the first step is committed."""
    row = connection.execute(
        "SELECT source, ledger_id, position, cursor, definitions, load_id FROM gads.state"
    ).fetchone()
    if row is None:
        return None
    source, ledger_id, position, cursor, definitions, load_id = row
    at: WarehousePosition | FullLoad = WarehousePosition(ledger_id, position, cursor)
    if position is None:
        # Only where there is no position: files from before contract 1.1 have no such table, and always a position.
        load = connection.execute("SELECT position, cursor, done, remaining FROM gads.full_load").fetchone()
        if load is None:
            raise WarehouseDamagedError("the warehouse does not say where it is: gads.full_load is empty")
        at = FullLoad(WarehousePosition(ledger_id, load[0], load[1]), load[2], load[3])
    return WarehouseState(source, at, definitions, load_id)


def write_state(connection: duckdb.DuckDBPyConnection, state: WarehouseState, at: datetime) -> None:
    """Put `state` in place of what is there."""
    connection.execute("DELETE FROM gads.state; DELETE FROM gads.full_load")
    place = [state.at.position, state.at.cursor] if isinstance(state.at, WarehousePosition) else [None, None]
    connection.execute(
        "INSERT INTO gads.state VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        [CONTRACT_VERSION, state.source, state.at.ledger_id, *place, state.definitions, naive_utc(at), state.load_id],
    )
    if isinstance(state.at, FullLoad):
        connection.execute(
            "INSERT INTO gads.full_load VALUES (?, ?, ?, ?)",
            [state.at.target.position, state.at.target.cursor, state.at.done, state.at.remaining],
        )
