"""The entry point of the scheme `file:`."""

from pathlib import Path

from gads_domain.local_path import path_of
from gads_sink_local.reader import LocalReader
from gads_sink_local.sink import LocalSink


class LocalSinkAdapter:
    """Opens `file:relative/path`, taken from `base`, or `file:/absolute/path`."""

    def open_sink(self, url: str, base: Path) -> LocalSink:
        """Open for writing and reading; touches nothing yet."""
        return LocalSink(path_of(url, base))

    def open_reader(self, url: str, base: Path) -> LocalReader:
        """Open for reading alone; touches nothing, ever."""
        return LocalReader(path_of(url, base))


ADAPTER = LocalSinkAdapter()
