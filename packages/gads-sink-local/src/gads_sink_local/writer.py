"""Writes partitions and seals them: bytes under hidden names, then the payload's name, then the seal."""

import hashlib
import os
import re
import secrets
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

from gads_domain.errors import AlreadySealedError, ConfigurationError, StorageError
from gads_domain.layout import METADATA_NAME, partition_prefix, payload_name
from gads_domain.metadata import PartitionFacts, PartitionMetadata
from gads_domain.metadata_codec import encode_metadata
from gads_domain.partition_key import PartitionKey
from gads_domain.run import RunId
from gads_sink_local.errors import as_gads_error, reported
from gads_sink_local.folders import FolderMaker, trail

PARTIAL_NAME = re.compile(r"\.(payload|metadata)-[0-9a-f]{16}\.partial")
"""The names in a partition's folder that a writer uses while it works, and leaves if it is killed."""

TOGETHER = 16
"""Partitions that go through the steps of sealing together; each of them holds eight descriptors meanwhile."""

Outcome = PartitionMetadata | Exception
"""The metadata as sealed, or what sealing that partition alone would have raised."""

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
        self._file: int | None = None
        self._seal_file: int | None = None
        self._way = ExitStack()
        self._folders: Sequence[int] = ()
        self._metadata: PartitionMetadata | None = None
        self._sha256 = hashlib.sha256()
        self._size = 0
        self._touched = False
        self._linking = False
        self._ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.abort()

    def write(self, data: bytes | memoryview) -> int:
        """Append `data`; on any error all that was written is removed."""
        self._require_open()
        view = memoryview(data).cast("B")
        try:
            self._sha256.update(view)
            self._size += view.nbytes
            if len(self._buffer) + view.nbytes <= _BUFFER_BYTES:
                self._buffer += view
            else:
                with reported(self.doing):
                    self._spill()
                    assert self._file is not None
                    _append(self._file, view)
        except BaseException:
            self.abort()
            raise
        return view.nbytes

    def finalize(self, facts: PartitionFacts) -> PartitionMetadata:
        """Seal what was written; on any error all of it is removed."""
        (outcome,) = finalize_together([(self, facts)])
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def abort(self) -> None:
        """Give up; what cannot be removed stays hidden, for a sweep to find by `PARTIAL_NAME`."""
        if self._ended:
            return
        self._ended = True
        self._buffer = bytearray()
        with suppress(OSError):
            self._close()
        with suppress(OSError):
            self._way.close()
        if self._touched:
            with suppress(OSError):
                self._remove()

    def prepare(self, facts: PartitionFacts) -> None:
        """The first step of sealing: all bytes are in their files, under hidden names."""
        self._require_open()
        self._metadata = PartitionMetadata(
            self._key, self._run_id, facts, self._payload, self._size, self._sha256.hexdigest()
        )
        seal = encode_metadata(self._metadata)
        if self._file is None:
            self._create()
        else:
            self._folders = self._way.enter_context(trail(self._root, self._segments))
        self._write_out()
        self._seal_file = os.open(self._partial_seal, _CREATE, 0o666, dir_fd=self._folders[-1])
        _append(self._seal_file, memoryview(seal))

    def sync_files(self) -> None:
        """The second step: all bytes are durable."""
        assert self._file is not None
        assert self._seal_file is not None
        os.fsync(self._file)
        os.fsync(self._seal_file)
        self._close()

    def name_payload(self) -> None:
        """The third step: the payload has its name."""
        run = self._folders[-1]
        os.rename(self._partial_payload, self._payload, src_dir_fd=run, dst_dir_fd=run)

    def sync_folders(self, synced: set[str]) -> None:
        """The fourth step: the folders down to the files are durable.

        `synced` has the shared folders that were synced since all partitions of the group have made theirs.
        """
        report, day, run = self._folders[-3:]
        os.fsync(run)
        os.fsync(day)
        shared = "/".join(self._segments[:-2])
        if shared not in synced:
            os.fsync(report)
            synced.add(shared)

    def link(self) -> None:
        """The fifth step: the seal has its name."""
        run = self._folders[-1]
        self._linking = True
        try:
            os.link(self._partial_seal, METADATA_NAME, src_dir_fd=run, dst_dir_fd=run)
        except FileExistsError:
            # A network file system may make the link and lose the answer; then the seal there is ours.
            if not self._is_ours(run):
                raise AlreadySealedError(f"{self._key} of run {self._run_id} is sealed") from None
        except (PermissionError, NotImplementedError) as error:
            raise no_hard_links(self._root) from error

    def sync_link(self) -> None:
        """The sixth step: the seal is durable."""
        os.fsync(self._folders[-1])

    def end(self) -> PartitionMetadata:
        """The last step: nothing hidden is left; returns the metadata as sealed."""
        assert self._metadata is not None
        self._ended = True
        # The partition is sealed whether or not this name can be removed; a sweep finds it.
        with suppress(OSError):
            os.unlink(self._partial_seal, dir_fd=self._folders[-1])
        self._way.close()
        return self._metadata

    @property
    def doing(self) -> str:
        """How an error's message begins."""
        return f"cannot write {self._key} of run {self._run_id}"

    def _require_open(self) -> None:
        if self._ended:
            raise StorageError(f"{self.doing}: the writer has ended", hint="open a new one")

    def _spill(self) -> None:
        if self._file is None:
            self._create()
            self._way.close()
        self._write_out()

    def _write_out(self) -> None:
        assert self._file is not None
        _append(self._file, memoryview(self._buffer))
        self._buffer = bytearray()

    def _create(self) -> None:
        """Create the payload's file, and the folders down to it, which stay open."""
        self._touched = True
        for tries_left in reversed(range(_MAKE_TRIES)):
            try:
                self._folders = self._way.enter_context(self._maker.made(self._segments))
                self._file = os.open(self._partial_payload, _CREATE, 0o666, dir_fd=self._folders[-1])
            except FileNotFoundError:
                # Another writer of this run gave up and removed the folder while it was still empty.
                self._way.close()
                if not tries_left:
                    raise
            else:
                return

    def _close(self) -> None:
        files, self._file, self._seal_file = (self._file, self._seal_file), None, None
        for file in files:
            if file is not None:
                os.close(file)

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
            # An interrupt can fall between the link and here; a payload that our own seal names must stay.
            if self._linking and self._is_ours(run):
                names.remove(self._payload)
            for name in names:
                with suppress(FileNotFoundError):
                    os.unlink(name, dir_fd=run)
            os.rmdir(self._segments[-1], dir_fd=day)


