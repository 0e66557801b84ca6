"""Whatever happens, consumers see what they would if each extraction of an unchanged day had sealed, and none went."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from gads_conformance.ledger.samples import run_of
from gads_domain.control import RetentionPolicy
from gads_domain.errors import FailureReason
from gads_domain.ports.validation import UnsealedRun
from gads_domain.run import RunId
from gads_domain.state import Confirmation, PartitionStatus, StateFilter, ValidationResult
from gads_domain.state_machine import choose
from gads_testing.simulated_deployment import YESTERDAY, SimulatedDeployment, key_of

KEY = key_of(YESTERDAY)
_rows = st.sampled_from(["a", "a", "b", ""])
_who = st.integers(0, 1)


class Story(RuleBasedStateMachine):
    """Two processes that extract a day, at times late; the model keeps the seals that were spared."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = tempfile.TemporaryDirectory()
        first = SimulatedDeployment(Path(self._folder.name))
        self.instances = [first, first.second_instance()]
        self.sink = first.sink
        self.runs = 0
        self.late: list[Confirmation] = []
        self.spared: list[Confirmation] = []

    def teardown(self) -> None:
        for deployment in self.instances:
            deployment.close()
        self._folder.cleanup()

    @rule(extractions=st.lists(st.tuples(_rows, st.booleans()), min_size=1, max_size=6), who=_who)
    def extract(self, extractions: list[tuple[str, bool]], who: int) -> None:
        for rows, is_late in extractions:
            deployment, run = self.instances[who], self._next_run()
            known = deployment.control.known_contents(StateFilter()).get(KEY)
            if known is not None and known.content_sha256 == rows:
                found = Confirmation(KEY, known.run_id, run, rows, deployment.clock.now())
                self.late.append(found) if is_late else self._confirm(found, who)
                continue
            self.sink.seal(KEY, run, rows)
            if not is_late:
                deployment.validator.validate([KEY])

    @precondition(lambda self: self.late)
    @rule(number=st.integers(0, 9), who=_who)
    def what_was_late_is_confirmed(self, number: int, who: int) -> None:
        self._confirm(self.late.pop(number % len(self.late)), who)

    def _confirm(self, found: Confirmation, who: int) -> None:
        validator = self.instances[who].validator
        position = self.instances[who].control.position()
        (is_confirmed,) = validator.confirm([found])
        assert self.instances[who].control.position() == position
        if is_confirmed:
            self.spared.append(found)
        else:
            self.sink.seal(KEY, found.by, found.content_sha256)
            validator.validate([KEY])

    @rule(who=_who)
    def what_is_sealed_is_validated(self, who: int) -> None:
        self.instances[who].validator.validate([KEY])

    @rule(who=_who)
    def fail(self, who: int) -> None:
        reason = FailureReason("api_permanent", "refused", retryable=False)
        self.instances[who].validator.validate([KEY], unsealed={KEY: UnsealedRun(self._next_run(), reason)})

    @rule(number=st.integers(0, 9), who=_who)
    def revoke(self, number: int, who: int) -> None:
        deployment = self.instances[who]
        history = deployment.control.history(KEY)
        if history.results:
            run_id = history.results[number % len(history.results)].run_id
            left = choose(history.results, history.revoked | {run_id}, history.accepted)
            if {one.run_id for one in (left.winner, left.held) if one} & history.pruned_runs:
                return  # too late for a revocation to fall back: the day would be extracted again
            deployment.control.revoke([(KEY, run_id)], deployment.act())
        deployment.validator.validate([KEY])

    @rule(days=st.integers(1, 60), who=_who)
    def prune(self, days: int, who: int) -> None:
        """Retention, days after all that was sealed was validated; the model prunes nothing."""
        deployment = self.instances[who]
        deployment.validator.validate([KEY])
        deployment.pass_time(days=days)
        runs = [(KEY, run_id) for run_id in self.sink.runs(KEY)]
        pruned = deployment.control.prune(runs, RetentionPolicy(timedelta(days=30)), deployment.act())
        self.sink.remove([(KEY, one.run_id) for one in pruned if one is not None])

    @rule(who=_who)
    def accept(self, who: int) -> None:
        deployment = self.instances[who]
        held = deployment.control.get(KEY).held_run_id
        if held is not None:
            deployment.control.accept([(KEY, held)], deployment.act())
        deployment.validator.validate([KEY])

    @invariant()
    def consumers_see_what_they_would_if_all_were_sealed(self) -> None:
        history = self.instances[0].control.history(KEY)
        state = history.state
        by_run = {result.run_id: result for result in history.results if result.has_seal}
        sealed = [replace(result, confirmed_by=None, confirmed_at=None) for result in history.results]
        sealed += (
            replace(by_run[one.of], run_id=one.by, confirmed_by=None, confirmed_at=None)
            for one in self.spared
            if one.of not in history.revoked
        )
        accepted = history.accepted | {one.by for one in self.spared if one.of in history.accepted}
        model = choose(sealed, history.revoked, accepted)
        assert self._content(state.current_run_id) == _rows_of(model.winner)
        assert self._content(state.held_run_id) == _rows_of(model.held)
        assert (state.status is PartitionStatus.SUCCESS) == (model.winner is not None)
        assert state.attempt_count == len({result.run_id for result in history.results})
        assert set(self.sink.runs(KEY)).isdisjoint(one.by for one in self.spared), "it was confirmed and sealed"

    def _content(self, run: RunId | None) -> str | None:
        return None if run is None else self.sink.contents[KEY][run]

    def _next_run(self) -> RunId:
        self.runs += 1
        return run_of(self.runs)


def _rows_of(result: ValidationResult | None) -> str | None:
    return None if result is None else result.content_sha256


def test_what_is_not_sealed_again_is_missed_by_no_consumer() -> None:
    run_state_machine_as_test(
        Story,
        settings=settings(
            max_examples=30,
            stateful_step_count=25,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
