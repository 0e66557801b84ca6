"""Random stories of validators and control planes against a model of the ledger."""

import itertools
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gads_conformance.law import run_stories
from gads_conformance.ledger.samples import act_of, change_of, confirmation_of, key_of, moment, result_of, run_of
from gads_conformance.ledger.suite import Effort, LedgerSuite, LedgerUnderTest
from gads_domain.ports.ledger import ControlPlaneLedger, StateReader, ValidatorLedger
from gads_domain.run import RunId
from gads_domain.state import (
    KeyHistory,
    OperatorAct,
    PartitionState,
    PartitionStatus,
    StateChange,
    ValidationOutcome,
    ValidationResult,
)
from gads_domain.state_machine import confirmed, is_confirmed, is_news, retry, settle

_DAYS = 3
_days = st.integers(0, _DAYS - 1)
_runs = st.integers(1, 6)
_outcomes = st.sampled_from(ValidationOutcome)
_rows = st.sampled_from(["a", "b"])
_counts = st.sampled_from([0, 1, 2])
_shares = st.sampled_from([None, 0.5, 1.0])
_seconds = st.integers(0, 1_000)
_who = st.integers(0, 1)


@dataclass
class _Partition:
    """What the ledger should hold of one key."""

    state: PartitionState
    results: list[ValidationResult] = field(default_factory=list)
    acts: list[OperatorAct] = field(default_factory=list)
    former: list[PartitionState] = field(default_factory=list)
    accepted: set[RunId] = field(default_factory=set)

    @property
    def history(self) -> KeyHistory:
        return KeyHistory(self.state, tuple(self.results), accepted=frozenset(self.accepted))


class ModelLaws(LedgerSuite):
    """Any story, through two connections of each port, against a model."""

    def test_any_story_agrees_with_the_model(self, ledger: LedgerUnderTest, effort: Effort) -> None:
        check_against_model(ledger, examples=effort.examples, steps=effort.steps)


def check_against_model(ledger: LedgerUnderTest, *, examples: int, steps: int, shrink: bool = True) -> None:
    """Run the machine; each story has an account of its own in the one ledger."""
    accounts = itertools.count(1)
    with ExitStack() as stack:
        validators = [stack.enter_context(ledger.open_for_validator()) for _ in range(2)]
        controls = [stack.enter_context(ledger.open_for_control_plane()) for _ in range(2)]
        readers = [stack.enter_context(ledger.open_reader()), *validators, *controls]

        class Story(_Story):
            def __init__(self) -> None:
                super().__init__(next(accounts), validators, controls, readers)

        run_stories(Story, examples, steps, shrink=shrink)


