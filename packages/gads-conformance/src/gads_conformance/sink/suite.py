"""What an adapter's test class gives to the laws of sinks, and what the laws make of it."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

import pytest

from gads_conformance.law import quick_and_campaign, required
from gads_domain.adapters import sink_adapter
from gads_domain.errors import NotSealedError
from gads_domain.layout import partition_prefix
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.sink import RawReader, RawSink
from gads_domain.run import RunId


class Backdoor(Protocol):
    """The storage itself, past the sink: how the laws plant damage and count what is stored.

    Paths are relative to the sink's root, with `/` between segments.
    """

    def names(self) -> list[str]:
        """The paths of all files or objects, in any order, hidden ones included."""

    def get(self, path: str) -> bytes:
        """The content at `path`."""

    def put(self, path: str, data: bytes) -> None:
        """Store `data` at `path`, in place of what is there."""

    def remove(self, path: str) -> None:
        """Remove what is stored at `path`."""


@dataclass(frozen=True)
class Effort:
    """How often a suite repeats what depends on chance."""

    races: int = 20
    racing_processes: int = 4
    kills: int = 5
    examples: int = 40
    steps: int = 25


class SinkSuite:
    """The fixtures of the laws. An adapter's class overrides `sink_url` and `backdoor`, and `base` if it needs to.

    A storage that answers slowly sets `quick` and `campaign` lower.
    """

    quick: ClassVar[Effort] = Effort()
    campaign: ClassVar[Effort] = Effort(races=100, racing_processes=8, kills=100, examples=500, steps=50)
    effort = quick_and_campaign(timeout=7200)

    sink_url = required("The URL of an empty storage of this test alone, which every process of this machine can open.")
    backdoor = required("The storage that `sink_url` names, reached without the sink.")

    @pytest.fixture
    def base(self, tmp_path: Path) -> Path:
        """The folder that a relative path in `sink_url` starts from."""
        return tmp_path

    @pytest.fixture
    def sink(self, sink_url: str, base: Path) -> RawSink:
        return sink_adapter(sink_url).open_sink(sink_url, base)

    @pytest.fixture
    def reader(self, sink_url: str, base: Path) -> RawReader:
        return sink_adapter(sink_url).open_reader(sink_url, base)


def files_of(backdoor: Backdoor, key: PartitionKey, run_id: RunId) -> dict[str, bytes]:
    """Name and content of every file in the partition's folder."""
    prefix = partition_prefix(key, run_id) + "/"
    return {name.removeprefix(prefix): backdoor.get(name) for name in backdoor.names() if name.startswith(prefix)}


def assert_invisible(reader: RawReader, key: PartitionKey, run_id: RunId) -> None:
    """Assert that no reader sees the partition, in a storage where nothing else is sealed."""
    assert reader.runs(key) == []
    assert list(reader.sealed()) == []
    with pytest.raises(NotSealedError):
        reader.metadata_bytes(key, run_id)
    with pytest.raises(NotSealedError):
        reader.open_payload(key, run_id, "payload-0123456789abcdef.parquet")