def finalize_together(writers: Sequence[tuple[LocalPartitionWriter, PartitionFacts]]) -> list[Outcome]:
    """Seal what each writer has written; for each, in order, its outcome. A failure costs that partition alone.

    Each step is made for all partitions of a group before the next is made for any. The time goes into waiting for the
    disk: a file system that syncs the first of many new files has most often synced the others with it, and a folder
    that they share has to be synced once.
    """
    outcomes: list[Outcome] = []
    for start in range(0, len(writers), TOGETHER):
        outcomes += _finalized(writers[start : start + TOGETHER])
    return outcomes


def _finalized(group: Sequence[tuple[LocalPartitionWriter, PartitionFacts]]) -> list[Outcome]:
    synced: set[str] = set()
    steps: tuple[Callable[[LocalPartitionWriter, PartitionFacts], object], ...] = (
        lambda writer, facts: writer.prepare(facts),
        lambda writer, _: writer.sync_files(),
        lambda writer, _: writer.name_payload(),
        # The payload and the way to it are durable before the seal appears: a seal never outlives its payload.
        lambda writer, _: writer.sync_folders(synced),
        lambda writer, _: writer.link(),
        lambda writer, _: writer.sync_link(),
    )
    failed: dict[int, Exception] = {}
    try:
        for step in steps:
            for number, (writer, facts) in enumerate(group):
                if number not in failed:
                    try:
                        step(writer, facts)
                    except Exception as error:
                        failed[number] = _failure(error, writer)
                        writer.abort()
        return [failed.get(number) or writer.end() for number, (writer, _) in enumerate(group)]
    except BaseException:
        for writer, _ in group:
            writer.abort()
        raise


def _failure(error: Exception, writer: LocalPartitionWriter) -> Exception:
    if not isinstance(error, OSError):
        return error
    found = as_gads_error(error, writer.doing)
    found.__cause__ = error
    return found


def _append(file: int, data: memoryview) -> None:
    while data:
        data = data[os.write(file, data) :]


def no_hard_links(root: Path) -> ConfigurationError:
    """The error of a file system that cannot make the one step that seals."""
    return ConfigurationError(
        f"the file system of {root} has no hard links, and a partition cannot be sealed without",
        hint="point storage.sink at a POSIX file system",
    )
