"""Holds gads-consumer to contracts/consumer/v1: integrity and time travel."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from datetime import UTC, timedelta

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from gads_consumer.consumer import Consumer
from gads_consumer.errors import (
    ClockSkewError,
    NewerContractError,
    PartitionAlteredError,
    PartitionGoneError,
    PastUnknownError,
)
from gads_consumer.payloads import read_seal
from gads_domain.current_partition import CurrentPartition
from gads_domain.errors import InvalidValueError
from gads_domain.metadata_codec import encode_metadata
from gads_domain.partition_key import PartitionKey
from gads_testing.consumer_contract import authoritative_runs, day, flip_bit, pd, totals_by_duckdb, write_history
from gads_testing.local_deployment import (
    LocalDeployment,
    SteppingClock,
    key_of,
    run_of,
)

# Integrity


def test_c13_the_seal_is_the_one_that_was_validated(deployment: LocalDeployment, consumer: Consumer) -> None:
    key = key_of(1, 0)
    sealed = deployment.seal(key, 1, 5)
    deployment.validate(key)
    seal = deployment.folder(key, run_of(1)) / "metadata.json"
    stored = seal.read_bytes()
    snapshot = deployment.consumer(integrity=False).snapshot("campaign")
    for at in range(0, len(stored), 7):
        flip_bit(seal, at)
        with pytest.raises(PartitionAlteredError):
            snapshot.to_table()
        seal.write_bytes(stored)
    forged = replace(sealed, facts=replace(sealed.facts, api_version="v25"))
    known = json.loads(stored)["seal_sha256"].encode()
    unsigned = stored.replace(b'"seal_sha256":"' + known + b'",', b"")
    assert hashlib.sha256(unsigned).hexdigest().encode() == known
    for other in (encode_metadata(forged), unsigned, b"", b"{}", stored + b"\n", stored.replace(b",", b", ", 1)):
        seal.write_bytes(other)
        with pytest.raises(PartitionAlteredError):
            snapshot.to_table()
    seal.write_bytes(stored)
    assert snapshot.to_table().num_rows == 5


def test_c13_the_seal_is_of_the_partition_that_it_is_found_for(deployment: LocalDeployment, consumer: Consumer) -> None:
    deployment.make_authoritative(key_of(1, 0), 1)
    deployment.make_authoritative(key_of(2, 0), 1)
    mine, other = consumer.snapshot("campaign").partitions
    seal = deployment.folder(mine.key, mine.run_id) / "metadata.json"
    seal.chmod(0o644)
    seal.write_bytes((deployment.folder(other.key, other.run_id) / "metadata.json").read_bytes())
    with pytest.raises(PartitionAlteredError, match="is of google_ads/2/"):
        read_seal(deployment.sink, replace(mine, seal_sha256=other.seal_sha256))
    for wrong in (replace(other, record_count=9), replace(other, schema_version=9)):
        with pytest.raises(PartitionAlteredError, match="3 rows of schema version 1"):
            read_seal(deployment.sink, wrong)


def test_c14_the_payload_is_held_to_its_sum_unless_switched_off(
    deployment: LocalDeployment, consumer: Consumer
) -> None:
    deployment.make_days_authoritative(range(3))
    snapshot, unchecked = consumer.snapshot("campaign"), deployment.consumer(integrity=False).snapshot("campaign")
    payload = deployment.payload(key_of(1, 1), run_of(1))
    stored = payload.read_bytes()
    for at in (0, 4, len(stored) // 2, len(stored) - 1):
        flip_bit(payload, at)
        with pytest.raises(PartitionAlteredError, match="2024-06-02"):
            snapshot.to_table()
        with pytest.raises(PartitionAlteredError, match="2024-06-02"):
            list(snapshot.to_batches())
        payload.write_bytes(stored)
    # Where the checks are off, bytes that cannot be decoded still name the partition, and sizes still count.
    flip_bit(payload, len(stored) - 1)
    with pytest.raises(PartitionAlteredError, match="2024-06-02"):
        unchecked.to_table()
    payload.write_bytes(stored[:-1])
    with pytest.raises(PartitionAlteredError, match="bytes"):
        unchecked.to_table()
    deployment.seal(key_of(1, 1), 2)
    swapped = deployment.payload(key_of(1, 1), run_of(2)).read_bytes()
    assert len(swapped) == len(stored)
    payload.write_bytes(swapped)
    assert unchecked.to_table()["metrics_run"].to_pylist() == [1, 1, 1, 2, 2, 2, 1, 1, 1]
    with pytest.raises(PartitionAlteredError, match="sha256"):
        snapshot.to_table()


@pytest.mark.parametrize("integrity", [True, False])
@pytest.mark.parametrize("lost", ["metadata.json", "payload", "folder"])
def test_c15_what_is_not_there_is_an_error(deployment: LocalDeployment, lost: str, integrity: bool) -> None:
    deployment.make_days_authoritative(range(3))
    folder = deployment.folder(key_of(1, 1), run_of(1))
    paths = {"metadata.json": [folder / lost], "payload": [deployment.payload(key_of(1, 1), run_of(1))]}
    for path in paths.get(lost, list(folder.iterdir())):
        path.unlink()
    snapshot = deployment.consumer(integrity=integrity).snapshot("campaign")
    for read in (snapshot.to_table, lambda: list(snapshot.to_batches())):
        with pytest.raises(PartitionGoneError, match="2024-06-02"):
            read()
    # Through a capsule the error is the taker's own, with the message in it.
    for take in (pa.table, pl.DataFrame, pd.DataFrame.from_arrow, totals_by_duckdb):
        with pytest.raises(Exception, match="2024-06-02"):
            take(snapshot)
    assert snapshot.scan(filter=pc.field("_logical_date") == day(0)).to_table().num_rows == 3


@pytest.mark.parametrize(("version", "is_read"), [("1.0", True), ("1.9", True), ("2.0", False), ("10.0", False)])
def test_c16_another_major_of_the_raw_contract_is_refused(
    deployment: LocalDeployment, consumer: Consumer, version: str, is_read: bool
) -> None:
    key = key_of(1, 0)
    sealed = deployment.seal(key, 1)
    data = encode_metadata(replace(sealed, contract_version=version))
    (deployment.folder(key, run_of(1)) / "metadata.json").chmod(0o644)
    (deployment.folder(key, run_of(1)) / "metadata.json").write_bytes(data)
    # As a later validator would have recorded it.
    partition = CurrentPartition(key, run_of(1), 3, 1, json.loads(data)["seal_sha256"])
    if is_read:
        assert read_seal(deployment.sink, partition).metadata.facts.schema == sealed.facts.schema
    else:
        with pytest.raises(NewerContractError, match=re.escape(version)):
            read_seal(deployment.sink, partition)


# Time travel


def test_c17_the_answer_as_of_a_position_never_changes(deployment: LocalDeployment, consumer: Consumer) -> None:
    recorded: dict[int, dict[PartitionKey, str]] = {}

    def listen() -> None:
        position = consumer.snapshot("campaign").position
        recorded[position] = authoritative_runs(consumer)

    deployment.make_authoritative(key_of(1, 5), 1)
    for step in (
        lambda: deployment.make_authoritative(key_of(1, 5), 2, 4),
        lambda: deployment.seal_invalid(key_of(1, 6), 2),
        lambda: deployment.damage(key_of(1, 5), 2),
        lambda: deployment.make_authoritative(key_of(1, 6), 4),
    ):
        listen()
        step()
    listen()
    assert len(recorded) >= 5
    for position, then in recorded.items():
        assert authoritative_runs(consumer, as_of=position) == then
        cursor = consumer.snapshot("campaign", as_of=position).cursor
        assert authoritative_runs(consumer, as_of=cursor) == then
    assert authoritative_runs(consumer, as_of=0) == {}
    for wrong in (consumer.snapshot("campaign").position + 1, -1, 2**63, 10**30):
        with pytest.raises(PastUnknownError):
            consumer.snapshot("campaign", as_of=wrong)


def test_c18_a_moment_is_the_last_change_stamped_by_then(deployment: LocalDeployment, consumer: Consumer) -> None:
    write_history(deployment)
    entries = deployment.ledger.authority_changes()
    for entry in entries:
        for step in (timedelta(0), timedelta(microseconds=1), timedelta(microseconds=-1)):
            moment = entry.at + step
            expected = max((one.sequence for one in entries if one.at <= moment), default=0)
            assert consumer.snapshot("campaign", as_of=moment).position == expected
    east = entries[3].at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    assert consumer.snapshot("campaign", as_of=east).position == entries[3].sequence
    with pytest.raises(ClockSkewError, match="is in the future"):
        consumer.snapshot("campaign", as_of=deployment.clock.moment + timedelta(hours=1))
    for wrong in (
        "yesterday",
        "2024-07-01T04:05:06",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        day(0),
        1.5,
        True,
    ):
        with pytest.raises(InvalidValueError):
            consumer.snapshot("campaign", as_of=wrong)  # type: ignore[arg-type]  # some on purpose


def test_c18_a_ledger_ahead_of_the_clock_answers_no_moment(deployment: LocalDeployment) -> None:
    deployment.make_days_authoritative(range(1))
    behind = SteppingClock()
    behind.moment = deployment.clock.moment - timedelta(hours=2)
    with deployment.consumer(clock=behind) as consumer:
        with pytest.raises(ClockSkewError, match="last change"):
            consumer.snapshot("campaign", as_of=behind.moment - timedelta(days=1))
        assert len(consumer.snapshot("campaign").partitions) == 1
        assert len(consumer.snapshot("campaign", as_of=1).partitions) == 1
