"""The metrics as text: over HTTP in the format that a scraper asks for, or in a file for node_exporter."""

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
        self.registry = CollectorRegistry(auto_describe=False)
        for collector in collectors:
            self.registry.register(collector)

    def encoded(self, accept: str) -> tuple[bytes, str]:
        """The text in the best format of an `Accept` header, OpenMetrics or Prometheus' own, and its content type."""
        encode, content_type = choose_encoder(accept)
        return encode(self.registry), content_type

    def write(self, file: Path) -> None:
        """Replace `file`, which others may read, with the text that node_exporter's textfile collector reads.

        Its readers see the former text or this one, whole. Raises `OSError`.
        """
        part = file.with_name(f".{file.name}.{os.getpid()}.part")
        try:
            part.write_bytes(generate_latest(self.registry))
            part.chmod(_READABLE)
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)
