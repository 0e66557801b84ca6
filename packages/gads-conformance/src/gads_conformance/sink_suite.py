"""What an adapter's test class gives to the laws of sinks, and what the laws make of it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import pytest

from gads_domain.adapters import sink_adapter
from gads_domain.layout import partition_prefix
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.sink import RawReader, RawSink
from gads_domain.run import RunId


class Backdoor(Protocol):
    """The storage itself, behind the sink's back: how the laws plant damage and count what is there.

    Paths are relative to the sink's root, with `/` between segments.
    """

    def names(self) -> list[str]:
        """The paths of all files or objects, in any order; hidden ones too."""
        ...

    def get(self, path: str) -> bytes:
        """What is stored at `path`."""
        ...

    def put(self, path: str, data: bytes) -> None:
        """Store `data` at `path`, over whatever is there."""
        ...

    def remove(self, path: str) -> None:
        """Take away what is stored at `path`."""
        ...


class SinkSuite:
    """The fixtures of the laws. An adapter's class overrides `sink_url` and `backdoor`, and `base` if it needs to."""

    @pytest.fixture
    def sink_url(self) -> str:
        """The URL of an empty storage of this test alone, which every process of this machine can open."""
        raise NotImplementedError("the suite of a sink gives the fixture sink_url")

    @pytest.fixture
    def base(self, tmp_path: Path) -> Path:
        """What a relative path in `sink_url` is taken from."""
        return tmp_path

    @pytest.fixture
    def backdoor(self) -> Backdoor:
        """The storage that `sink_url` names, by another way."""
        raise NotImplementedError("the suite of a sink gives the fixture backdoor")

    @pytest.fixture
    def sink(self, sink_url: str, base: Path) -> RawSink:
        """The sink, opened for writing by its adapter."""
        return sink_adapter(sink_url).open_sink(sink_url, base)

    @pytest.fixture
    def reader(self, sink_url: str, base: Path) -> RawReader:
        """The same storage, opened for reading by its adapter."""
        return sink_adapter(sink_url).open_reader(sink_url, base)


def files_of(backdoor: Backdoor, key: PartitionKey, run_id: RunId) -> dict[str, bytes]:
    """Name to content of all that lies in the partition's folder."""
    prefix = partition_prefix(key, run_id) + "/"
    return {name.removeprefix(prefix): backdoor.get(name) for name in backdoor.names() if name.startswith(prefix)}
