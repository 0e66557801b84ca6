"""Writes partitions and seals them: a folder is filled under a hidden name, and gets its name when it is durable."""

import errno
import hashlib
import os
import re
import secrets
import stat
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Self

from gads_domain.errors import AlreadySealedError, StorageError
from gads_domain.layout import METADATA_NAME, partition_prefix, payload_name
from gads_domain.metadata import PartitionFacts, PartitionMetadata
from gads_domain.metadata_codec import encode_metadata
from gads_domain.partition_key import PartitionKey
from gads_domain.run import RunId
from gads_sink_local.errors import as_gads_error, reported
from gads_sink_local.folders import BELOW, FolderMaker, make, open_folder

PARTIAL_FOLDER = re.compile(r"\.run-[0-9a-f]{16}\.(partial|swept)")
"""The folders beside the runs of a day that a writer fills, and leaves if it is killed."""

TOGETHER = 16
"""Partitions that go through the steps of sealing together; each of them holds three descriptors meanwhile."""

Outcome = PartitionMetadata | Exception
"""The metadata as sealed, or what sealing that partition alone would have raised."""

_BUFFER_BYTES = 256 * 1024
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_CREATE_SYNCED = _CREATE | os.O_SYNC
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
        *shared, self._day_name, self._run_name = partition_prefix(key, run_id).split("/")
        self.shared = tuple(shared)
        self._payload = payload_name(nonce)
        self._hidden_name = f".run-{nonce}.partial"
        self._buffer = bytearray()
        self._file: int | None = None
        self._way = ExitStack()
        self._day = self._folder = -1
        self._metadata: PartitionMetadata | None = None
        self._seal = b""
        self._sha256 = hashlib.sha256()
        self._size = 0
        self._touched = False
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
        """Give up; what cannot be removed stays hidden, for a sweep to find by `PARTIAL_FOLDER`."""
        if self._ended:
            return
        self._ended = True
        self._buffer = bytearray()
        with suppress(OSError):
            self._close()
        if self._touched:
            with suppress(OSError):
                self._remove()

    def prepare(self, facts: PartitionFacts, shared: "_SharedFolders") -> None:
        """The first step of sealing: the payload is in its file, in a folder under a hidden name."""
        self._require_open()
        self._metadata = PartitionMetadata(
            self._key, self._run_id, facts, self._payload, self._size, self._sha256.hexdigest()
        )
        self._seal = encode_metadata(self._metadata)
        if self._file is None:
            self._create(shared.of(self))
        else:
            self._day = self._opened(self._day_name, shared.of(self))
            self._folder = self._opened(self._hidden_name, self._day)
        self._write_out()

    def sync_files(self) -> None:
        """The second step: the payload is durable, then the seal beside it, and both have their names."""
        assert self._file is not None
        os.fsync(self._file)
        seal = os.open(METADATA_NAME, _CREATE_SYNCED, 0o666, dir_fd=self._folder)
        try:
            _append(seal, memoryview(self._seal))
        finally:
            os.close(seal)
        os.fsync(self._folder)

    def give_name(self) -> None:
        """The third step, which seals: the folder has its name. It has a whole partition or does not exist."""
        try:
            os.rename(self._hidden_name, self._run_name, src_dir_fd=self._day, dst_dir_fd=self._day)
        except OSError as error:
            # A network file system may rename and lose the answer; then the folder there is ours.
            if self._has_name():
                return
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            self._move_in()

    def _move_in(self) -> None:
        """Seal in a run's folder that has foreign files: first the payload, then the seal, by one exclusive step."""
        hidden, run = self._folder, self._opened(self._run_name, self._day)
        try:
            if not _is_file(METADATA_NAME, run):
                os.rename(self._payload, self._payload, src_dir_fd=hidden, dst_dir_fd=run)
                os.fsync(run)
            os.link(METADATA_NAME, METADATA_NAME, src_dir_fd=hidden, dst_dir_fd=run)
        except FileExistsError:
            if not self._is_ours(run):
                with suppress(FileNotFoundError):
                    os.unlink(self._payload, dir_fd=run)
                raise AlreadySealedError(f"{self._key} of run {self._run_id} is sealed") from None
        os.fsync(run)
        with suppress(OSError):
            self._remove()

    def sync_name(self, shared: "_SharedFolders") -> None:
        """The fourth step: the name is durable, and the way to it."""
        os.fsync(self._day)
        shared.sync(self)

    def end(self) -> PartitionMetadata:
        """Return the metadata as sealed."""
        assert self._metadata is not None
        self._ended = True
        self._close()
        return self._metadata

    def open_shared(self) -> int:
        """A descriptor of the folder of the day's report, durable, to be closed."""
        return self._maker.open(self.shared)

    @property
    def doing(self) -> str:
        """How an error's message begins."""
        return f"cannot write {self._key} of run {self._run_id}"

    def _require_open(self) -> None:
        if self._ended:
            raise StorageError(f"{self.doing}: the writer has ended", hint="open a new one")

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            self._way.callback(os.close, file)
        self._way.close()

    def _spill(self) -> None:
        if self._file is None:
            shared = self.open_shared()
            try:
                self._create(shared)
            finally:
                os.close(shared)
            self._way.close()  # while the rest is written, the payload alone stays open
        self._write_out()

    def _write_out(self) -> None:
        assert self._file is not None
        _append(self._file, memoryview(self._buffer))
        self._buffer = bytearray()

    def _create(self, shared: int) -> None:
        """Create the payload's file in a folder of its own; folders and file stay open."""
        self._touched = True
        for tries_left in reversed(range(_MAKE_TRIES)):
            try:
                make(self._day_name, shared)
                self._day = self._opened(self._day_name, shared)
                os.mkdir(self._hidden_name, dir_fd=self._day)
            except FileNotFoundError:
                # The day was empty and has just been removed, after its last run.
                self._way.close()
                if not tries_left:
                    raise
            else:
                break
        self._folder = self._opened(self._hidden_name, self._day)
        self._file = os.open(self._payload, _CREATE, 0o666, dir_fd=self._folder)

    def _opened(self, name: str, parent: int) -> int:
        """A descriptor of the folder `name`, closed with the others."""
        descriptor = os.open(name, BELOW, dir_fd=parent)
        self._way.callback(os.close, descriptor)
        return descriptor

    def _has_name(self) -> bool:
        with suppress(OSError):
            named = os.stat(self._run_name, dir_fd=self._day, follow_symlinks=False)
            return os.path.samestat(named, os.fstat(self._folder))
        return False

    def _is_ours(self, run: int) -> bool:
        ours = os.stat(METADATA_NAME, dir_fd=self._folder, follow_symlinks=False)
        return os.path.samestat(ours, os.stat(METADATA_NAME, dir_fd=run, follow_symlinks=False))

    def _remove(self) -> None:
        """Remove what has no name yet; what has one is sealed."""
        day = open_folder(self._root, [*self.shared, self._day_name])
        try:
            for name in (self._payload, METADATA_NAME):
                with suppress(FileNotFoundError):
                    os.unlink(f"{self._hidden_name}/{name}", dir_fd=day)
            os.rmdir(self._hidden_name, dir_fd=day)
        finally:
            os.close(day)


