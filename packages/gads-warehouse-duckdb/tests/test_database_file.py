"""The file that DuckDB makes, and files that it is pointed at."""

from __future__ import annotations

import sqlite3
import struct
from pathlib import Path

import pytest

from gads_domain.errors import ConfigurationError
from gads_testing.warehouse_deployment import WarehouseDeployment
from gads_warehouse import WarehouseDamagedError
from gads_warehouse_duckdb.adapter import ADAPTER
from gads_warehouse_duckdb.database_file import DatabaseFile
from gads_warehouse_duckdb.errors import DuckDbVersionError

_OF_DUCKDB_1_0 = 64
"""https://duckdb.org/docs/stable/internals/storage: read by every DuckDB since 1.0."""
_VERSION_AT = 12


def test_a_new_file_is_one_that_every_duckdb_since_1_0_opens(loaded: WarehouseDeployment) -> None:
    loaded.load()
    assert struct.unpack_from("<Q", loaded.path.read_bytes(), _VERSION_AT) == (_OF_DUCKDB_1_0,)
    assert loaded.query("SELECT tags['storage_version'] FROM duckdb_databases() WHERE NOT internal") == [("v1.0.0+",)]


def test_a_file_of_another_storage_version_is_named_as_such(loaded: WarehouseDeployment) -> None:
    head = bytearray(loaded.path.read_bytes())
    was = struct.unpack_from("<3Q", head)
    struct.pack_into("<Q", head, _VERSION_AT, 1000)
    # The checksum of a block is an exclusive or of its words, each multiplied.
    words = (*was[1:], *struct.unpack_from("<2Q", head, 8))
    checksum = was[0]
    for word in words:
        checksum ^= word * 0xBF58476D1CE4E5B9 % 2**64
    struct.pack_into("<Q", head, 0, checksum)
    loaded.path.write_bytes(head)
    with pytest.raises(DuckDbVersionError, match="version number 1000"):
        loaded.load()


def test_a_database_in_memory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="in memory"):
        ADAPTER.open_warehouse("duckdb::memory:", tmp_path)


def test_the_file_of_another_program_is_refused_before_an_extension_is_looked_for(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE t (i)")
    connection.close()
    with pytest.raises(WarehouseDamagedError, match="not a DuckDB file"), DatabaseFile(path).reading():
        pass


def test_no_extension_is_installed_or_loaded_by_a_query(loaded: WarehouseDeployment) -> None:
    settings = "SELECT name, value FROM duckdb_settings() WHERE name LIKE 'auto%known_extensions' ORDER BY 1"
    with ADAPTER.open_warehouse(f"duckdb:{loaded.path}", loaded.path.parent) as warehouse:
        rows = warehouse.query(settings).rows
    assert rows == (("autoinstall_known_extensions", "false"), ("autoload_known_extensions", "false"))
