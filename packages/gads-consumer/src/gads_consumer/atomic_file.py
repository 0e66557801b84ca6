"""Files that appear whole or not at all."""

import errno
import fcntl
import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from gads_domain.errors import StorageError, StorageFullError

_NOT_REPLACED = (errno.EBUSY, errno.EXDEV)
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_atomically(
    path: Path,
    write: Callable[[BinaryIO], object],
    before_rename: Callable[[], Callable[[], object] | None] | None = None,
) -> None:
    """Fill a file beside `path` with `write`, make it durable and rename it to `path`, replacing what is there.

    `before_rename` is called when all is on the disk; what it may return is called if the rename fails. If anything
    fails, `path` keeps what it had and nothing is left beside it; raises `StorageError` for failures of the disk.
    """
    if path.is_dir():
        raise StorageError(f"{path} is a folder", hint="name a file")
    building = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        with building.open("xb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        undo = before_rename() if before_rename is not None else None
        try:
            building.replace(path)
        except OSError:
            if undo is not None:
                undo()
            raise
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise storage_error(error, str(path)) from error
    finally:
        with suppress(OSError):
            building.unlink(missing_ok=True)


@contextmanager
def only_writer(path: Path) -> Iterator[None]:
    """Within, no other process that asks for it writes `path`; raises `StorageError` while another does."""
    lock = path.with_name(f".{path.name}.lock")
    try:
        with lock.open("wb") as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # One that ended just now has taken its lock away, and the next one makes a new file.
            if not lock.exists() or not os.path.samestat(os.fstat(held.fileno()), lock.stat()):
                raise BlockingIOError
            try:
                yield
            finally:
                lock.unlink(missing_ok=True)
    except BlockingIOError:
        raise StorageError(f"another process is writing {path}", hint="let it end, or choose another name") from None
    except OSError as error:
        raise storage_error(error, str(path)) from error


def storage_error(error: OSError, what: str) -> StorageError:
    """The disk's failure to store `what` as a `StorageError`."""
    if error.errno in _FULL:
        return StorageFullError(f"no space is left for {what}", hint="free space there, or choose another place")
    if error.errno in _NOT_REPLACED:
        return StorageError(f"{what} is a mount point, which no file can replace", hint="mount its folder instead")
    return StorageError(f"{what} cannot be written: {error.strerror or error}", hint="check the folder")