class _SharedFolders:
    """The folders that the days of a group lie in, each opened once and synced once."""

    def __init__(self) -> None:
        self._folders: dict[tuple[str, ...], int] = {}
        self._synced: set[tuple[str, ...]] = set()

    def of(self, writer: LocalPartitionWriter) -> int:
        if writer.shared not in self._folders:
            self._folders[writer.shared] = writer.open_shared()
        return self._folders[writer.shared]

    def sync(self, writer: LocalPartitionWriter) -> None:
        """Make the days' own names durable; all partitions of the group have made theirs by now."""
        if writer.shared not in self._synced:
            os.fsync(self.of(writer))
            self._synced.add(writer.shared)

    def close(self) -> None:
        for folder in self._folders.values():
            os.close(folder)


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
    shared = _SharedFolders()
    steps: tuple[Callable[[LocalPartitionWriter, PartitionFacts], object], ...] = (
        lambda writer, facts: writer.prepare(facts, shared),
        # Payload, seal and their names are durable before the folder has its name: no part of it is ever seen.
        lambda writer, _: writer.sync_files(),
        lambda writer, _: writer.give_name(),
        lambda writer, _: writer.sync_name(shared),
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
    finally:
        shared.close()


def _failure(error: Exception, writer: LocalPartitionWriter) -> Exception:
    if not isinstance(error, OSError):
        return error
    found = as_gads_error(error, writer.doing)
    found.__cause__ = error
    return found


def _is_file(name: str, folder: int) -> bool:
    try:
        return stat.S_ISREG(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def _append(file: int, data: memoryview) -> None:
    while data:
        data = data[os.write(file, data) :]
