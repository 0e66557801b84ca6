"""The local path in an adapter's URL; apart from finding adapters, so that a sink need not see the ledger's ports."""

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
