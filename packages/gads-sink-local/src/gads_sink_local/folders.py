"""Folders below a root, reached one by one through descriptors, so that no symbolic link is ever followed.

The root itself may be reached through links; that is the operator's choice.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

_ROOT = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
BELOW = _ROOT | os.O_NOFOLLOW
"""How a folder below the root is opened: never through a symbolic link."""


@contextmanager
def trail(root: Path, segments: Sequence[str]) -> Iterator[list[int]]:
    """Descriptors of `root` and of each folder on the way down; raises `OSError` where the way ends."""
    folders = [os.open(root, _ROOT)]
    try:
        for segment in segments:
            folders.append(os.open(segment, BELOW, dir_fd=folders[-1]))
        yield folders
    finally:
        for folder in folders:
            os.close(folder)


def open_end(root: Path, segments: Sequence[str]) -> int:
    """A descriptor of the last folder on the way down, to be closed; raises `OSError` where the way ends."""
    folder = os.open(root, _ROOT)
    for segment in segments:
        try:
            below = os.open(segment, BELOW, dir_fd=folder)
        finally:
            os.close(folder)
        folder = below
    return folder


@contextmanager
def at_end(root: Path, segments: Sequence[str]) -> Iterator[int]:
    """The same, closed at the end of the block."""
    folder = open_end(root, segments)
    try:
        yield folder
    finally:
        os.close(folder)


def sync_folder(path: Path) -> None:
    """Make the names in `path` durable."""
    folder = os.open(path, _ROOT)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def make_root(root: Path) -> list[Path]:
    """Make `root` and what is missing above it, durably; return what was made, outermost first."""
    made: list[Path] = []
    for folder in reversed([root, *root.parents]):
        if folder.is_dir():
            continue
        try:
            folder.mkdir()
            made.append(folder)
        except FileExistsError:
            if not folder.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(folder)) from None
        sync_folder(folder.parent)
    return made


class FolderMaker:
    """Makes partitions' folders below `root`, and remembers which are known to be durable.

    That a folder exists is no proof that it is durable: another process may have made it and not yet synced its
    parent. So the first use in this process syncs, and later ones do not. The memory covers the folders that many
    partitions share (`shared` levels below the root); those of one partition alone are synced when it is sealed.
    """

    def __init__(self, root: Path, shared: int) -> None:
        self._root = root
        self._shared = shared
        self._durable: set[str] = set()

    @contextmanager
    def made(self, segments: Sequence[str]) -> Iterator[list[int]]:
        """Descriptors as of `trail`, of folders that are made where they are missing; raises `OSError`."""
        folders = [self._open_root()]
        try:
            for depth, segment in enumerate(segments):
                if depth < self._shared:
                    folder = self._shared_folder(folders[-1], segments[: depth + 1])
                else:
                    # Most often it is not there yet: of one partition's folders nobody has need before its writer.
                    _make(segment, folders[-1])
                    folder = os.open(segment, BELOW, dir_fd=folders[-1])
                folders.append(folder)
            yield folders
        finally:
            for folder in folders:
                os.close(folder)

    def _shared_folder(self, parent: int, segments: Sequence[str]) -> int:
        """Open the last of `segments`, which lies in `parent`; made if it is missing, and durable."""
        name, path = segments[-1], "/".join(segments)
        made = False
        try:
            folder = os.open(name, BELOW, dir_fd=parent)
        except FileNotFoundError:
            made = _make(name, parent)
            folder = os.open(name, BELOW, dir_fd=parent)
        if made or path not in self._durable:
            try:
                os.fsync(parent)
            except OSError:
                os.close(folder)
                raise
            self._durable.add(path)
        return folder

    def _open_root(self) -> int:
        if "" in self._durable:
            with suppress(FileNotFoundError):
                return os.open(self._root, _ROOT)
        make_root(self._root)
        # Where the parent may not be opened, the root was made by somebody with more rights, long before.
        with suppress(PermissionError):
            sync_folder(self._root.parent)
        self._durable.add("")
        return os.open(self._root, _ROOT)


def _make(name: str, parent: int) -> bool:
    try:
        os.mkdir(name, dir_fd=parent)
    except FileExistsError:
        return False
    return True
