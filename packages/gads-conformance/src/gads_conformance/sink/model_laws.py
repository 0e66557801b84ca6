"""Any interleaving of writers against a model: hypothesis opens, writes, seals, aborts and abandons them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
)

from gads_conformance.model import run_stories
from gads_conformance.sink.samples import sample_facts, sample_key, sample_run, stored_payload
from gads_conformance.sink.suite import Effort, SinkSuite
from gads_domain.adapters import sink_adapter
from gads_domain.errors import AlreadySealedError, NotSealedError, StorageError
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.sink import PartitionWriter
from gads_domain.run import RunId

_Partition = tuple[PartitionKey, RunId]


@dataclass(eq=False)
class Trial:
    """A writer and what it has written so far."""

    partition: _Partition
    writer: PartitionWriter
    written: bytes = b""


class SinkMachine(RuleBasedStateMachine):
    """The model is a dict of what is sealed, with its bytes. Each example has an account of its own."""

    _accounts = count(1)
    trials = Bundle[Trial]("trials")

    def __init__(self, url: str, base: Path) -> None:
        super().__init__()
        self._url = url
        self._base = base
        self._customer_id = str(next(self._accounts))
        self._sink = sink_adapter(url).open_sink(url, base)
        self._reader = sink_adapter(url).open_reader(url, base)
        # Few, so that writers meet: two runs of one day, and another day.
        self._partitions = [
            (sample_key(day, customer_id=self._customer_id), sample_run(run)) for day, run in ((0, 0), (0, 1), (1, 0))
        ]
        self._model: dict[_Partition, bytes] = {}
        self._abandoned: list[Trial] = []

    # Rivals of one partition are what is hard, so that one is opened more often than the others.
    @rule(target=trials, number=st.sampled_from([0, 0, 0, 1, 2]))
    def open(self, number: int) -> Trial | MultipleResults[Trial]:
        partition = self._partitions[number]
        if partition in self._model:
            with pytest.raises(AlreadySealedError):
                self._sink.open_writer(*partition)
            return multiple()
        return Trial(partition, self._sink.open_writer(*partition))

    @rule(trial=trials, data=st.one_of(st.binary(max_size=40), st.sampled_from([bytes(300_000), b"x" * 262_144])))
    def write(self, trial: Trial, data: bytes) -> None:
        try:
            trial.writer.write(data)
        except StorageError:
            trial.written = b""
        else:
            trial.written += data

    @rule(trial=consumes(trials))
    def finalize(self, trial: Trial) -> None:
        """The first writer seals, the others fail, and none seals twice."""
        try:
            metadata = trial.writer.finalize(sample_facts())
        except AlreadySealedError:
            assert trial.partition in self._model
        except StorageError:
            assert trial.written == b""
        else:
            assert trial.partition not in self._model, "sealed twice"
            assert metadata.payload_bytes == len(trial.written)
            self._model[trial.partition] = trial.written
        with pytest.raises(StorageError):
            trial.writer.write(b"late")

    @rule(trial=trials)
    def abort(self, trial: Trial) -> None:
        trial.writer.abort()
        trial.written = b""

    @rule(trial=consumes(trials))
    def crash(self, trial: Trial) -> None:
        """A writer that is abandoned is as good as dead."""
        self._abandoned.append(trial)

    @rule()
    def restart(self) -> None:
        self._sink = sink_adapter(self._url).open_sink(self._url, self._base)

    @invariant()
    def readers_see_the_model(self) -> None:
        sealed = list(self._reader.sealed(source="google_ads", customer_id=self._customer_id))
        assert sealed == sorted(self._model)
        for key, run_id in self._partitions:
            assert self._reader.runs(key) == sorted(run for other, run in self._model if other == key)
            if (key, run_id) in self._model:
                assert stored_payload(self._reader, key, run_id) == self._model[key, run_id]
            else:
                with pytest.raises(NotSealedError):
                    self._reader.metadata_bytes(key, run_id)

    def teardown(self) -> None:
        for trial in self._abandoned:
            trial.writer.abort()


class ModelLaws(SinkSuite):
    """All laws at once, in any order of events."""

    def test_a_sink_behaves_as_its_model(self, sink_url: str, base: Path, effort: Effort) -> None:
        check_against_model(sink_url, base, effort)


def check_against_model(url: str, base: Path, effort: Effort, *, shrink: bool = True) -> None:
    """Run the machine on the sink of `url`."""

    class Machine(SinkMachine):
        def __init__(self) -> None:
            super().__init__(url, base)

    run_stories(Machine, effort.examples, effort.steps, shrink=shrink)
