"""Random stories of validators and control plane against a model of the ledger's laws."""

from __future__ import annotations

import itertools
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from gads_conformance.ledger_samples import act_of, change_of, judged, key_of
from gads_domain.adapters import LedgerAdapter
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.ledger import ControlPlaneLedger, StateReader, ValidatorLedger
from gads_domain.state import (
    KeyHistory,
    OperatorAct,
    PartitionState,
    PartitionStatus,
    StateChange,
    ValidationOutcome,
    ValidationResult,
)
from gads_domain.state_machine import is_news, retry

_DAYS = 3
_days = st.integers(0, _DAYS - 1)
_runs = st.integers(1, 6)
_outcomes = st.sampled_from(ValidationOutcome)
_rows = st.sampled_from(["a", "b"])
_seconds = st.integers(0, 1_000)


@dataclass
class _Remembered:
    """What the ledger should say of one key."""

    state: PartitionState
    results: list[ValidationResult] = field(default_factory=list)
    acts: list[OperatorAct] = field(default_factory=list)
    former: list[PartitionState] = field(default_factory=list)

    @property
    def history(self) -> KeyHistory:
        return KeyHistory(self.state, tuple(self.results))


def check_against_model(
    adapter: LedgerAdapter, url: str, base: Path, *, examples: int, steps: int, shrink: bool = True
) -> None:
    """Run the machine; each story has an account of its own in the one ledger.

    `shrink` is whether to look for the shortest story that breaks a law.
    """
    accounts = itertools.count(1)
    with ExitStack() as stack:
        validators = [stack.enter_context(adapter.open_for_validator(url, base)) for _ in range(2)]
        control_planes = [stack.enter_context(adapter.open_for_control_plane(url, base)) for _ in range(2)]
        readers = [stack.enter_context(adapter.open_reader(url, base)), *validators, *control_planes]

        class Story(_Story):
            def __init__(self) -> None:
                super().__init__(next(accounts), validators, control_planes, readers)

        run_state_machine_as_test(
            Story,
            settings=settings(
                max_examples=examples,
                stateful_step_count=steps,
                deadline=None,
                database=None,
                report_multiple_bugs=False,
                phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
                suppress_health_check=list(HealthCheck),
            ),
        )


class _Story(RuleBasedStateMachine):
    def __init__(
        self,
        account: int,
        validators: list[ValidatorLedger],
        control_planes: list[ControlPlaneLedger],
        readers: list[StateReader],
    ) -> None:
        super().__init__()
        self.validators = validators
        self.control_planes = control_planes
        self.readers = readers
        self.start = readers[0].position()
        self.model = {key: _Remembered(PartitionState(key)) for key in (key_of(account, day) for day in range(_DAYS))}
        self.keys: list[PartitionKey] = list(self.model)
        self.log: list[tuple[object, ...]] = []
        self.turns = itertools.count()

    @rule(day=_days, run=_runs, outcome=_outcomes, rows=_rows, second=_seconds, who=st.integers(0, 1))
    def judge(self, day: int, run: int, outcome: ValidationOutcome, rows: str, second: int, who: int) -> None:
        key = self.keys[day]
        attempt = judged(key, run, outcome, rows=rows, second=second)
        history = self.validators[who].history(key)
        if is_news(history, attempt):
            change = change_of(history, attempt)
            assert self.validators[who].record([change]) == [True]
            self._remember(change)

    @rule(
        picks=st.lists(st.tuples(_days, _runs, _outcomes, _rows), min_size=1, max_size=6),
        who=st.integers(0, 1),
    )
    def judge_many_from_one_look(self, picks: list[tuple[int, int, ValidationOutcome, str]], who: int) -> None:
        seen = {key: remembered.history for key, remembered in self.model.items()}
        changes: list[StateChange] = []
        for day, run, outcome, rows in picks:
            attempt = judged(self.keys[day], run, outcome, rows=rows)
            if is_news(seen[attempt.key], attempt):
                changes.append(change_of(seen[attempt.key], attempt))
        written: set[PartitionKey] = set()
        expected = []
        for change in changes:
            expected.append(change.after.key not in written)
            written.add(change.after.key)
        assert self.validators[who].record(changes) == expected
        for change, was_recorded in zip(changes, expected, strict=True):
            if was_recorded:
                self._remember(change)

    @rule(day=_days, run=_runs, outcome=_outcomes, back=st.integers(0, 5), who=st.integers(0, 1))
    def judge_from_a_stale_look(self, day: int, run: int, outcome: ValidationOutcome, back: int, who: int) -> None:
        remembered = self.model[self.keys[day]]
        if remembered.former:
            stale = remembered.former[back % len(remembered.former)]
            attempt = judged(self.keys[day], run + 10, outcome)
            change = change_of(KeyHistory(stale), attempt)
            if change.after.status is not PartitionStatus.PENDING:
                assert self.validators[who].record([change]) == [False]

    @rule(days=st.lists(_days, max_size=4), second=_seconds, who=st.integers(0, 1))
    def order_retries(self, days: list[int], second: int, who: int) -> None:
        act = act_of(second, actor=f"operator {next(self.turns)}")
        expected = []
        for day in days:
            remembered = self.model[self.keys[day]]
            before = remembered.state
            moves = before.status is PartitionStatus.FAILED
            expected.append(moves)
            if moves:
                remembered.former.append(before)
                remembered.state = retry(before, act.at)
                remembered.acts.append(act)
                self._remember_move(before, remembered.state, "retry")
        assert self.control_planes[who].retry([self.keys[day] for day in days], act) == expected

    @invariant()
    def every_connection_agrees_with_the_model(self) -> None:
        states = [remembered.state for remembered in self.model.values()]
        for ledger in self.readers:
            assert ledger.get_many(self.keys) == states
        for ledger in self.readers[:2]:
            assert ledger.histories(self.keys) == [remembered.history for remembered in self.model.values()]
            for key, remembered in self.model.items():
                assert ledger.history(key) == remembered.history
                assert [recorded.act for recorded in ledger.acts(key)] == remembered.acts
            entries = ledger.authority_changes(after=self.start)
            assert [
                (e.key, e.from_run, e.to_run, e.status_before, e.status_after, e.seal_sha256, e.cause) for e in entries
            ] == self.log
            assert all(one.at <= other.at for one, other in itertools.pairwise(entries))
            assert all(one.sequence < other.sequence for one, other in itertools.pairwise(entries))

    def _remember(self, change: StateChange) -> None:
        remembered = self.model[change.after.key]
        remembered.former.append(remembered.state)
        remembered.state = change.after
        if change.attempt is not None:
            remembered.results.append(change.attempt)
        self._remember_move(change.before, change.after, "validate")

    def _remember_move(self, before: PartitionState, after: PartitionState, cause: str) -> None:
        if (before.status, before.current_run_id) != (after.status, after.current_run_id):
            runs = (before.current_run_id, after.current_run_id)
            self.log.append((after.key, *runs, before.status, after.status, after.seal_sha256, cause))