class _Story(RuleBasedStateMachine):
    def __init__(
        self,
        account: int,
        validators: list[ValidatorLedger],
        controls: list[ControlPlaneLedger],
        readers: list[StateReader],
    ) -> None:
        super().__init__()
        self.validators = validators
        self.controls = controls
        self.readers = readers
        self.start = readers[0].position()
        self.keys = [key_of(account, day) for day in range(_DAYS)]
        self.model = {key: _Partition(PartitionState(key)) for key in self.keys}
        self.changes: list[tuple[object, ...]] = []
        self.turns = itertools.count()

    @rule(day=_days, run=_runs, outcome=_outcomes, rows=_rows, count=_counts, share=_shares, second=_seconds, who=_who)
    def record_one(
        self,
        day: int,
        run: int,
        outcome: ValidationOutcome,
        rows: str,
        count: int,
        share: float | None,
        second: int,
        who: int,
    ) -> None:
        key = self.keys[day]
        result = result_of(key, run, outcome, rows=f"{rows}{count}", second=second, count=count, vanished_rows=share)
        history = self.validators[who].history(key)
        if is_news(history, result):
            change = change_of(history, result)
            assert self.validators[who].record([change]) == [True]
            self._apply(change)

    @rule(picks=st.lists(st.tuples(_days, _runs, _outcomes, _rows), min_size=1, max_size=6), who=_who)
    def record_many_from_one_read(self, picks: list[tuple[int, int, ValidationOutcome, str]], who: int) -> None:
        histories = {key: partition.history for key, partition in self.model.items()}
        changes: list[StateChange] = []
        for day, run, outcome, rows in picks:
            result = result_of(self.keys[day], run, outcome, rows=rows)
            if is_news(histories[result.key], result):
                changes.append(change_of(histories[result.key], result))
        keys = [change.after.key for change in changes]
        expected = [key not in keys[:number] for number, key in enumerate(keys)]
        assert self.validators[who].record(changes) == expected
        for change, was_recorded in zip(changes, expected, strict=True):
            if was_recorded:
                self._apply(change)

    @rule(day=_days, run=_runs, outcome=_outcomes, back=st.integers(0, 5), who=_who)
    def record_from_a_stale_read(self, day: int, run: int, outcome: ValidationOutcome, back: int, who: int) -> None:
        former = self.model[self.keys[day]].former
        if former:
            change = change_of(KeyHistory(former[back % len(former)]), result_of(self.keys[day], run + 10, outcome))
            if change.after.status is not PartitionStatus.PENDING:
                assert self.validators[who].record([change]) == [False]

    @rule(day=_days, by=st.integers(1, 12), right=st.booleans(), who=_who)
    def confirm(self, day: int, by: int, right: bool, who: int) -> None:
        partition, validator = self.model[self.keys[day]], self.validators[who]
        history = partition.history
        state, confirmation = history.state, confirmation_of(history, by)
        if not right:
            confirmation = replace(confirmation, content_sha256="0" * 64)
        is_plain = state.current_run_id is not None and not state.last_error and state.held_run_id is None
        is_newer = state.current_run_id is not None and confirmation.by > (
            state.confirmed_run_id or state.current_run_id
        )
        expected = right and is_plain and is_newer
        assert validator.confirm([confirmation]) == [expected]
        after = settle(history, None, confirmation.at, confirmation)
        if after is not state and is_confirmed(history, confirmation):
            change = StateChange(state, after, None)
            if not expected:
                assert validator.record([change]) == [True]
            self._apply(change)

    @rule(days=st.lists(_days, max_size=4), second=_seconds, who=_who)
    def retry(self, days: list[int], second: int, who: int) -> None:
        act = act_of(second, actor=f"operator {next(self.turns)}")
        expected = []
        for day in days:
            partition = self.model[self.keys[day]]
            before = partition.state
            expected.append(before.status is PartitionStatus.FAILED)
            if expected[-1]:
                partition.former.append(before)
                partition.state = retry(before, act.at)
                partition.acts.append(act)
                self._expect_entry(before, partition.state, "retry")
        assert self.controls[who].retry([self.keys[day] for day in days], act) == expected

    @rule(day=_days, settled=st.booleans(), second=_seconds, who=_who)
    def accept_what_is_held(self, day: int, settled: bool, second: int, who: int) -> None:
        key, act = self.keys[day], act_of(second, actor=f"operator {next(self.turns)}")
        partition = self.model[key]
        held = partition.state.held_run_id
        is_new = held is not None and held not in partition.accepted
        assert self.controls[who].accept([(key, held or run_of(1))], act) == [is_new]
        if held is not None and is_new:
            partition.former.append(partition.state)
            partition.state = replace(partition.state, version=partition.state.version + 1, updated_at=act.at)
            partition.accepted.add(held)
            partition.acts.append(act)
        history = self.validators[who].history(key)
        after = settle(history, None, moment(second))
        if settled and after is not history.state:
            change = StateChange(history.state, after, None)
            assert self.validators[who].record([change]) == [True]
            self._apply(change)

    @invariant()
    def every_connection_agrees_with_the_model(self) -> None:
        states = [partition.state for partition in self.model.values()]
        for each in self.readers:
            assert each.get_many(self.keys) == states
        for each in self.readers[:2]:
            assert each.histories(self.keys) == [partition.history for partition in self.model.values()]
            for key, partition in self.model.items():
                assert each.history(key) == partition.history
                assert [recorded.act for recorded in each.acts(key)] == partition.acts
            entries = each.authority_changes(after=self.start)
            assert [
                (e.key, e.from_run, e.to_run, e.status_before, e.status_after, e.seal_sha256, e.cause) for e in entries
            ] == self.changes
            assert all(one.at <= other.at for one, other in itertools.pairwise(entries))
            assert all(one.sequence < other.sequence for one, other in itertools.pairwise(entries))

    def _apply(self, change: StateChange) -> None:
        partition = self.model[change.after.key]
        partition.former.append(partition.state)
        partition.state = change.after
        if change.attempt is not None:
            partition.results.append(change.attempt)
        after = change.after
        if after.current_run_id and after.confirmed_run_id and after.confirmed_at:
            by = (after.current_run_id, after.confirmed_run_id, after.confirmed_at)
            partition.results = list(confirmed(partition.results, *by))
        self._expect_entry(change.before, after, change.cause)

    def _expect_entry(self, before: PartitionState, after: PartitionState, cause: str) -> None:
        if (before.status, before.current_run_id) != (after.status, after.current_run_id):
            runs = (before.current_run_id, after.current_run_id)
            self.changes.append((after.key, *runs, before.status, after.status, after.seal_sha256, cause))
