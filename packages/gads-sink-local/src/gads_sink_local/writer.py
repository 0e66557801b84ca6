"""Writing one partition: bytes under a hidden name, then the payload's name, then the seal."""

from __future__ import annotations

import hashlib
import io
import os
import re
import secrets
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

from gads_domain.errors import AlreadySealedError, ConfigurationError, StorageError
from gads_domain.layout import METADATA_NAME, partition_prefix, payload_name
from gads_domain.metadata import PartitionFacts, PartitionMetadata
from gads_domain.metadata_codec import encode_metadata
from gads_domain.partition_key import PartitionKey
from gads_domain.run import RunId
from gads_sink_local.faults import reported
from gads_sink_local.folders import FolderMaker, trail

PARTIAL_NAME = re.compile(r"\.(payload|metadata)-[0-9a-f]{16}\.partial")
"""The names in a partition's folder that a living writer is busy with, or that a dead one left."""

_BUFFER_BYTES = 256 * 1024
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MAKE_TRIES = 16


class LocalPartitionWriter:
    """`PartitionWriter` of `(key, run_id)` below `root`.

    Up to 256 KiB are held in memory before a file is made, so that a small partition costs one burst of system calls
    at its seal, and an open writer of one costs no descriptor.
    """

    def __init__(self, root: Path, maker: FolderMaker, key: PartitionKey, run_id: RunId) -> None:
        nonce = secrets.token_hex(8)
        self._root = root
        self._maker = maker
        self._key = key
        self._run_id = run_id
        self._segments = partition_prefix(key, run_id).split("/")
        self._payload = payload_name(nonce)
        self._partial_payload = f".payload-{nonce}.partial"
        self._partial_seal = f".metadata-{nonce}.partial"
        self._buffer = bytearray()
        self._file: io.FileIO | None = None
        self._sha256 = hashlib.sha256()
        self._size = 0
        self._touched = False
        self._linking = False
        self._ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()

    def write(self, data: bytes | memoryview) -> int:
        """Append `data`; on any error the whole try is given up and taken away."""
        self._require_open()
        view = memoryview(data).cast("B")
        try:
            self._sha256.update(view)
            self._size += view.nbytes
            if len(self._buffer) + view.nbytes <= _BUFFER_BYTES:
                self._buffer += view
            else:
                with reported(self._doing):
                    self._spill()
                    self._append(view)
        except BaseException:
            self.abort()
            raise
        return view.nbytes

    def finalize(self, facts: PartitionFacts) -> PartitionMetadata:
        """Seal what was written; on any error the try is given up and taken away."""
        self._require_open()
        try:
            metadata = PartitionMetadata(
                self._key, self._run_id, facts, self._payload, self._size, self._sha256.hexdigest()
            )
            seal = encode_metadata(metadata)
            with reported(self._doing):
                self._close_payload()
                self._seal(seal)
        except BaseException:
            self.abort()
            raise
        self._ended = True
        return metadata

    def abort(self) -> None:
        """Give up; what cannot be taken away stays hidden, for a sweep to find by `PARTIAL_NAME`."""
        if self._ended:
            return
        self._ended = True
        self._buffer = bytearray()
        with suppress(OSError):
            if self._file is not None:
                self._file.close()
        if self._touched:
            with suppress(OSError):
                self._remove()

    @property
    def _doing(self) -> str:
        return f"cannot write {self._key} of run {self._run_id}"

    def _require_open(self) -> None:
        if self._ended:
            raise StorageError(f"{self._doing}: the writer has ended", hint="open a new one")

    def _spill(self) -> None:
        if self._file is None:
            self._file = self._create()
        self._append(memoryview(self._buffer))
        self._buffer = bytearray()

    def _create(self) -> io.FileIO:
        self._touched = True
        for tries_left in reversed(range(_MAKE_TRIES)):
            try:
                self._maker.make(self._segments)
                with trail(self._root, self._segments) as folders:
                    return io.FileIO(os.open(self._partial_payload, _CREATE, 0o666, dir_fd=folders[-1]), "wb")
            except FileNotFoundError:
                # Another writer of this run gave up and took the still empty folder away under our feet.
                if not tries_left:
                    raise
        raise AssertionError("unreachable")

    def _append(self, data: memoryview) -> None:
        assert self._file is not None
        while data:
            data = data[self._file.write(data) :]

    def _close_payload(self) -> None:
        self._spill()
        assert self._file is not None
        os.fsync(self._file.fileno())
        self._file.close()

    def _seal(self, seal: bytes) -> None:
        with trail(self._root, self._segments) as folders:
            report, day, run = folders[-3:]
            os.rename(self._partial_payload, self._payload, src_dir_fd=run, dst_dir_fd=run)
            with io.FileIO(os.open(self._partial_seal, _CREATE, 0o666, dir_fd=run), "wb") as file:
                self._file = file
                self._append(memoryview(seal))
                os.fsync(file.fileno())
            # The payload and the way to it are durable before the seal appears: a seal never outlives its payload.
            for folder in (run, day, report):
                os.fsync(folder)
            self._link(run)
            os.fsync(run)
            os.unlink(self._partial_seal, dir_fd=run)

    def _link(self, run: int) -> None:
        self._linking = True
        try:
            os.link(self._partial_seal, METADATA_NAME, src_dir_fd=run, dst_dir_fd=run)
        except FileExistsError:
            # A network file system may have made the link and lost the answer; then the seal there is ours.
            if not self._is_ours(run):
                raise AlreadySealedError(f"{self._key} of run {self._run_id} is sealed") from None
        except (PermissionError, NotImplementedError) as error:
            raise no_hard_links(self._root) from error

    def _is_ours(self, run: int) -> bool:
        try:
            mine = os.stat(self._partial_seal, dir_fd=run, follow_symlinks=False)
            theirs = os.stat(METADATA_NAME, dir_fd=run, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return os.path.samestat(mine, theirs)

    def _remove(self) -> None:
        with trail(self._root, self._segments) as folders:
            day, run = folders[-2:]
            names = [self._partial_payload, self._payload, self._partial_seal]
            # An interrupt can fall between the link and here; a payload under our own seal is not ours to take away.
            if self._linking and self._is_ours(run):
                names.remove(self._payload)
            for name in names:
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=run)
            os.rmdir(self._segments[-1], dir_fd=day)


def no_hard_links(root: Path) -> ConfigurationError:
    """The error of a file system that cannot make the one step that seals."""
    return ConfigurationError(
        f"the file system of {root} has no hard links, and a partition cannot be sealed without",
        hint="point storage.sink at a POSIX file system",
    )
