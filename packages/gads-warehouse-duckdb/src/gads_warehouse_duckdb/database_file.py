"""The file: opened as briefly and with as little right as the call needs, with DuckDB's errors translated."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import duckdb

from gads_domain.errors import ConfigurationError, GadsError, StorageError
from gads_warehouse import WarehouseDamagedError
from gads_warehouse_duckdb.errors import DuckDbVersionError, WarehouseFullError, WarehouseHeldError
from gads_warehouse_duckdb.working_copy import working_copy

STORAGE_VERSION = "v1.0.0"
"""The oldest DuckDB that opens a new file. By default a file is for the DuckDB that makes it, and for newer ones."""

_MAGIC_AT, _MAGIC = 8, b"DUCK"
_FULL = ("No space left", "File too large", "Disk quota exceeded")


class DatabaseFile:
    """One DuckDB file. It is closed between the calls, so that other processes can open it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def reading(self) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection that cannot write, at one moment of the database from its first query to its end."""
        with self.translated(), self._connected(self.path, read_only=True) as connection:
            connection.execute("BEGIN TRANSACTION READ ONLY")
            yield connection

    @contextmanager
    def writing(self, *, aside: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection in a transaction that is committed if the block ends well, and rolled back otherwise.

        With `aside` it is to a copy that takes the file's place at the end, so that the file can be opened to read all
        the while; without, to the file itself if no process has it open.
        """
        with self.translated(), ExitStack() as opened:
            if not self.path.parent.is_dir():
                raise ConfigurationError(f"there is no folder {self.path.parent}", hint="make it, or name another file")
            if not self.path.exists():
                duckdb.connect(str(self.path), config={"storage_compatibility_version": STORAGE_VERSION}).close()
                aside = False
            place = opened.enter_context(working_copy(self.path)) if aside else self.path
            try:
                connection = opened.enter_context(self._connected(place, read_only=False))
            except duckdb.IOException as error:
                if aside or not _is_held(error):
                    raise
                place = opened.enter_context(working_copy(self.path))
                connection = opened.enter_context(self._connected(place, read_only=False))
            connection.execute("BEGIN TRANSACTION")
            try:
                yield connection
            except BaseException:
                # Or the transaction is gone with what failed; nothing of it is committed either way.
                with suppress(duckdb.Error):
                    connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")
            connection.execute("CHECKPOINT")

    @contextmanager
    def translated(self) -> Iterator[None]:
        """DuckDB's errors as those of the port."""
        try:
            yield
        except duckdb.Error as error:
            ours = self._translation(error)
            if ours is None:
                raise
            raise ours from error

    @contextmanager
    def _connected(self, path: Path, *, read_only: bool) -> Iterator[duckdb.DuckDBPyConnection]:
        self._require_duckdb()
        try:
            connection = duckdb.connect(str(path), read_only=read_only)
        except duckdb.ConnectionException:
            # This process has the file open already, and DuckDB wants all of its connections alike: ask for the other
            # kind. For one that may not write and has to, the first statement fails.
            connection = duckdb.connect(str(path), read_only=not read_only)
        try:
            never_download(connection)
            yield connection
        finally:
            connection.close()

    def _require_duckdb(self) -> None:
        """Refuse another program's file, for which DuckDB would look for an extension, and download it."""
        if self.path.exists() and not self.path.is_file():
            raise WarehouseDamagedError(f"{self.path} is not a regular file")
        with suppress(OSError), self.path.open("rb") as file:
            head = file.read(_MAGIC_AT + len(_MAGIC))
            if head and head[_MAGIC_AT:] != _MAGIC:
                raise WarehouseDamagedError(f"{self.path} is not a DuckDB file")

    def _translation(self, error: duckdb.Error) -> GadsError | None:
        text = str(error).splitlines()[0]
        if _is_held(error):
            return WarehouseHeldError(f"another process has {self.path} open")
        if "read-only mode" in text and "database does not exist" not in text:
            return WarehouseHeldError(f"this process has {self.path} open read-only")
        if any(sign in str(error) for sign in _FULL):
            return WarehouseFullError(f"no space is left for {self.path}")
        if isinstance(error, duckdb.OutOfMemoryException):
            return WarehouseFullError(
                f"neither memory nor space for temporary files is left to load {self.path}",
                hint="free some and load again; the tables are as they were before",
            )
        if "version number" in text:
            return DuckDbVersionError(f"{self.path} is of a DuckDB that {duckdb.__version__} cannot read: {text}")
        if "not a valid DuckDB database file" in text or isinstance(
            error,
            duckdb.SerializationException | duckdb.FatalException | duckdb.CatalogException | duckdb.BinderException,
        ):
            return WarehouseDamagedError(f"{self.path} is not a warehouse that can be read: {text}")
        if isinstance(error, duckdb.TransactionException) and "onflict" in text:
            return WarehouseHeldError(f"another thread of this process wrote to {self.path} meanwhile")
        if isinstance(error, duckdb.IOException):
            return StorageError(f"{self.path}: {text}", hint="check warehouse.url and the disk that it is on")
        return None


def _is_held(error: duckdb.Error) -> bool:
    return "Could not set lock" in str(error) or "being used by another process" in str(error)


def never_download(connection: duckdb.DuckDBPyConnection) -> None:
    """Have the database neither install nor load an extension that a query happens to need."""
    connection.execute("SET autoinstall_known_extensions = false")
    connection.execute("SET autoload_known_extensions = false")
