"""All laws of a sink in one class; here are those of chance: races for one seal, killed writers, random stories."""

import random
import time
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, MultipleResults, RuleBasedStateMachine, consumes, invariant, multiple, rule

from gads_conformance.law import law, run_stories
from gads_conformance.sink.reader_laws import ReaderLaws, StorageLaws
from gads_conformance.sink.samples import sample_facts, sample_key, sample_run, seal, stored_payload
from gads_conformance.sink.suite import Backdoor, Effort, SinkSuite, files_of
from gads_conformance.sink.worker import SamplePartition, SinkWorker
from gads_conformance.sink.writer_laws import WriterLaws
from gads_domain.adapters import sink_adapter
from gads_domain.errors import AlreadySealedError, NotSealedError, StorageError
from gads_domain.metadata_codec import decode_metadata
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.sink import PartitionWriter, PrunableSink, RawReader, RawSink
from gads_domain.run import RunId

_SIZES = (0, 1_000, 400_000)
_LONGEST_LIFE = 0.12  # seconds: what a worker needs to start, and to seal a handful


class RaceLaws(SinkSuite):
    """What holds of several processes that write one partition at once."""

    @law("PartitionWriter", 3)
    def test_of_racing_processes_one_seals(
        self, sink_url: str, base: Path, reader: RawReader, backdoor: Backdoor, effort: Effort
    ) -> None:
        race(sink_url, base, reader, backdoor, effort.races, effort.racing_processes)


class CrashLaws(SinkSuite):
    """What holds after the death of a process that writes."""

    @law("PartitionWriter", 5)
    def test_a_killed_writer_leaves_no_trace(
        self, sink_url: str, base: Path, sink: RawSink, reader: RawReader, effort: Effort
    ) -> None:
        chance = random.Random(20240602)  # the moments depend on the machine all the same
        for number in range(effort.kills):
            run_id = sample_run(number)
            partitions = [
                SamplePartition(sample_key(day), run_id, number * 100 + day, chance.choice(_SIZES)) for day in range(40)
            ]
            expected = {one.key: one for one in partitions}
            deadline = time.monotonic() + chance.uniform(0.0, _LONGEST_LIFE)
            with SinkWorker(sink_url, base) as worker:
                assert worker.do("read", partitions[0]) == {"error": "not_sealed"}
                worker.begin("seal", *partitions)
                while time.monotonic() < deadline:
                    _assert_whole(reader, expected)
                worker.kill()
            survivors = _assert_whole(reader, expected)
            before = {one.key: reader.metadata_bytes(one.key, run_id) for one in survivors}
            for one in partitions:
                if one in survivors:
                    with pytest.raises(AlreadySealedError):
                        sink.open_writer(one.key, run_id)
                else:
                    seal(sink, one.key, run_id, [one.payload])
            assert _assert_whole(reader, expected) == partitions
            assert {key: reader.metadata_bytes(key, run_id) for key in before} == before


def race(url: str, base: Path, reader: RawReader, backdoor: Backdoor, rounds: int, processes: int) -> None:
    """Let `processes` seal the same partition at once, `rounds` times; raises `AssertionError` unless one wins each."""
    with ExitStack() as stack:
        workers = [stack.enter_context(SinkWorker(url, base)) for _ in range(processes)]
        for number in range(rounds):
            key, run_id = sample_key(number), sample_run()
            size = _SIZES[number % len(_SIZES)]
            rivals = [SamplePartition(key, run_id, number * processes + n, size) for n in range(processes)]
            for worker, rival in zip(workers, rivals, strict=True):
                worker.begin("prepare", rival)
            assert [worker.receive() for worker in workers] == [{"done": None}] * processes
            assert reader.runs(key) == []
            for worker in workers:
                worker.begin("finalize")
            answers = [worker.receive() for worker in workers]
            winners = [rival for rival, answer in zip(rivals, answers, strict=True) if "done" in answer]
            assert len(winners) == 1, f"round {number}: {len(winners)} processes sealed {key}"
            assert answers.count({"error": "already_sealed"}) == processes - 1
            assert stored_payload(reader, key, run_id) == winners[0].payload
            assert len(files_of(backdoor, key, run_id)) == 2, "what the losers wrote is still there"


def _assert_whole(reader: RawReader, expected: dict[PartitionKey, SamplePartition]) -> list[SamplePartition]:
    run_id = next(iter(expected.values())).run_id
    seen = []
    for key, sealed_run in reader.sealed():
        if sealed_run == run_id:
            one = expected[key]
            assert decode_metadata(reader.metadata_bytes(key, run_id)).payload_bytes == one.size
            assert stored_payload(reader, key, run_id) == one.payload
            seen.append(one)
    return seen


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

    @rule(number=st.sampled_from([0, 0, 0, 1, 2]))
    def remove(self, number: int) -> None:
        """A sink that can remove a run forgets it: the run may be written again."""
        if isinstance(self._sink, PrunableSink):
            partition = self._partitions[number]
            (freed,) = self._sink.remove([partition])
            assert (freed > 0) == (self._model.pop(partition, None) is not None)

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


class SinkLaws(WriterLaws, ReaderLaws, StorageLaws, RaceLaws, CrashLaws, ModelLaws):
    """Every law of a sink. A subclass gives the fixtures of `SinkSuite`:

        class TestMySink(SinkLaws):
            @pytest.fixture
            def sink_url(self) -> str: ...
            @pytest.fixture
            def backdoor(self, base: Path) -> Backdoor: ...

    The sink is always opened through its entry point, since other processes of the suite open it too.
    """
