"""What can keep the file from being loaded or read; the tables are as they were."""

from gads_domain.errors import HeldElsewhereError, StorageFullError, UnsupportedContractError, UsageError


class WarehouseHeldError(HeldElsewhereError, code="warehouse_held"):
    """Another process has the file open."""

    default_hint = "wait for the load that is under way, or close what has the file open to write; open it read-only"


class WarehouseFullError(StorageFullError, code="warehouse_full"):
    """No space is left where the file is."""

    default_hint = "free space and load again; the tables are as they were before"


class TableTakenError(UsageError, code="table_taken"):
    """The name of a table is in use for something that is not the warehouse's."""

    default_hint = "rename it, or give the warehouse a file of its own"


class SchemaDriftError(UsageError, code="schema_drift"):
    """One schema version of a report came with two schemas."""

    default_hint = "two schemas are authoritative under one version; report it to the team that runs the pipeline"


class DuckDbVersionError(UnsupportedContractError, code="duckdb_version"):
    """The file is in a storage format that the installed DuckDB does not read."""

    default_hint = "install the DuckDB that wrote it; or remove the file, and `Pipeline.load_warehouse` builds it anew"


class NewerWarehouseError(UnsupportedContractError, code="newer_warehouse"):
    """The file was written under a contract that this version does not know."""

    default_hint = "install a newer gads-warehouse-duckdb"
