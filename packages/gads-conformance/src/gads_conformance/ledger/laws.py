"""All laws of the ledger's four ports in one class; here are those that only several processes can break."""

import random
import select
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from gads_conformance.law import law
from gads_conformance.ledger.control_laws import ControlLaws
from gads_conformance.ledger.erasure_laws import ErasureLaws
from gads_conformance.ledger.expectation_laws import ExpectationLaws
from gads_conformance.ledger.model_laws import ModelLaws
from gads_conformance.ledger.past_laws import PastLaws
from gads_conformance.ledger.prune_laws import PruneOrderLaws
from gads_conformance.ledger.quota_laws import QuotaLaws
from gads_conformance.ledger.reader_laws import ReaderLaws
from gads_conformance.ledger.samples import key_of, moment
from gads_conformance.ledger.suite import Effort, LedgerSuite, LedgerUnderTest
from gads_conformance.ledger.validator_laws import ValidatorLaws
from gads_conformance.worker_process import WorkerProcess
from gads_domain.partition_key import PartitionKey
from gads_domain.state import StateFilter
from gads_domain.state_machine import settle

_BATCH = 40


class ProcessLaws(LedgerSuite):
    """Several processes at once on one ledger."""

    def test_creation_by_many_processes_makes_one_ledger(self, ledger: LedgerUnderTest) -> None:
        with _workers("create", ledger, 4) as workers:
            assert len({name for worker in workers for name in worker.finish()}) == 1

    @law("ValidatorLedger", 1)
    def test_of_competing_changes_exactly_one_wins_a_version(self, ledger: LedgerUnderTest, effort: Effort) -> None:
        with _workers("compete", ledger, 8, effort.competing_rounds) as workers:
            won = [(key, version) for worker in workers for key, version in worker.finish()]
        assert won, "no change was recorded"
        assert max(Counter(won).values()) == 1, "one version of a row was won twice"
        for text, count in Counter(key for key, _version in won).items():
            history = ledger.reader.history(PartitionKey.parse(text))
            assert history.state.version == len(history.results) == history.state.attempt_count == count

    @law("ValidatorLedger", 5)
    def test_confirmations_and_restatements_that_race_are_one_write_each(
        self, ledger: LedgerUnderTest, effort: Effort
    ) -> None:
        with _workers("confirm", ledger, 3, 2 * effort.written_rounds) as workers:
            won = sum(number for worker in workers for number in worker.finish())
        history = ledger.reader.history(key_of(1))
        assert history.state.version == won > len(history.results), "some were confirmed, and nothing was lost"
        assert history.state == replace(settle(history, None, history.state.updated_at or moment(0)), version=won)

    @law("ControlPlaneLedger", 7)
    def test_processes_that_race_for_a_budget_get_all_of_it_and_no_more(
        self, ledger: LedgerUnderTest, effort: Effort
    ) -> None:
        with _workers("spend", ledger, 3, effort.written_rounds) as workers:
            assert sum(granted for worker in workers for granted in worker.finish()) == effort.written_rounds

    @law("StateReader", 4)
    def test_a_follower_of_the_changes_misses_nothing(self, ledger: LedgerUnderTest, effort: Effort) -> None:
        with (
            _workers("follow", ledger, 2) as followers,
            _workers("write", ledger, effort.writers, effort.written_rounds) as writers,
        ):
            for writer in writers:
                writer.finish()
            sequences = [entry.sequence for entry in ledger.reader.authority_changes()]
            assert len(sequences) == effort.writers * effort.written_rounds
            for follower in followers:
                follower.send(sequences[-1])
                assert follower.finish() == sequences

    @law("ValidatorLedger", 2)
    def test_a_killed_writer_leaves_all_of_a_batch_or_nothing(self, ledger: LedgerUnderTest, effort: Effort) -> None:
        moments = random.Random(20240601)
        acknowledged: set[int] = set()
        for kill in range(effort.kills):
            with _workers("batches", ledger, 1, _BATCH, first=1 + kill * 10_000) as (worker,):
                acknowledged.update(_killed_while_recording(worker, moments))
            rows = Counter(int(state.key.customer_id) for state in ledger.validator.find(StateFilter()))
            changes = Counter(int(entry.key.customer_id) for entry in ledger.validator.authority_changes())
            assert acknowledged <= set(rows), "what was acknowledged is lost"
            assert set(rows.values()) == {_BATCH}, "a batch is there in part"
            assert changes == rows
            for batch in sorted(rows)[-3:]:
                assert all(len(ledger.validator.history(key_of(batch, day)).results) == 1 for day in range(_BATCH))


def _killed_while_recording(worker: WorkerProcess, moments: random.Random) -> list[int]:
    """Kill at a random moment of a call; returns the batches that were acknowledged until then."""
    emitted = []
    took = 0.0
    for _ in range(moments.randrange(2, 5)):
        emitted.append(worker.receive())
        began = time.monotonic()
        emitted.append(worker.receive())
        took = time.monotonic() - began
    emitted.append(worker.receive())
    select.select([worker.stdout], [], [], moments.random() * took)
    emitted += worker.killed()
    return [number for number in emitted if number > 0]


@contextmanager
def _workers(
    task: str, ledger: LedgerUnderTest, processes: int, count: int = 0, *, first: int = 0
) -> Iterator[list[WorkerProcess]]:
    """Start processes that have all opened the ledger before any of them begins its task."""
    arguments = (task, ledger.url, str(ledger.base))
    with ExitStack() as stack:
        workers = [
            stack.enter_context(
                WorkerProcess("gads_conformance.ledger.worker", *arguments, str(first + number), str(count))
            )
            for number in range(processes)
        ]
        for worker in workers:
            assert worker.receive() == "ready"
        for worker in workers:
            worker.send("go")
        yield workers


class LedgerLaws(
    ReaderLaws,
    PastLaws,
    ValidatorLaws,
    ControlLaws,
    QuotaLaws,
    ExpectationLaws,
    ErasureLaws,
    PruneOrderLaws,
    ModelLaws,
    ProcessLaws,
):
    """Every law of `StateReader`, `ValidatorLedger`, `ControlPlaneLedger` and `PinLedger`.

    A subclass gives `ledger_url`, the URL of a ledger that does not exist yet. The adapter has to be installed, since
    other processes open the ledger by its URL.
    """
