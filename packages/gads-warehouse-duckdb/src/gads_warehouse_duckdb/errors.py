"""What can keep the file from being loaded or read; the tables are as they were."""

from __future__ import annotations

from gads_domain.errors import HeldElsewhereError, StorageFullError, UnsupportedContractError, UsageError


class WarehouseHeldError(HeldElsewhereError):
    """Another process has the file open."""

    code = "warehouse_held"
    default_hint = "close what has it open, or read a copy of the file; DuckDB lets one process write, or several read"


class WarehouseFullError(StorageFullError):
    """No space is left where the file is."""

    code = "warehouse_full"
    default_hint = "free space and load again; the tables are as they were before"


class TableTakenError(UsageError):
    """The name of a table is in use for something that is not the warehouse's."""

    code = "table_taken"
    default_hint = "rename it, or give the warehouse a file of its own"


class SchemaDriftError(UsageError):
    """One schema version of a report came with two schemas."""

    code = "schema_drift"
    default_hint = "two schemas are authoritative under one version; report it to the team that runs the pipeline"


class NewerWarehouseError(UnsupportedContractError):
    """The file was written under a contract that this version does not know."""

    code = "newer_warehouse"
    default_hint = "install a newer gads-warehouse-duckdb"
