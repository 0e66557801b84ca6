from datetime import UTC, datetime
from pathlib import Path

import pytest

from gads_conformance import AddressLaws, JointSealLaws, PruneLaws, SinkLaws, SinkSuite, SweepAhead, SweepLaws
from gads_conformance.sink.samples import sample_key, sample_run, seal
from gads_domain.layout import partition_prefix
from gads_domain.ports.sink import LEAST_SWEEP_AGE
from gads_sink_local.sink import LocalSink
from gads_sink_local.sweep import sweep


class Folder:
    def __init__(self, root: Path) -> None:
        self._root = root

    def names(self) -> list[str]:
        return [path.relative_to(self._root).as_posix() for path in self._root.rglob("*") if not path.is_dir()]

    def get(self, path: str) -> bytes:
        return (self._root / path).read_bytes()

    def put(self, path: str, data: bytes) -> None:
        target = self._root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    def remove(self, path: str) -> None:
        (self._root / path).unlink()


class InAFolder(SinkSuite):
    @pytest.fixture
    def sink_url(self) -> str:
        return "file:store/raw"

    @pytest.fixture
    def backdoor(self, base: Path) -> Folder:
        return Folder(base / "store" / "raw")


class TestLocalSink(InAFolder, SinkLaws):
    """What every sink is held to."""


class TestAddresses(InAFolder, AddressLaws):
    """What a sink is held to whose files others open."""


class TestSealingTogether(InAFolder, JointSealLaws):
    """What a sink is held to that seals together."""


class TestRemoval(InAFolder, PruneLaws):
    """What a sink is held to that can remove sealed runs."""

    def test_no_empty_folder_of_a_day_stays(self, sink: LocalSink, base: Path) -> None:
        seal(sink, sample_key(), sample_run())
        seal(sink, sample_key(1), sample_run())
        sink.remove([(sample_key(), sample_run())])
        report = (base / "store" / "raw" / partition_prefix(sample_key(), sample_run())).parents[1]
        assert [day.name for day in report.iterdir()] == ["logical_date=2024-06-02"]


class TestSweepOfALocalSink(InAFolder, SweepLaws):
    @pytest.fixture
    def sweep_ahead(self, base: Path) -> SweepAhead:
        root = base / "store" / "raw"
        return lambda ahead, dry_run: list(sweep(root, LEAST_SWEEP_AGE, dry_run=dry_run, now=datetime.now(UTC) + ahead))
