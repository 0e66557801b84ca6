"""A sink that keeps all partitions in one SQLite file, as rows of path and content."""

from __future__ import annotations

import hashlib
import io
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

from gads_domain.errors import (
    AlreadySealedError,
    DamagedPartitionError,
    InvalidValueError,
    NotSealedError,
    StorageError,
)
from gads_domain.layout import (
    METADATA_NAME,
    key_prefix,
    narrowed_prefix,
    parse_prefix,
    partition_prefix,
    payload_name,
    require_payload_name,
)
from gads_domain.local_path import path_of
from gads_domain.metadata import PartitionFacts, PartitionMetadata
from gads_domain.metadata_codec import LARGEST_SEAL, encode_metadata
from gads_domain.partition_key import PartitionKey
from gads_domain.run import RunId

TABLE = "CREATE TABLE IF NOT EXISTS files (path TEXT PRIMARY KEY, content BLOB NOT NULL) WITHOUT ROWID"


@contextmanager
def connected(path: Path) -> Iterator[sqlite3.Connection]:
    """A connection for one operation, so that threads may share a sink; SQLite's errors become `StorageError`."""
    try:
        with closing(sqlite3.connect(path, timeout=60, isolation_level=None)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise StorageError(f"{path}: {error}") from error


class PocketReader:
    """Implements `gads_domain.ports.sink.RawReader`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def runs(self, key: PartitionKey) -> list[RunId]:
        """The sealed runs of `key`, oldest first."""
        return sorted(run_id for found, run_id in self._sealed_below(key_prefix(key)) if found == key)

    def sealed(
        self, *, source: str | None = None, customer_id: str | None = None, report: str | None = None
    ) -> Iterator[tuple[PartitionKey, RunId]]:
        """All sealed partitions, in key and run order."""
        return iter(sorted(self._sealed_below(narrowed_prefix(source, customer_id, report))))

    def metadata_bytes(self, key: PartitionKey, run_id: RunId) -> bytes:
        """The bytes of the seal as stored."""
        found = self._content(f"{partition_prefix(key, run_id)}/{METADATA_NAME}")
        if found is None:
            raise NotSealedError(f"{key} of run {run_id} is not sealed")
        return found[: LARGEST_SEAL + 1]

    def open_payload(self, key: PartitionKey, run_id: RunId, payload_name: str) -> BinaryIO:
        """The payload, in memory."""
        require_payload_name(payload_name)
        self.metadata_bytes(key, run_id)
        found = self._content(f"{partition_prefix(key, run_id)}/{payload_name}")
        if found is None:
            raise DamagedPartitionError(f"the payload of {key} of run {run_id} is absent")
        return io.BytesIO(found)

    def _content(self, path: str) -> bytes | None:
        rows = self._select("SELECT content FROM files WHERE path = ?", path)
        return bytes(rows[0][0]) if rows else None

    def _sealed_below(self, prefix: str) -> Iterator[tuple[PartitionKey, RunId]]:
        below = f"{prefix}/" if prefix else ""
        # "0" is the character after "/": the range holds exactly the paths that begin with `below`.
        end = f"{prefix}0" if prefix else "\U0010ffff"
        for (path,) in self._select("SELECT path FROM files WHERE path >= ? AND path < ?", below, end):
            folder, _, name = path.rpartition("/")
            if name == METADATA_NAME:
                try:
                    yield parse_prefix(folder)
                except InvalidValueError:
                    continue  # not a partition's path

    def _select(self, statement: str, *parameters: str) -> list[Any]:
        if not self._path.exists():
            return []  # connecting would create the file
        with connected(self._path) as connection:
            known = connection.execute("SELECT 1 FROM sqlite_schema WHERE name = 'files'").fetchone()
            return connection.execute(statement, parameters).fetchall() if known else []


class PocketSink(PocketReader):
    """Implements `gads_domain.ports.sink.RawSink` and `PrunableSink`."""

    def open_writer(self, key: PartitionKey, run_id: RunId) -> PocketWriter:
        """Begin a payload."""
        if self._content(f"{partition_prefix(key, run_id)}/{METADATA_NAME}") is not None:
            raise AlreadySealedError(f"{key} of run {run_id} is sealed")
        return PocketWriter(self._path, key, run_id)

    def check(self) -> None:
        """Write the table and take it back."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with connected(self._path) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(TABLE)
            connection.execute("ROLLBACK")

    def remove(self, partitions: Sequence[tuple[PartitionKey, RunId]]) -> list[int]:
        """Remove sealed runs, each in one transaction: its payload and its seal go together."""
        return [self._removed(f"{partition_prefix(key, run_id)}/") for key, run_id in partitions]

    def _removed(self, folder: str) -> int:
        if self._content(f"{folder}{METADATA_NAME}") is None:
            return 0
        with connected(self._path) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            gone = connection.execute(
                "DELETE FROM files WHERE path = ?1 || ?2 OR path GLOB ?1 || 'payload-*.parquet' RETURNING content",
                (folder, METADATA_NAME),
            ).fetchall()
        return sum(len(content) for (content,) in gone)


class PocketWriter:
    """Implements `gads_domain.ports.sink.PartitionWriter`; the payload waits in memory for its seal."""

    def __init__(self, path: Path, key: PartitionKey, run_id: RunId) -> None:
        self._path = path
        self._key = key
        self._run_id = run_id
        self._written: bytearray | None = bytearray()

    def write(self, data: bytes | memoryview) -> int:
        """Append `data` to the payload."""
        self._open_payload().extend(data)
        return len(data)

    def finalize(self, facts: PartitionFacts) -> PartitionMetadata:
        """Store payload and seal in one transaction."""
        payload = bytes(self._open_payload())
        name = payload_name(secrets.token_hex(8))
        digest = hashlib.sha256(payload).hexdigest()
        metadata = PartitionMetadata(self._key, self._run_id, facts, name, len(payload), digest)
        folder = partition_prefix(self._key, self._run_id)
        rows = [(f"{folder}/{METADATA_NAME}", encode_metadata(metadata)), (f"{folder}/{name}", payload)]
        self.abort()
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with connected(self._path) as connection:
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(TABLE)
            if connection.execute("SELECT 1 FROM files WHERE path = ?", rows[0][:1]).fetchone():
                raise AlreadySealedError(f"{self._key} of run {self._run_id} is sealed")
            connection.executemany("INSERT INTO files VALUES (?, ?)", rows)
            connection.execute("COMMIT")
        return metadata

    def abort(self) -> None:
        """Forget what was written."""
        self._written = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()

    def _open_payload(self) -> bytearray:
        if self._written is None:
            raise StorageError(f"the writer of {self._key} of run {self._run_id} has ended")
        return self._written


class PocketSinkAdapter:
    """What the entry point `pocket` of `gads.sinks` names."""

    def open_sink(self, url: str, base: Path) -> PocketSink:
        """Open for writing and reading."""
        return PocketSink(path_of(url, base))

    def open_reader(self, url: str, base: Path) -> PocketReader:
        """Open for reading."""
        return PocketReader(path_of(url, base))


ADAPTER = PocketSinkAdapter()
