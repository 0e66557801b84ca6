"""Any interleaving of writers against a model: hypothesis opens, writes, seals, aborts and abandons them."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from gads_conformance.sink.samples import sample_facts, sample_key, sample_run, stored_payload
from gads_conformance.sink.suite import Effort, SinkSuite
from gads_domain.adapters import sink_adapter
from gads_domain.errors import AlreadySealedError, NotSealedError, StorageError
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.sink import PartitionWriter
from gads_domain.run import RunId

_Partition = tuple[PartitionKey, RunId]


class Trial:
    """A writer and what it has written so far."""

    def __init__(self, partition: _Partition, writer: PartitionWriter) -> None:
        self.partition = partition
        self.writer = writer
        self.written = b""


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

    @rule(target=trials, number=st.integers(0, 2))
    def open(self, number: int) -> Trial | MultipleResults[Trial]:
        """A writer opens, unless the partition is sealed."""
        partition = self._partitions[number]
        if partition in self._model:
            with pytest.raises(AlreadySealedError):
                self._sink.open_writer(*partition)
            return multiple()
        return Trial(partition, self._sink.open_writer(*partition))

    @rule(target=trials, trial=trials)
    def open_rival(self, trial: Trial) -> Trial | MultipleResults[Trial]:
        """A second writer of the same partition opens, or fails at once if the partition is sealed."""
        try:
            return Trial(trial.partition, self._sink.open_writer(*trial.partition))
        except AlreadySealedError:
            assert trial.partition in self._model
            return multiple()

    @rule(trial=trials, data=st.one_of(st.binary(max_size=40), st.sampled_from([bytes(300_000), b"x" * 262_144])))
    def write(self, trial: Trial, data: bytes) -> None:
        """A write appends, unless the writer has ended."""
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
        """An abort changes nothing for other writers."""
        trial.writer.abort()
        trial.written = b""

    @rule(trial=consumes(trials))
    def crash(self, trial: Trial) -> None:
        """A writer that is abandoned is as good as dead."""
        self._abandoned.append(trial)

    @rule()
    def restart(self) -> None:
        """A new sink sees what the storage holds."""
        self._sink = sink_adapter(self._url).open_sink(self._url, self._base)

    @invariant()
    def readers_see_the_model(self) -> None:
        """Only sealed partitions exist, whole, in order."""
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
        """Abort the abandoned writers."""
        for trial in self._abandoned:
            trial.writer.abort()


class ModelLaws(SinkSuite):
    """All laws at once, in any order of events."""

    def test_a_sink_behaves_as_its_model(self, sink_url: str, base: Path, effort: Effort) -> None:
        run_sink_machine(sink_url, base, settings_of(effort))


def settings_of(effort: Effort) -> settings:
    """What hypothesis gets for this effort."""
    return settings(
        max_examples=effort.examples,
        stateful_step_count=effort.steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )


def run_sink_machine(url: str, base: Path, examples: settings) -> None:
    """Run the machine; raises `AssertionError` for the shortest story in which sink and model differ."""

    class Machine(SinkMachine):
        def __init__(self) -> None:
            super().__init__(url, base)

    run_state_machine_as_test(Machine, settings=examples)
