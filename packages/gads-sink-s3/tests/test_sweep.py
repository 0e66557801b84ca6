"""What dead writers left is found by age and taken away; nothing else ever is."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gads_conformance.sink.optional_laws import SweepAhead, SweepLaws
from gads_conformance.sink.samples import sample_key, sample_payload, sample_run, seal, stored_payload
from gads_conformance.sink.worker import SamplePartition, SinkWorker
from gads_domain.adapters import sink_adapter
from gads_domain.layout import partition_prefix
from gads_domain.ports.sink import LEAST_SWEEP_AGE, Leftover, LeftoverKind, RawSink, SweepableSink
from gads_sink_s3.bucket import Bucket
from gads_sink_s3.location import parse_location
from gads_sink_s3.sweep import sweep

KEY = sample_key()
LARGE = 6 * 1024 * 1024
ORPHAN = "payload-0123456789abcdef.parquet"


@pytest.fixture
def sink(storage: Any, tmp_path: Path) -> RawSink:
    return sink_adapter(storage.url).open_sink(storage.url, tmp_path)


def swept(storage: Any, ahead: timedelta, *, dry_run: bool) -> list[Leftover]:
    """What a sweep would find `ahead` of now; the server's clock cannot be moved, the sweep's can."""
    bucket = Bucket(parse_location(storage.url, Path("/"), os.environ))
    return list(sweep(bucket, LEAST_SWEEP_AGE, dry_run=dry_run, now=datetime.now(UTC) + ahead))


def test_leftovers_are_taken_by_age_and_nothing_else_is(sink: RawSink, storage: Any, tmp_path: Path) -> None:
    whole, damaged, lost, dead = (f"{partition_prefix(sample_key(n), sample_run())}/" for n in range(4))
    for number in (0, 1):
        seal(sink, sample_key(number), sample_run(), [b"sealed"])
    storage.put(whole + ORPHAN, b"a loser's")
    storage.put(damaged + "metadata.json", b"{")
    storage.put(damaged + ORPHAN, b"perhaps this is what the seal named")
    storage.put(lost + ORPHAN, b"of a dead writer")
    storage.put(".gads/probe-0123456789abcdef", b"")
    foreign = ["README", ".gads/other", whole + "notes.txt", f"elsewhere/{ORPHAN}", dead + "deeper/" + ORPHAN]
    for name in foreign:
        storage.put(name, b"foreign")
    with SinkWorker(storage.url, tmp_path) as worker:
        assert worker.do("prepare", SamplePartition(sample_key(3), sample_run(), 1, LARGE)) == {"done": None}
        worker.kill()
    upload = storage.uploads()[0].removeprefix(storage.prefix + "/")
    before = sorted(storage.names())
    expected = {
        (whole + ORPHAN, LeftoverKind.ORPHAN),
        (lost + ORPHAN, LeftoverKind.ORPHAN),
        (".gads/probe-0123456789abcdef", LeftoverKind.PROBE),
        (upload, LeftoverKind.UNFINISHED),
    }

    assert swept(storage, timedelta(hours=35), dry_run=False) == []
    assert sorted(storage.names()) == before
    found = swept(storage, timedelta(hours=37), dry_run=True)
    assert {(left.path, left.kind) for left in found} == expected
    assert sorted(storage.names()) == before
    assert len(storage.uploads()) == 1

    found = swept(storage, timedelta(hours=37), dry_run=False)
    assert {(left.path, left.kind) for left in found} == expected
    assert sorted(storage.names()) == sorted(set(before) - {path for path, _ in expected})
    assert storage.uploads() == []
    assert set(foreign) <= set(storage.names())
    assert stored_payload(sink, sample_key(0), sample_run()) == b"sealed"
    assert swept(storage, timedelta(hours=37), dry_run=False) == []


def test_the_sinks_own_sweep_goes_by_the_clock(sink: RawSink, storage: Any) -> None:
    storage.put(f"{partition_prefix(KEY, sample_run())}/{ORPHAN}", b"young")
    assert isinstance(sink, SweepableSink)
    assert list(sink.sweep(LEAST_SWEEP_AGE, dry_run=False)) == []
    assert len(storage.names()) == 1


def test_a_writer_at_work_survives_a_sweep(sink: RawSink, storage: Any) -> None:
    """Swept too early, against the rule, an open upload costs its writer an error, never a seal without payload."""
    payload = sample_payload(5, LARGE)
    with sink.open_writer(KEY, sample_run()) as writer:
        writer.write(payload)
        assert isinstance(sink, SweepableSink)
        assert list(sink.sweep(LEAST_SWEEP_AGE, dry_run=False)) == []
        writer.abort()
    seal(sink, KEY, sample_run(), [payload])
    assert stored_payload(sink, KEY, sample_run()) == payload


class TestSweepOfAnS3Sink(SweepLaws):
    @pytest.fixture
    def sink_url(self, storage: Any) -> str:
        return str(storage.url)

    @pytest.fixture
    def backdoor(self, storage: Any) -> Any:
        return storage

    @pytest.fixture
    def sweep_ahead(self, storage: Any) -> SweepAhead:
        return lambda ahead, dry_run: swept(storage, ahead, dry_run=dry_run)
