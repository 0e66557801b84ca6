"""Reads sealed partitions from a folder."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from gads_domain.errors import ConfigurationError, DamagedPartitionError, NotSealedError
from gads_domain.layout import (
    DEPTH,
    METADATA_NAME,
    key_prefix,
    narrowed_prefix,
    parse_prefix,
    partition_prefix,
    require_payload_name,
    run_in,
)
from gads_domain.metadata_codec import LARGEST_SEAL
from gads_domain.partition_key import PartitionKey
from gads_domain.run import RunId
from gads_sink_local.errors import reported
from gads_sink_local.folders import found_in, has_file, is_absent, names_of_folders, open_file, walk


class LocalReader:
    """`RawReader` on the folder `root`; one that is missing reads as empty and is not made.

    Symbolic links below the root are neither listed nor followed.
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
            seal = open_file(self._root, partition_prefix(key, run_id).split("/"), METADATA_NAME)
            if seal is None:
                raise _not_sealed(key, run_id)
            with open(seal, "rb", buffering=0) as file:  # noqa: PTH123 -- it is a descriptor, not a path
                # By its size: a buffer for the longest costs more than reading the seal.
                return file.read(min(os.fstat(seal).st_size, LARGEST_SEAL) + 1)

    def open_payload(self, key: PartitionKey, run_id: RunId, payload_name: str) -> BinaryIO:
        """Open a payload of the sealed `(key, run_id)`.

        Raises `InvalidValueError` for a name that no payload has, `NotSealedError`, `DamagedPartitionError` if it is
        not there.
        """
        require_payload_name(payload_name)
        way = partition_prefix(key, run_id).split("/")
        with reported(f"cannot read the payload of {key} in run {run_id}"):
            if not has_file(self._root, way, METADATA_NAME):
                raise _not_sealed(key, run_id)
            payload = open_file(self._root, way, payload_name)
        if payload is None:
            raise DamagedPartitionError(f"{payload_name} of {key} in run {run_id} is missing")
        return open(payload, "rb")  # noqa: PTH123 -- it is a descriptor, not a path

    def address(self, key: PartitionKey, run_id: RunId, payload_name: str) -> str:
        """The absolute path of a payload; raises `InvalidValueError`."""
        return str(self._root.absolute() / partition_prefix(key, run_id) / require_payload_name(payload_name))

    def _below(self, prefix: str) -> Iterator[tuple[PartitionKey, RunId]]:
        with reported(f"cannot list {self._root}"):
            self._require_folder()
            for segments in walk(self._root, prefix.split("/") if prefix else [], DEPTH - 1):
                for name in self._sealed_names(segments):
                    yield parse_prefix("/".join([*segments, name]))

    def _sealed_names(self, segments: list[str]) -> list[str]:
        """The runs of a partition that have a seal."""

        def look(partition: int) -> list[str]:
            return [name for name in names_of_folders(partition, len(segments)) if _is_sealed_below(partition, name)]

        return found_in(self._root, segments, look, [])

    def _require_folder(self) -> None:
        if self._root.exists() and not self._root.is_dir():
            raise ConfigurationError(f"{self._root} is not a folder", hint="point storage.sink at a folder")


def _is_sealed_below(partition: int, name: str) -> bool:
    try:
        # That the run is a folder and no link to one is known from the listing.
        found = os.stat(f"{name}/{METADATA_NAME}", dir_fd=partition, follow_symlinks=False)
    except OSError as error:
        if is_absent(error):
            return False
        raise
    return stat.S_ISREG(found.st_mode)


def _not_sealed(key: PartitionKey, run_id: RunId) -> NotSealedError:
    return NotSealedError(f"{key} has no sealed partition of run {run_id}")
