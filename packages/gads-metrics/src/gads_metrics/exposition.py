"""The metrics as text: over HTTP in the format that a scraper asks for, or in a file for node_exporter."""

import errno
import os
from collections.abc import Iterable
from pathlib import Path

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder, generate_latest
from prometheus_client.registry import Collector

_READABLE = 0o644


class Exposition:
    """What the `collectors` have to say, in one text; series of two collectors never share a name."""

    def __init__(self, collectors: Iterable[Collector]) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        for collector in collectors:
            self._registry.register(collector)

    def encoded(self, accept: str) -> tuple[bytes, str]:
        """The text in the best format of an `Accept` header, OpenMetrics or Prometheus' own, and its content type."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type

    def write(self, file: Path) -> None:
        """Replace `file`, which others may read, with the text that node_exporter's textfile collector reads.

        Its readers see the former text or this one, whole. Raises `OSError`.
        """
        text, part = generate_latest(self._registry), _part_of(file)
        try:
            part.write_bytes(text)
            part.chmod(_READABLE)
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)


def require_writable(file: Path) -> None:
    """Raise `OSError` if `file` could not be written or replaced."""
    if file.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    part = _part_of(file)
    part.touch()
    part.unlink()


def _part_of(file: Path) -> Path:
    return file.with_name(f".{file.name}.{os.getpid()}.part")
