"""A copy of the file to work on, which takes the file's place: readers who have it open stop no load."""

import errno
import fcntl
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from gads_domain.errors import StorageError
from gads_warehouse_duckdb.errors import WarehouseFullError, WarehouseHeldError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextmanager
def working_copy(path: Path) -> Iterator[Path]:
    """A copy of `path` beside it; it is published in its place if the block ends well, and removed otherwise.

    A process that has `path` open goes on reading what it opened. Until the end none can open it to write, so that no
    change of another program is lost. Raises `WarehouseHeldError` if one writes already, or if another load is under
    way, `WarehouseFullError` without space for the copy, `StorageError` if the folder cannot be written to.
    """
    target = path.resolve()  # a link stays where it is
    working = target.with_name(f"{target.name}.loading")
    log = _log(target)  # of what a killed process has committed and not yet taken into the file
    with ExitStack() as files, _as_storage_errors(working):
        copy = _own(working, path)
        files.callback(os.close, copy)
        try:
            # Opened once the copy is owned: what another load has published until then is in it. Nothing else opens it
            # here: to close any descriptor of a file gives up every lock that the process has on it.
            published = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
            files.callback(os.close, published)
            try:
                fcntl.lockf(published, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except (BlockingIOError, PermissionError):
                raise WarehouseHeldError(f"another process has {path} open to write") from None
            _copy(published, copy)
            if log.exists():
                shutil.copyfile(log, _log(working))
            yield working
            os.fsync(copy)
            log.unlink(missing_ok=True)  # before: beside the new file it would be taken in a second time
            working.replace(target)
        except BaseException:
            for left in (working, _log(working)):
                with suppress(OSError):
                    left.unlink()
            raise
        folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        files.callback(os.close, folder)
        os.fsync(folder)


def _log(file: Path) -> Path:
    return file.with_name(f"{file.name}.wal")


def _own(working: Path, path: Path) -> int:
    """The file to copy into, empty and locked; one that a killed load left is used again."""
    while True:
        copy = os.open(working, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(copy, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Another load may have published this very file in between, or removed it.
            if working.exists() and os.path.samestat(os.fstat(copy), working.stat()):
                os.ftruncate(copy, 0)
                _log(working).unlink(missing_ok=True)
                return copy
        except BlockingIOError:
            os.close(copy)
            raise WarehouseHeldError(f"another process loads {path}") from None
        except BaseException:
            os.close(copy)
            raise
        os.close(copy)


def _copy(source: int, copy: int) -> None:
    """Copy content, mode and, where that is allowed, owner; file systems that can share the blocks."""
    facts = os.fstat(source)
    os.fchmod(copy, stat.S_IMODE(facts.st_mode))
    with suppress(OSError):
        os.fchown(copy, facts.st_uid, facts.st_gid)
    try:
        while os.copy_file_range(source, copy, 1 << 30):
            pass
    except (AttributeError, OSError) as error:
        if getattr(error, "errno", None) in _FULL:
            raise
        os.lseek(source, 0, os.SEEK_SET)
        os.ftruncate(copy, 0)
        os.lseek(copy, 0, os.SEEK_SET)
        with open(source, "rb", closefd=False) as read, open(copy, "wb", closefd=False) as written:
            shutil.copyfileobj(read, written, 1 << 20)


@contextmanager
def _as_storage_errors(working: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise WarehouseFullError(
                f"no space is left for {working}", hint="a load needs space for a copy of the warehouse beside it"
            ) from error
        hint = "a load works on a copy beside the warehouse, so the folder has to be writable"
        raise StorageError(f"cannot load by way of {working}: {error.strerror}", hint=hint) from error
