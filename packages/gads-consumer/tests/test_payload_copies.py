"""What the loader takes from the consumer: checked copies of payloads."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import pytest

import gads_consumer.payloads
from gads_consumer.errors import PartitionAlteredError
from gads_consumer.payloads import PayloadReader, Seal
from gads_domain.errors import StorageError
from gads_testing.local_deployment import COLUMNS, LocalDeployment, key_of, run_of


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[LocalDeployment]:
    found = LocalDeployment(tmp_path)
    found.make_days_authoritative(range(3))
    yield found
    found.close()


@pytest.fixture(params=["held in memory", "streamed"])
def how(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "streamed":
        monkeypatch.setattr(gads_consumer.payloads, "IN_MEMORY_BYTES", 0)
    return str(request.param)


def test_copies_are_the_sealed_bytes(deployment: LocalDeployment, tmp_path: Path, how: str) -> None:
    folder = tmp_path / "copies"
    folder.mkdir()
    with deployment.consumer() as consumer:
        partitions = consumer.snapshot("campaign").partitions
        copies = list(consumer.copy_payloads(partitions, folder))
    assert [one.partition for one in copies] == list(partitions)
    for one in copies:
        assert one.path.read_bytes() == deployment.payload(one.partition.key, run_of(1)).read_bytes()
        assert one.size == one.path.stat().st_size
        assert one.schema.columns == COLUMNS
    assert sorted(folder.iterdir()) == sorted(one.path for one in copies)


def test_an_altered_payload_is_not_handed_out(deployment: LocalDeployment, tmp_path: Path, how: str) -> None:
    payload = deployment.payload(key_of(1, 1), run_of(1))
    payload.chmod(0o644)
    data = bytearray(payload.read_bytes())
    data[len(data) // 2] ^= 1
    payload.write_bytes(data)
    with deployment.consumer() as consumer:
        copies = consumer.copy_payloads(consumer.snapshot("campaign").partitions, tmp_path)
        with pytest.raises(PartitionAlteredError):
            list(copies)


def test_a_folder_that_is_not_there_is_told(deployment: LocalDeployment, tmp_path: Path, how: str) -> None:
    with deployment.consumer() as consumer:
        copies = consumer.copy_payloads(consumer.snapshot("campaign").partitions, tmp_path / "absent")
        with pytest.raises(StorageError, match="absent"):
            list(copies)


@pytest.mark.parametrize("integrity", [True, False])
def test_a_payload_of_another_size_is_not_handed_out(
    deployment: LocalDeployment, tmp_path: Path, how: str, integrity: bool
) -> None:
    payload = deployment.payload(key_of(1, 1), run_of(1))
    payload.chmod(0o644)
    payload.write_bytes(payload.read_bytes() + b"more")
    with deployment.consumer(integrity=integrity) as consumer:
        copies = consumer.copy_payloads(consumer.snapshot("campaign").partitions, tmp_path)
        with pytest.raises(PartitionAlteredError, match="bytes"):
            list(copies)


def test_what_changes_while_it_is_copied_is_not_handed_out(
    deployment: LocalDeployment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A streamed payload is read twice, to be summed and to be copied; what is summed last is what was copied."""
    monkeypatch.setattr(gads_consumer.payloads, "IN_MEMORY_BYTES", 0)
    deployment.make_authoritative(key_of(1, 7), 1, 50_000)
    payload = deployment.payload(key_of(1, 7), run_of(1))
    payload.chmod(0o644)
    real = PayloadReader.open

    def then_altered(self: PayloadReader, seal: Seal) -> BinaryIO:
        opened = real(self, seal)
        with payload.open("r+b") as file:
            file.seek(-1_000, 2)
            file.write(b"other")
        return opened

    monkeypatch.setattr(PayloadReader, "open", then_altered)
    with deployment.consumer() as consumer:
        copies = consumer.copy_payloads(
            consumer.snapshot("campaign", since=key_of(1, 7).logical_date).partitions, tmp_path
        )
        with pytest.raises(PartitionAlteredError, match="sha256"):
            list(copies)
