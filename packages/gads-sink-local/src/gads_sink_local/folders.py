"""Folders and files below a root, which no symbolic link leads to.

A writer reaches its folders one by one through descriptors. A reader opens by the path, one call in place of six, and
then makes sure that each folder on the way is a real one. The root itself may be reached through links; that is the
operator's choice.
"""

import errno
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from gads_domain.layout import is_segment

_T = TypeVar("_T")
_U = TypeVar("_U")
_ROOT = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
BELOW = _ROOT | os.O_NOFOLLOW
"""How a folder below the root is opened: never through a symbolic link."""

READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
"""How a file is opened; without O_NONBLOCK a pipe of that name would block."""


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


def open_folder(root: Path, segments: Sequence[str]) -> int:
    """A descriptor of the last folder on the way down, to be closed; raises `OSError` where the way ends."""
    if not segments:
        return os.open(root, _ROOT)
    folder = os.open(_path(root, segments), BELOW)
    return _reached(folder, root, segments[:-1])


def open_file(root: Path, segments: Sequence[str], name: str) -> int | None:
    """A descriptor of the regular file `name` in the last folder on the way down; None if there is none."""
    try:
        file = _reached(os.open(_path(root, [*segments, name]), READ), root, segments)
    except OSError as error:
        if is_absent(error):
            return None
        raise
    if stat.S_ISREG(os.fstat(file).st_mode):
        return file
    os.close(file)
    return None


def has_file(root: Path, segments: Sequence[str], name: str) -> bool:
    """Whether the regular file `name` is in the last folder on the way down."""
    try:
        found = os.lstat(_path(root, [*segments, name]))
        _require_real(root, segments)
    except OSError as error:
        if is_absent(error):
            return False
        raise
    return stat.S_ISREG(found.st_mode)


def _reached(descriptor: int, root: Path, segments: Sequence[str]) -> int:
    try:
        _require_real(root, segments)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _require_real(root: Path, segments: Sequence[str]) -> None:
    """Raise `OSError` where a folder on the way down is none, or a link to one."""
    path = str(root)
    for segment in segments:
        path = f"{path}/{segment}"
        if not stat.S_ISDIR(os.lstat(path).st_mode):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)


def _path(root: Path, segments: Sequence[str]) -> str:
    return "/".join([str(root), *segments])


def is_absent(error: OSError) -> bool:
    """Whether the name is not there, or is of something that a sink never makes, such as a symbolic link."""
    return error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.ENXIO}


def found_in(root: Path, segments: Sequence[str], look: Callable[[int], _T], absent: _U) -> _T | _U:
    """What `look` finds in the last folder on the way down; `absent` where the way or what it looks for ends."""
    try:
        folder = open_folder(root, segments)
        try:
            return look(folder)
        finally:
            os.close(folder)
    except OSError as error:
        if is_absent(error):
            return absent
        raise


def names_of_folders(folder: int, depth: int) -> list[str]:
    """The folders in `folder`, `depth` levels below the root, that are named as the layout says, in order."""
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    # The label before each value is the same, so the names sort as the values do.
    return sorted(name for name in names if is_segment(depth, name))


def walk(root: Path, segments: list[str], depth: int) -> Iterator[list[str]]:
    """The ways from `root` to all folders `depth` levels below it, in order, that begin with `segments`."""
    if len(segments) == depth:
        yield segments
        return
    for name in found_in(root, segments, lambda folder: names_of_folders(folder, len(segments)), ()):
        yield from walk(root, [*segments, name], depth)


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
    """Makes the folders below `root` that many partitions share, and remembers which are known to be durable.

    An existing folder need not be durable: another process may have made it and not yet synced its parent. So the
    first use in this process syncs, and later ones do not.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._durable: set[str] = set()

    def open(self, segments: Sequence[str]) -> int:
        """A descriptor of the last folder on the way down, to be closed; all are made where they are missing."""
        folder = self._open_root()
        for depth in range(len(segments)):
            try:
                below = self._opened(folder, segments[: depth + 1])
            finally:
                os.close(folder)
            folder = below
        return folder

    def _opened(self, parent: int, segments: Sequence[str]) -> int:
        """Open the last of `segments`, which lies in `parent`; made if it is missing, and durable."""
        name, path = segments[-1], "/".join(segments)
        made = False
        try:
            folder = os.open(name, BELOW, dir_fd=parent)
        except FileNotFoundError:
            made = make(name, parent)
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
        # Where the parent may not be opened, a user with more rights made the root, long before.
        with suppress(PermissionError):
            sync_folder(self._root.parent)
        self._durable.add("")
        return os.open(self._root, _ROOT)


def make(name: str, parent: int) -> bool:
    """Make a folder unless it is there; whether it was made."""
    try:
        os.mkdir(name, dir_fd=parent)
    except FileExistsError:
        return False
    return True
