"""The laws of `SweepableSink`, for the sinks that are one; each test is named by its number in the port."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from gads_conformance.sink_samples import sample_key, sample_payload, sample_run, seal, stored_payload
from gads_conformance.sink_suite import Backdoor, SinkSuite
from gads_domain.errors import InvalidValueError
from gads_domain.layout import METADATA_NAME, partition_prefix
from gads_domain.ports.sink import LEAST_SWEEP_AGE, Leftover, LeftoverKind, RawSink, SweepableSink

SweepAhead = Callable[[timedelta, bool], list[Leftover]]
"""Sweeps by the least age as if so much time had passed; the second argument says whether it is a dry run."""

ORPHAN = "payload-0123456789abcdef.parquet"
YOUNGER, OLDER = LEAST_SWEEP_AGE - timedelta(hours=1), LEAST_SWEEP_AGE + timedelta(hours=1)


class SweepLaws(SinkSuite):
    """Every law of a sweep; a subclass gives `sweep_ahead` beside what a sink's suite wants."""

    @pytest.fixture
    def sweep_ahead(self) -> SweepAhead:
        """Sweeps the storage that `sink_url` names."""
        raise NotImplementedError("the suite of a sink that can be swept gives the fixture sweep_ahead")

    def test_sweep_1_only_what_no_seal_could_name_is_taken(
        self, sink: RawSink, backdoor: Backdoor, sweep_ahead: SweepAhead
    ) -> None:
        """Not what a seal names, nothing beside a seal that cannot be read, no stranger."""
        sealed, damaged, dead = (partition_prefix(sample_key(number), sample_run()) for number in range(3))
        for number in (0, 1):
            seal(sink, sample_key(number), sample_run(), [b"sealed"])
        backdoor.put(f"{damaged}/{METADATA_NAME}", b"{")
        for folder in (sealed, damaged, dead):
            backdoor.put(f"{folder}/{ORPHAN}", b"left over")
        for name in ("README", f"{sealed}/notes.txt", f"elsewhere/{ORPHAN}", f"{sealed}/deeper/{ORPHAN}"):
            backdoor.put(name, b"a stranger's")
        before = set(backdoor.names())
        expected = {f"{sealed}/{ORPHAN}", f"{dead}/{ORPHAN}"}
        taken = sweep_ahead(OLDER, False)
        assert {one.path for one in taken} == expected
        assert {one.kind for one in taken} == {LeftoverKind.ORPHAN}
        assert set(backdoor.names()) == before - expected
        assert stored_payload(sink, sample_key(0), sample_run()) == b"sealed"

    def test_sweep_2_a_dry_run_finds_the_same_and_takes_nothing(
        self, backdoor: Backdoor, sweep_ahead: SweepAhead
    ) -> None:
        """Also of an age: what is younger is neither found nor taken."""
        backdoor.put(f"{partition_prefix(sample_key(), sample_run())}/{ORPHAN}", b"left over")
        before = backdoor.names()
        assert sweep_ahead(YOUNGER, True) == sweep_ahead(YOUNGER, False) == []
        found = sweep_ahead(OLDER, True)
        assert len(found) == 1
        assert backdoor.names() == before
        assert [one.path for one in sweep_ahead(OLDER, False)] == [one.path for one in found]
        assert sweep_ahead(OLDER, False) == []

    def test_sweep_2_an_age_that_a_writer_may_have_is_refused_at_once(self, sink: RawSink) -> None:
        """Before anything is listed, and not when the first leftover is asked for."""
        assert isinstance(sink, SweepableSink)
        with pytest.raises(InvalidValueError):
            sink.sweep(YOUNGER, dry_run=True)

    def test_sweep_3_beside_writers_and_readers(self, sink: RawSink) -> None:
        """A writer that is at work seals what it wrote, and a sealed partition reads as before."""
        assert isinstance(sink, SweepableSink)
        seal(sink, sample_key(1), sample_run(), [b"sealed"])
        payload = sample_payload(1, 100_000)
        with sink.open_writer(sample_key(), sample_run()) as writer:
            writer.write(payload)
            assert list(sink.sweep(LEAST_SWEEP_AGE, dry_run=False)) == []
        seal(sink, sample_key(), sample_run(), [payload])
        assert list(sink.sweep(LEAST_SWEEP_AGE, dry_run=False)) == []
        assert stored_payload(sink, sample_key(), sample_run()) == payload
        assert stored_payload(sink, sample_key(1), sample_run()) == b"sealed"

    def test_sweep_3_several_at_once_take_all(self, backdoor: Backdoor, sweep_ahead: SweepAhead) -> None:
        """None of them fails for what another took away."""
        for number in range(8):
            backdoor.put(f"{partition_prefix(sample_key(number), sample_run())}/{ORPHAN}", b"left over")
        with ThreadPoolExecutor(3) as pool:
            taken = [one.path for some in pool.map(lambda _: sweep_ahead(OLDER, False), range(3)) for one in some]
        assert len(set(taken)) == 8
        assert backdoor.names() == []
