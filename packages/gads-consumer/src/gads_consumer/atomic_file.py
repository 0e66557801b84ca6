"""Writing a file so that its name never shows half of it."""

from __future__ import annotations

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
    path: Path, write: Callable[[BinaryIO], object], announce: Callable[[], object] | None = None
) -> None:
    """Let `write` fill a file beside `path`, make it durable and give it the name, replacing what had it.

    `announce` is called in between, when all is on the disk and nothing but the name is left to give. Whatever fails,
    the name keeps what it had and nothing is left beside it; raises `StorageError` for the disk's failures.
    """
    if path.is_dir():
        raise StorageError(f"{path} is a folder", hint="name a file")
    building = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        with building.open("xb") as stream:
            write(stream)
            stream.flush()
            os.fsync(stream.fileno())
        if announce is not None:
            announce()
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
    """The disk's failure to take `what`, in our words."""
    if error.errno in _FULL:
        return StorageFullError(f"no space is left for {what}", hint="free space there, or choose another place")
    return StorageError(f"{what} cannot be written: {error.strerror or error}", hint="check the folder")
