"""No story of runs, crashes, operators, policy and second instances reaches a move outside the contract's table."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from gads_domain.control import Lease, Mark
from gads_domain.partition_key import PartitionKey
from gads_domain.run import RunContext, RunId
from gads_domain.state import AuthorityChange, PartitionStatus
from gads_domain.state_machine import choose
from gads_orchestrator.plan import Account, WorkPlan
from gads_testing.simulated_agency import ALLOWED_CHANGES
from gads_testing.simulated_deployment import REPORT, SimulatedDeployment, key_of

NOON = datetime(2024, 6, 10, 12, tzinfo=UTC)
_ACCOUNTS = (Account("1"), Account("2", "Asia/Tokyo"))
_who = st.integers(0, 1)
_account = st.sampled_from(["1", "2"])
_days_ago = st.integers(1, 4)


class _CrashError(BaseException):
    """The process is gone."""


class Story(RuleBasedStateMachine):
    """Two orchestrators, one ledger, one storage."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        first = SimulatedDeployment(Path(self._folder.name), NOON, limit=40)
        self.instances = [first, first.second_instance()]
        self.plans: list[WorkPlan | None] = [None, None]
        self.lost: list[Lease] = []
        self.revoked: dict[PartitionKey, set[RunId]] = {}
        self.accepted: dict[PartitionKey, set[RunId]] = {}
        self.seen = 0
        self.chain: dict[PartitionKey, tuple[PartitionStatus, RunId | None]] = {}

    def teardown(self) -> None:
        for deployment in self.instances:
            deployment.close()
        self._folder.cleanup()

    @rule(hours=st.integers(1, 30))
    def time_passes(self, hours: int) -> None:
        self.instances[0].pass_time(hours=hours)

    @rule(account=_account, kind=st.sampled_from(["out", "denied", "well"]))
    def the_api_changes(self, account: str, kind: str) -> None:
        trouble, now = self.instances[0].trouble, self.instances[0].clock.now()
        forever = now + timedelta(days=999)
        trouble.outages = [(now, forever, frozenset({account}))] if kind == "out" else []
        trouble.denied = {account: (now, forever)} if kind == "denied" else {}

    @rule(who=_who)
    def plan(self, who: int) -> None:
        self.plans[who] = self.instances[who].plan(REPORT, accounts=_ACCOUNTS, since=NOON.date() - timedelta(days=5))

    @precondition(lambda self: any(self.plans))
    @rule(who=_who, crash_after=st.none() | st.integers(0, 5), other_too=st.booleans())
    def execute_plan(self, who: int, crash_after: int | None, other_too: bool) -> None:
        plan, deployment = self.plans[who], self.instances[who]
        if plan is None:
            return
        sealed = [0]

        def before_seal(key: object) -> None:
            if other_too and sealed[0] == 1:
                self._carry_all(1 - who)
            if sealed[0] == crash_after:
                # As by SIGKILL: leases stay where they are.
                raise _CrashError
            sealed[0] += 1

        deployment.before_seal = before_seal
        control = deployment.control
        release, renew = control.release_leases, control.renew_leases
        if crash_after is not None:
            # The dead give nothing back.
            control.release_leases = self.lost.extend  # type: ignore[method-assign, assignment]
            control.renew_leases = lambda leases, now, until: self.lost.extend(leases)  # type: ignore[method-assign, assignment, return-value]
        try:
            deployment.execute(plan)
        except _CrashError:
            pass
        finally:
            deployment.before_seal = lambda key: None
            control.release_leases, control.renew_leases = release, renew  # type: ignore[method-assign]  # alive again
        self.plans[who] = None

    def _carry_all(self, who: int) -> None:
        deployment = self.instances[who]
        deployment.before_seal = lambda key: None
        deployment.execute(deployment.plan(REPORT, accounts=_ACCOUNTS, since=NOON.date() - timedelta(days=5)))

    @rule(who=_who, account=_account, ago=_days_ago, by_policy=st.booleans())
    def retry(self, who: int, account: str, ago: int, by_policy: bool) -> None:
        deployment = self.instances[who]
        deployment.control.retry([self._key(account, ago)], deployment.act(by_policy=by_policy))

    @rule(who=_who, account=_account, ago=_days_ago, mark=st.sampled_from(Mark), on=st.booleans())
    def mark(self, who: int, account: str, ago: int, mark: Mark, on: bool) -> None:
        deployment = self.instances[who]
        (deployment.control.mark if on else deployment.control.unmark)(
            [self._key(account, ago)], mark, deployment.act()
        )

    @rule(who=_who, account=_account, ago=_days_ago, which=st.integers(0, 9), carried_out=st.booleans())
    def revoke(self, who: int, account: str, ago: int, which: int, carried_out: bool) -> None:
        deployment, key = self.instances[who], self._key(account, ago)
        attempts = deployment.control.history(key).results
        if attempts:
            run = attempts[which % len(attempts)].run_id
            deployment.control.revoke([(key, run)], deployment.act())
            self.revoked.setdefault(key, set()).add(run)
        if carried_out:
            deployment.validator.validate([key])

    @rule(who=_who, account=_account, ago=_days_ago, validated=st.booleans())
    def accept(self, who: int, account: str, ago: int, validated: bool) -> None:
        deployment, key = self.instances[who], self._key(account, ago)
        held = deployment.control.get(key).held_run_id
        if held is not None:
            deployment.control.accept([(key, held)], deployment.act())
            self.accepted.setdefault(key, set()).add(held)
        if validated:
            deployment.validator.validate([key])

    @rule(who=_who, account=_account, ago=_days_ago, rows=st.sampled_from(["late rows", ""]), validated=st.booleans())
    def a_late_run_seals(self, who: int, account: str, ago: int, rows: str, validated: bool) -> None:
        deployment, key = self.instances[who], self._key(account, ago)
        deployment.sink.seal(key, RunContext(deployment.run_ids.new_run_id()).run_id, rows)
        if validated:
            deployment.validator.validate([key])

    @invariant()
    def r1_only_the_tables_moves_are_in_the_log(self) -> None:
        control = self.instances[0].control
        for entry in control.authority_changes(after=self.seen):
            self.seen = entry.sequence
            move = (entry.status_before.value, entry.status_after.value, entry.cause)
            # A run that is validated while a revocation waits takes effect together with it, in one entry.
            revoked_meanwhile = entry.from_run in self.revoked.get(entry.key, set())
            assert move in ALLOWED_CHANGES or (move == ("success", "failed", "validate") and revoked_meanwhile)
            assert self.chain.get(entry.key, (PartitionStatus.PENDING, None)) == (entry.status_before, entry.from_run)
            self.chain[entry.key] = (entry.status_after, entry.to_run)
            if entry.cause == "retry":
                assert [act for act in control.acts(entry.key) if act.kind == "retry"]

        self._authority_is_what_the_record_says()

    def _authority_is_what_the_record_says(self) -> None:
        control = self.instances[0].control
        for key, (status, run) in self.chain.items():
            history = control.history(key)
            assert (history.state.status, history.state.current_run_id) == (status, run)
            assert history.revoked == self.revoked.get(key, set())
            assert history.accepted == self.accepted.get(key, set())
            chosen = choose(history.results, history.revoked, history.accepted)
            # Only an act that the validator has not settled yet may make a difference.
            if not history.revoked and not history.accepted:
                assert run == (chosen.winner.run_id if chosen.winner else None)
                assert history.state.held_run_id == (chosen.held.run_id if chosen.held else None)

    @invariant()
    def no_rows_take_the_place_of_rows_by_themselves(self) -> None:
        control = self.instances[0].control
        former: dict[PartitionKey, AuthorityChange] = {}
        for entry in control.authority_changes():
            if entry.to_run is not None:
                before = former.get(entry.key)
                if before and before.record_count and not entry.record_count and str(entry.to_run) > str(before.to_run):
                    assert entry.to_run in self.accepted.get(entry.key, set())
                former[entry.key] = entry

    @invariant()
    def the_budget_holds_and_leases_are_single(self) -> None:
        deployment = self.instances[0]
        assert deployment.control.spent("t", deployment.clock.now()).count <= 40
        leases = deployment.control.leases(deployment.clock.now())
        assert len({lease.scope for lease in leases}) == len({lease.number for lease in leases}) == len(leases)
        for one in self.lost:
            assert deployment.control.renew_leases([one], one.expires_at, one.expires_at + timedelta(1)) == [None]

    def _key(self, account: str, ago: int) -> PartitionKey:
        return key_of(NOON.date() - timedelta(days=ago), account)


def _tell(examples: int, steps: int) -> None:
    run_state_machine_as_test(
        Story,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_r1_no_change_outside_the_table_is_reachable() -> None:
    _tell(examples=15, steps=20)


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_r1_no_change_outside_the_table_is_reachable_in_long_stories() -> None:
    _tell(examples=300, steps=50)
