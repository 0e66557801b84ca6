"""Files that appear whole or not at all."""

import errno
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from gads_domain.errors import StorageError, StorageFullError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def write_atomically(
    path: Path, write: Callable[[BinaryIO], object], before_rename: Callable[[], object] | None = None
) -> None:
    """Fill a file beside `path` with `write`, make it durable and rename it to `path`, replacing what is there.

    `before_rename` is called when all is on the disk. If anything fails, `path` keeps what it had and nothing is left
    beside it; raises `StorageError` for failures of the disk.
    """
    if path.is_dir():
        raise StorageError(f"{path} is a folder", hint="name a file")
    building = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        with building.open("xb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        if before_rename is not None:
            before_rename()
        building.replace(path)
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


def storage_error(error: OSError, what: str) -> StorageError:
    """The disk's failure to store `what` as a `StorageError`."""
    if error.errno in _FULL:
        return StorageFullError(f"no space is left for {what}", hint="free space there, or choose another place")
    return StorageError(f"{what} cannot be written: {error.strerror or error}", hint="check the folder")
