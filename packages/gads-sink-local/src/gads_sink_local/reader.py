"""Reading sealed partitions from a folder."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from gads_domain.errors import ConfigurationError, DamagedPartitionError, NotSealedError
from gads_domain.layout import (
    DEPTH,
    METADATA_NAME,
    is_segment,
    key_prefix,
    narrowed_prefix,
    parse_prefix,
    partition_prefix,
    require_payload_name,
    run_in,
)
from gads_domain.partition_key import PartitionKey
from gads_domain.run import RunId
from gads_sink_local.faults import reported
from gads_sink_local.folders import BELOW, at_end, open_end

# What is no regular file is foreign; O_NONBLOCK keeps a pipe of that name from holding the reader up.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_PIECE_BYTES = 16 * 1024
_ABSENT = (FileNotFoundError, NotADirectoryError)


class LocalReader:
    """`RawReader` on the folder `root`; one that is missing reads as empty and is not made.

    Symbolic links below the root are foreign: neither listed nor followed.
    """

    def __init__(self, root: Path) -> None:
        self._root = root

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._root)!r})"

    def runs(self, key: PartitionKey) -> list[RunId]:
        """The sealed runs of `key`, oldest first."""
        with reported(f"cannot list {self._root}"):
            names = self._sealed_names(key_prefix(key).split("/"))
            if not names:
                self._require_folder()
            return [run_in(name) for name in names]

    def sealed(
        self, *, source: str | None = None, customer_id: str | None = None, report: str | None = None
    ) -> Iterator[tuple[PartitionKey, RunId]]:
        """All sealed partitions, in key and run order, narrowed from the left; holds one folder's names a level."""
        return self._below(narrowed_prefix(source, customer_id, report))

    def metadata_bytes(self, key: PartitionKey, run_id: RunId) -> bytes:
        """The bytes of the seal as stored; raises `NotSealedError`."""
        with reported(f"cannot read the seal of {key} in run {run_id}"):
            seal = self._open(partition_prefix(key, run_id), METADATA_NAME)
            if seal is None:
                raise _not_sealed(key, run_id)
            try:
                return _whole(seal)
            finally:
                os.close(seal)

    def open_payload(self, key: PartitionKey, run_id: RunId, payload_name: str) -> BinaryIO:
        """Open a payload of the sealed `(key, run_id)`.

        Raises `InvalidValueError` for a name that no payload has, `NotSealedError`, `DamagedPartitionError` if it is
        not there.
        """
        require_payload_name(payload_name)
        prefix = partition_prefix(key, run_id)
        with reported(f"cannot read the payload of {key} in run {run_id}"):
            try:
                folder = open_end(self._root, prefix.split("/"))
                try:
                    if not _has_seal(folder):
                        raise _not_sealed(key, run_id)
                    payload = _opened(folder, payload_name)
                finally:
                    os.close(folder)
            except OSError as error:
                if _is_foreign(error):
                    raise _not_sealed(key, run_id) from None
                raise
        if payload is None:
            raise DamagedPartitionError(f"{payload_name} of {key} in run {run_id} is missing")
        return open(payload, "rb")  # noqa: PTH123 -- it is a descriptor, not a path

    def _below(self, prefix: str) -> Iterator[tuple[PartitionKey, RunId]]:
        segments = prefix.split("/") if prefix else []
        with reported(f"cannot list {self._root}"):
            self._require_folder()
            for found in self._partitions(segments):
                yield parse_prefix(found)

    def _partitions(self, segments: list[str]) -> Iterator[str]:
        if len(segments) == DEPTH - 1:
            for name in self._sealed_names(segments):
                yield "/".join([*segments, name])
        else:
            for name in self._folders(segments):
                yield from self._partitions([*segments, name])

    def _folders(self, segments: list[str]) -> list[str]:
        try:
            with at_end(self._root, segments) as folder:
                return _names_of_folders(folder, len(segments))
        except OSError as error:
            if _is_foreign(error):
                return []
            raise

    def _sealed_names(self, segments: list[str]) -> list[str]:
        """The runs of a partition that have a seal."""
        try:
            with at_end(self._root, segments) as partition:
                names = _names_of_folders(partition, len(segments))
                return [name for name in names if _is_sealed_below(partition, name)]
        except OSError as error:
            if _is_foreign(error):
                return []
            raise

    def _is_sealed(self, prefix: str) -> bool:
        try:
            with at_end(self._root, prefix.split("/")) as folder:
                return _has_seal(folder)
        except OSError as error:
            if _is_foreign(error):
                return False
            raise

    def _open(self, prefix: str, name: str) -> int | None:
        try:
            folder = open_end(self._root, prefix.split("/"))
            try:
                return _opened(folder, name)
            finally:
                os.close(folder)
        except OSError as error:
            if _is_foreign(error):
                return None
            raise

    def _require_folder(self) -> None:
        if self._root.exists() and not self._root.is_dir():
            raise ConfigurationError(f"{self._root} is not a folder", hint="point storage.sink at a folder")


def _names_of_folders(folder: int, depth: int) -> list[str]:
    """The folders in `folder` that lie `depth` levels below the root and are named as the layout says, in order."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    # The label before each value is the same, so the names sort as the values do.
    return sorted(name for name in names if is_segment(depth, name))


def _is_sealed_below(partition: int, name: str) -> bool:
    try:
        folder = os.open(name, BELOW, dir_fd=partition)
    except OSError as error:
        if _is_foreign(error):
            return False
        raise
    try:
        return _has_seal(folder)
    finally:
        os.close(folder)


def _has_seal(folder: int) -> bool:
    try:
        found = os.stat(METADATA_NAME, dir_fd=folder, follow_symlinks=False)
    except OSError as error:
        if _is_foreign(error):
            return False
        raise
    return stat.S_ISREG(found.st_mode)


def _opened(folder: int, name: str) -> int | None:
    """A descriptor of the regular file `name`; None if there is none."""
    try:
        descriptor = os.open(name, _READ, dir_fd=folder)
    except OSError as error:
        if _is_foreign(error):
            return None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    return descriptor


def _whole(descriptor: int) -> bytes:
    """A small file's bytes."""
    pieces = []
    while piece := os.read(descriptor, _PIECE_BYTES):
        pieces.append(piece)
    return b"".join(pieces)


def _is_foreign(error: OSError) -> bool:
    return isinstance(error, _ABSENT) or error.errno in {errno.ELOOP, errno.ENXIO}


def _not_sealed(key: PartitionKey, run_id: RunId) -> NotSealedError:
    return NotSealedError(f"{key} has no sealed partition of run {run_id}")
