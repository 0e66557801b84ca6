"""The operating system's refusals as errors of the domain."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from gads_domain.errors import ConfigurationError, GadsError, StorageError, StorageFullError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_DENIED = {errno.EROFS, errno.EACCES, errno.EPERM}
_NO_FOLDER = {errno.ENOTDIR, errno.ELOOP}
_NO_DESCRIPTOR = {errno.EMFILE, errno.ENFILE}


@contextmanager
def reported(doing: str) -> Iterator[None]:
    """Raise any `OSError` of the block as a `GadsError` that begins with `doing`."""
    try:
        yield
    except OSError as error:
        raise as_gads_error(error, doing) from error


def as_gads_error(error: OSError, doing: str) -> GadsError:
    """The domain's error for `error`: full, denied, or another failure of the storage."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    message = f"{doing}: {reason}"
    if error.errno in _FULL:
        return StorageFullError(message)
    if error.errno in _DENIED:
        return ConfigurationError(
            message, hint="give this user the right to the folder, or point storage.sink at another one"
        )
    if error.errno in _NO_FOLDER:
        return ConfigurationError(
            message, hint="the sink's root is a folder, and below it are real folders alone, never symbolic links"
        )
    if error.errno in _NO_DESCRIPTOR:
        return StorageError(message, hint="raise the limit of open files (ulimit -n)")
    return StorageError(message)
