"""Random stories of writers, validator and consumers, with crashes, against what the ledger's log says happened."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from gads_consumer.changes import Changes
from gads_consumer.consumer import Consumer
from gads_consumer.errors import PartitionAlteredError, PartitionGoneError
from gads_consumer.snapshot import Snapshot
from gads_domain.current_partition import CurrentPartition
from gads_domain.erasure import Erasure, in_force
from gads_domain.errors import AccountErasedError
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.ports.sink import PrunableSink
from gads_domain.run import RunId
from gads_domain.state import OperatorAct, PartitionStatus
from gads_testing.local_deployment import LocalDeployment, faults_of_reading, key_of, run_of

CUSTOMERS, DAYS = 2, 3
CUSTOMER_IDS = [str(1 + number) for number in range(CUSTOMERS)]
KEYS = [key_of(1 + customer, day) for customer in range(CUSTOMERS) for day in range(DAYS)]
_keys = st.sampled_from(KEYS)
_runs = st.integers(1, 40)
_customers = st.sampled_from(CUSTOMER_IDS)
_rows = st.integers(0, 6)

Current = dict[PartitionKey, CurrentPartition]


class Crash(BaseException):
    """The process dies here."""


class Stories(RuleBasedStateMachine):
    """What is authoritative at each position is written down by hand, from the validator's own results."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.base = Path(self.folder.name)
        self.deployment = LocalDeployment(self.base)
        self.sealed: set[tuple[PartitionKey, RunId]] = set()
        self.damaged: set[tuple[PartitionKey, RunId]] = set()
        self.deployment.make_authoritative(KEYS[0], 0)
        self.sealed.add((KEYS[0], run_of(0)))
        self.consumer: Consumer = self.deployment.consumer()
        self.snapshots: list[tuple[Snapshot, Current]] = []
        self.recorded: dict[int, Current] = {}
        self.mine: Current = {}
        self.cursor: str | None = None

    @rule(key=_keys, run=_runs, rows=_rows, sound=st.sampled_from([True, True, True, False]))
    def seal(self, key: PartitionKey, run: int, rows: int, sound: bool) -> None:
        if (key, run_of(run)) not in self.sealed:
            self.deployment.seal(key, run, rows, record_count=None if sound else rows + 1)
            self.sealed.add((key, run_of(run)))

    @rule(keys=st.lists(_keys, min_size=1, max_size=4, unique=True), recheck=st.booleans())
    def validate(self, keys: list[PartitionKey], recheck: bool) -> None:
        if self._erased().isdisjoint(key.customer_id for key in keys):
            self.deployment.validate(*keys, recheck=recheck)
            return
        before = self._authoritative_now()
        with suppress(AccountErasedError):  # unless there was nothing to record
            self.deployment.validate(*keys, recheck=recheck)
        erased = self._erased()
        assert {one for one in self._authoritative_now() if one.customer_id in erased} == set()
        assert {key: one for key, one in self._authoritative_now().items() if key not in keys} == {
            key: one for key, one in before.items() if key not in keys
        }

    @rule(customer=_customers)
    def erase(self, customer: str) -> None:
        """Order it, or else do a step of it, or else what comes after the last step."""
        control, now = self.deployment.control_plane, self.deployment.clock.now()
        if customer not in self._erased():
            control.order_erasure(GOOGLE_ADS, customer, OperatorAct(now, "operator", "accounts erase", "gone"))
            for then in self.recorded.values():
                for key in [key for key in then if key.customer_id == customer]:
                    del then[key]
        elif control.erase(GOOGLE_ADS, customer, now, 1).cleared_at is not None:
            sealed = list(self.deployment.sink.sealed(source=GOOGLE_ADS, customer_id=customer))
            assert isinstance(self.deployment.sink, PrunableSink)
            self.deployment.sink.remove(sealed)
            # No run is made twice: what is gone cannot be sealed again.
            self.damaged.update(sealed)
            control.end_erasure(GOOGLE_ADS, customer, now)
            assert control.account_rows(GOOGLE_ADS, customer) == {}

    @rule(customer=_customers)
    def readmit(self, customer: str) -> None:
        act = OperatorAct(self.deployment.clock.now(), "operator", "accounts readmit", "back")
        if any(one.ended_at and one.is_in_force for one in self._erasures() if one.customer_id == customer):
            self.deployment.control_plane.readmit(GOOGLE_ADS, customer, act)

    @rule(keys=st.lists(_keys, min_size=1, max_size=4, unique=True), at=st.sampled_from(["before", "after"]))
    def validate_and_crash(self, keys: list[PartitionKey], at: str) -> None:
        real: Callable[..., list[bool]] = self.deployment.ledger.record

        def dies(changes: object) -> list[bool]:
            if at == "after":
                real(changes)
            raise Crash

        self.deployment.ledger.record = dies  # type: ignore[method-assign]  # the process dies in the middle of it
        with suppress(Crash, AccountErasedError):
            self.deployment.validate(*keys)
        self.deployment.close()
        self.deployment = LocalDeployment(self.base, self.deployment.clock)

    @rule(key=_keys, run=_runs)
    def never_seals(self, key: PartitionKey, run: int) -> None:
        if (key, run_of(run)) not in self.sealed:
            with suppress(AccountErasedError):
                self.deployment.report_unsealed(key, run)

    @precondition(lambda self: len(self.sealed) > len(self.damaged))
    @rule(pick=st.integers(0, 1_000), how=st.sampled_from(["payload", "cut", "gone"]))
    def storage_fails(self, pick: int, how: str) -> None:
        sound = sorted(self.sealed - self.damaged)
        key, run_id = sound[pick % len(sound)]
        path = self.deployment.payload(key, run_id)
        path.chmod(0o644)
        data = path.read_bytes()
        if how == "payload":
            path.write_bytes(data[:20] + bytes([data[20] ^ 1]) + data[21:])
        elif how == "cut":
            path.write_bytes(data[:-1])
        else:
            path.unlink()
        self.damaged.add((key, run_id))

    @rule(key=_keys)
    def order_a_retry(self, key: PartitionKey) -> None:
        act = OperatorAct(self.deployment.clock.now(), "operator", "retry", "again")
        self.deployment.control_plane.retry([key], act)

    @rule()
    def the_consumer_starts_anew(self) -> None:
        self.consumer.close()
        self.consumer = self.deployment.consumer()

    @rule()
    def take_a_snapshot(self) -> None:
        snapshot = self.consumer.snapshot("campaign")
        self.snapshots.append((snapshot, self._authoritative_now()))
        if len(self.snapshots) > 6:
            self.snapshots.pop(0)

    @rule(pick=st.integers(0, 1_000))
    def read_a_snapshot(self, pick: int) -> None:
        if self.snapshots:
            snapshot, then = self.snapshots[pick % len(self.snapshots)]
            assert {one.key: one for one in snapshot.partitions} == then
            self._read(snapshot)

    @rule(pick=st.integers(0, 1_000))
    def travel_in_time(self, pick: int) -> None:
        if self.recorded:
            position = sorted(self.recorded)[pick % len(self.recorded)]
            snapshot = self.consumer.snapshot("campaign", as_of=position)
            assert {one.key: one for one in snapshot.partitions} == self.recorded[position]
            self._read(snapshot)

    @rule(steps=st.integers(0, 5), dies=st.booleans())
    def follow_the_feed(self, steps: int, dies: bool) -> None:
        """Apply some changes; a follower that dies has applied more than its cursor says."""
        feed = self.consumer.changes(after=self.cursor)
        for _, change in zip(range(steps), feed, strict=False):
            if change.partition is None:
                self.mine.pop(change.key, None)
            else:
                self.mine[change.key] = change.partition
        if not dies:
            self.cursor = feed.cursor

    @rule()
    def follow_to_the_end(self) -> None:
        self._exhaust(self.consumer.changes(after=self.cursor))
        assert self.mine == self._authoritative_now()

    @rule()
    def follow_by_one_step(self) -> None:
        delta = self.consumer.delta("campaign", after=self.cursor)
        for key in delta.replaced:
            self.mine.pop(key, None)
        self.mine |= {one.key: one for one in delta.snapshot.partitions}
        if self.cursor is None:
            self.mine = {one.key: one for one in delta.snapshot.partitions}
        self.cursor = delta.cursor
        assert self.mine == self._authoritative_now()

    @invariant()
    def a_snapshot_is_what_the_ledger_says(self) -> None:
        current = self._authoritative_now()
        snapshot = self.consumer.snapshot("campaign")
        assert {one.key: one for one in snapshot.partitions} == current
        assert {gap.key for gap in snapshot.missing}.isdisjoint(current)
        self.recorded[snapshot.position] = current
        erased = self._erased()
        for customer in erased:
            with pytest.raises(AccountErasedError):
                self.consumer.ready("campaign", customers=customer, day=KEYS[0].logical_date)
        customers = [customer for customer in CUSTOMER_IDS if customer not in erased]
        if not customers:
            return
        first, last = KEYS[0].logical_date, KEYS[-1].logical_date
        gaps = self.consumer.gaps("campaign", since=first, until=last, customers=customers)
        states = self.deployment.ledger.get_many(KEYS)
        assert {(gap.key, gap.status) for gap in gaps} == {
            (state.key, state.status)
            for state in states
            if state.status is not PartitionStatus.SUCCESS and state.key.customer_id in customers
        }
        assert bool(self.consumer.ready("campaign", since=first, day=last, customers=customers)) == (not gaps)

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.consumer.close()
            self.deployment.close()
            self.folder.cleanup()

    def _erasures(self) -> list[Erasure]:
        return self.deployment.ledger.erasures(GOOGLE_ADS)

    def _erased(self) -> set[str]:
        return set(in_force(self._erasures()))

    def _authoritative_now(self) -> Current:
        return {
            state.key: CurrentPartition(
                state.key, state.current_run_id, state.record_count, state.schema_version, state.seal_sha256
            )
            for state in self.deployment.ledger.get_many(KEYS)
            if state.current_run_id and state.record_count is not None and state.schema_version and state.seal_sha256
        }

    def _read(self, snapshot: Snapshot) -> None:
        hurt = [one for one in snapshot.partitions if (one.key, one.run_id) in self.damaged]
        if not snapshot.partitions:
            return
        if hurt:
            with pytest.raises((PartitionAlteredError, PartitionGoneError)) as caught:
                snapshot.to_table()
            assert any(str(one) in caught.value.message for one in hurt)
            return
        assert faults_of_reading(snapshot.to_table(identity=True), snapshot.partitions) == []

    def _exhaust(self, feed: Changes) -> None:
        for change in feed:
            if change.partition is None:
                self.mine.pop(change.key, None)
            else:
                self.mine[change.key] = change.partition
        self.cursor = feed.cursor


UNHURRIED = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))


def test_short_stories() -> None:
    run_state_machine_as_test(Stories, settings=settings(UNHURRIED, max_examples=8, stateful_step_count=20))


@pytest.mark.campaign
@pytest.mark.timeout(1_800)
def test_many_long_stories() -> None:
    run_state_machine_as_test(Stories, settings=settings(UNHURRIED, max_examples=200, stateful_step_count=60))
