"""The entry point `duckdb` of `gads.warehouses`: `duckdb:path/to/warehouse.duckdb`."""

from pathlib import Path

from gads_domain.errors import ConfigurationError
from gads_domain.local_path import path_of
from gads_warehouse_duckdb.layout import TAKEN_NAMES
from gads_warehouse_duckdb.warehouse import DuckDbWarehouse


class DuckDbWarehouseAdapter:
    """Implements `gads_domain.ports.warehouse.WarehouseAdapter` for one file."""

    def open_warehouse(self, url: str, base: Path) -> DuckDbWarehouse:
        """Name the file; touches nothing yet. Raises `ConfigurationError`."""
        path = path_of(url, base)
        if path.name.startswith(":memory:"):
            raise ConfigurationError(
                f"{url!r} is a database in memory, which ends with the command",
                hint="name a file: duckdb:warehouse.duckdb",
            )
        if path.stem.lower() in TAKEN_NAMES:
            raise ConfigurationError(
                f"a warehouse file cannot be called {path.name}: {path.stem} is a schema in it",
                hint="call it warehouse.duckdb, for example",
            )
        return DuckDbWarehouse(path)


ADAPTER = DuckDbWarehouseAdapter()
