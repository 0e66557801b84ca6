"""Local paths: of an adapter's URL, and of a file that a user names."""

import errno
import os
import stat
from pathlib import Path

from gads_domain.errors import ConfigurationError


def path_of(url: str, base: Path) -> Path:
    """The local path of `scheme:relative`, `scheme:/absolute` or `scheme:///absolute`; raises `ConfigurationError`."""
    rest = url.split(":", 1)[1]
    if rest.startswith("//"):
        host, slash, tail = rest[2:].partition("/")
        if host or not slash:
            raise ConfigurationError(
                f"{url!r} names a host", hint="a local path is written scheme:relative/path or scheme:/absolute/path"
            )
        rest = "/" + tail
    if not rest or "\0" in rest:
        raise ConfigurationError(
            f"{url!r} has no path", hint="write it as scheme:relative/path or scheme:/absolute/path"
        )
    try:
        return base / Path(rest).expanduser()
    except RuntimeError:
        raise ConfigurationError(f"{url!r} names the home of a user that is not known") from None


def read_file(path: Path, most_bytes: int = 1 << 20) -> bytes:
    """The content of a regular file of up to `most_bytes`; raises `OSError` for a longer one, and for all else.

    A pipe or a device of that name keeps no reader waiting.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
        data = file.read(most_bytes + 1)
    if len(data) > most_bytes:
        raise OSError(errno.EFBIG, f"it is longer than {most_bytes:,} bytes", str(path))
    return data
