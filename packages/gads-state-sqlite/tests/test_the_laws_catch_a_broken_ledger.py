"""A suite that passes whatever it is given is no suite: each of these ledgers breaks one law and has to be caught."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gads_conformance.ledger.model_laws import check_against_model
from gads_conformance.ledger.suite import LedgerUnderTest

# One run of the whole suite, over many ledgers, serves every test here.
pytestmark = pytest.mark.timeout(360)

_LEDGERS = '''
from dataclasses import replace
from pathlib import Path

import pytest

from gads_conformance import LedgerLaws
from gads_domain.account_days import DayRange
from gads_domain.expectations import Expectations, after_drawing
from gads_domain.metadata import KnownContent
from gads_domain.ports.pins import Pin
from gads_domain.state import OperatorAct, PartitionState, PartitionStatus, PrunedRun, StateFilter
from gads_state_sqlite.adapter import ADAPTER


class Wrapped:
    """Passes everything on, so that a subclass breaks one thing alone."""

    def __init__(self, whole):
        self.whole = whole

    def __getattr__(self, name):
        return getattr(self.whole, name)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.whole.close()


class Sound(Wrapped):
    pass


class IgnoresTheVersion(Wrapped):
    def record(self, changes):
        held = self.whole.get_many([change.after.key for change in changes])
        return self.whole.record(
            [
                replace(change, before=state, after=replace(change.after, version=state.version + 1))
                for change, state in zip(changes, held)
            ]
        )


class SaysRecordedWhenItIsNot(Wrapped):
    def record(self, changes):
        self.whole.record(changes)
        return [True] * len(changes)


class LosesTheCallAtTheFirstConflict(Wrapped):
    def record(self, changes):
        stale = [c for c in changes if self.whole.get(c.after.key).version != c.before.version]
        return [False] * len(changes) if stale else self.whole.record(changes)


class LosesAttempts(Wrapped):
    def record(self, changes):
        return self.whole.record([replace(change, attempt=None) for change in changes])


class LosesPins(Wrapped):
    def record(self, changes):
        return self.whole.record([replace(change, pin=None) for change in changes])


class ConfirmsWhatItDoesNot(Wrapped):
    def confirm(self, confirmations):
        self.whole.confirm(confirmations)
        return [True] * len(confirmations)


class KnowsWhatIsWithdrawn(Wrapped):
    def known_contents(self, wanted):
        return {
            state.key: KnownContent(one.run_id, one.content_sha256, one.schema_version, one.record_count)
            for state in self.whole.find(replace(wanted, statuses=()))
            for one in self.whole.history(state.key).results
            if one.run_id == state.current_run_id and one.content_sha256
        }


class RetriesWithoutEnd(Wrapped):
    def retry(self, keys, act):
        self.whole.retry(keys, act)
        return [True for _ in keys]


class KeepsWhatIsGivenBack(Wrapped):
    def take_leases(self, scopes, owner, now, until, giving_back=()):
        return self.whole.take_leases(scopes, owner, now, until)


class SkipsOfTheLog(Wrapped):
    def authority_changes(self, *, after=0, limit=None):
        return self.whole.authority_changes(after=after + 1 if after else 0, limit=limit)


class AnswersOutOfOrder(Wrapped):
    def get_many(self, keys):
        return sorted(self.whole.get_many(keys), key=lambda state: state.key)


class TellsHistoriesOutOfOrder(Wrapped):
    def histories(self, keys):
        return sorted(self.whole.histories(keys), key=lambda history: history.state.key)


class TellsHistoriesOfSeveralMoments(Wrapped):
    def histories(self, keys):
        return [self.whole.history(key) for key in keys]


class TellsHistoriesWithoutWhatWasWithdrawn(Wrapped):
    def histories(self, keys):
        return [replace(history, revoked=frozenset()) for history in self.whole.histories(keys)]


class ExcludesTheLastDay(Wrapped):
    def find(self, wanted, *, limit=None):
        found = self.whole.find(wanted, limit=limit)
        return (s for s in found if wanted.until is None or s.key.logical_date < wanted.until)


class FindsOverSeveralMoments(Wrapped):
    def find(self, wanted, *, limit=None):
        return (self.whole.get(state.key) for state in self.whole.find(wanted, limit=limit))


class TakesTheRunOfTheLastChangeForTheNewest(Wrapped):
    def newest_run(self):
        changes = self.whole.authority_changes()
        return changes[-1].to_run if changes else None


class TakesARevokedRunForTheNewest(Wrapped):
    def newest_run(self):
        states = self.whole.find(StateFilter())
        return max((r.run_id for s in states for r in self.whole.history(s.key).results), default=None)


class JoinsDaysOverAHole(Wrapped):
    def authoritative_days(self, wanted, position=None):
        found = self.whole.authoritative_days(wanted, position)
        return replace(
            found, days={pair: (DayRange(days[0].first, days[-1].last),) for pair, days in found.days.items()}
        )


class TakesTheAuthorityOfNowForThatOfThen(Wrapped):
    def authoritative_days(self, wanted, position=None):
        found = self.whole.authoritative_days(wanted)
        return found if position is None else replace(found, position=position)


class LosesLists(Wrapped):
    def record_list(self, drawn):
        return after_drawing(self.whole.expectations(drawn.source), drawn)


class TakesEachListForTheFirst(Wrapped):
    def expectations(self, source):
        found = self.whole.expectations(source)
        return replace(found, expected=tuple(one for one in found.expected if not one.closed))


class ForgetsWhatTheRowsShow(Wrapped):
    def expectations(self, source):
        found = self.whole.expectations(source)
        return found if found.drawn_at else Expectations(source)


class MixesSources(Wrapped):
    def expectations(self, source):
        return replace(self.whole.expectations("google_ads"), source=source)


class ActsByAList(Wrapped):
    def record_list(self, drawn):
        done = self.whole.record_list(drawn)
        failed = [state.key for state in self.whole.find(StateFilter(statuses=(PartitionStatus.FAILED,)))]
        self.whole.retry(failed, OperatorAct(drawn.drawn_at, "me", "accounts", "a list"))
        return done


class PrunesWhateverIsAsked(Wrapped):
    def prune(self, runs, policy, act):
        return [PrunedRun(*run, act) for run in runs]


class NeverEndsAPrune(Wrapped):
    def end_prunes(self, removed):
        pass


class PinsNothing(Wrapped):
    def pin(self, name, runs, until, now):
        return Pin(name, len(runs), until)


class Adapter:
    def __init__(self, kind):
        self.kind = kind

    def open_reader(self, url, base):
        return self.kind(ADAPTER.open_reader(url, base))

    def open_for_validator(self, url, base):
        return self.kind(ADAPTER.open_for_validator(url, base))

    def open_for_control_plane(self, url, base):
        return self.kind(ADAPTER.open_for_control_plane(url, base))

    def open_pins(self, url, base):
        return self.kind(ADAPTER.open_pins(url, base))

    def check(self, url, base):
        ADAPTER.check(url, base)


class CreatesWhenChecked(Adapter):
    def check(self, url, base):
        ADAPTER.open_for_control_plane(url, base).close()


class CreatesWhenRead(Adapter):
    def open_reader(self, url, base):
        ADAPTER.open_for_validator(url, base).close()
        return super().open_reader(url, base)


class OneForAll(Adapter):
    def open_reader(self, url, base):
        return ADAPTER.open_for_validator(url, base)


class Laws(LedgerLaws):
    @pytest.fixture
    def base(self, tmp_path):
        return tmp_path

    @pytest.fixture
    def ledger_url(self):
        return "sqlite:ledger.db"
'''

_CAUGHT_BY = {
    "Adapter(IgnoresTheVersion)": "test_a_stale_change_is_not_recorded",
    "Adapter(SaysRecordedWhenItIsNot)": "test_a_stale_change_is_not_recorded",
    "Adapter(LosesTheCallAtTheFirstConflict)": "test_changes_of_one_call_are_independent",
    "Adapter(LosesAttempts)": "test_what_was_recorded_is_read_back_as_it_was",
    "Adapter(LosesPins)": "test_a_schema_is_fixed_once",
    "Adapter(ConfirmsWhatItDoesNot)": "test_only_what_is_authoritative_and_whole_is_confirmed",
    "Adapter(KnowsWhatIsWithdrawn)": "test_the_known_contents_are_those_of_authoritative_runs",
    "Adapter(RetriesWithoutEnd)": "test_a_second_retry_changes_nothing",
    "Adapter(KeepsWhatIsGivenBack)": "test_leases_given_back_are_released",
    "Adapter(SkipsOfTheLog)": "test_changes_come_in_order",
    "Adapter(AnswersOutOfOrder)": "test_states_come_in_the_order_of_the_keys",
    "Adapter(TellsHistoriesOutOfOrder)": "test_histories_hold_what_belongs_to_each_key",
    "Adapter(TellsHistoriesOfSeveralMoments)": "test_many_keys_are_read_at_one_moment",
    "Adapter(TellsHistoriesWithoutWhatWasWithdrawn)": "test_histories_hold_what_belongs_to_each_key",
    "Adapter(ExcludesTheLastDay)": "test_find_matches_exactly_and_in_key_order",
    "Adapter(FindsOverSeveralMoments)": "test_find_is_of_one_moment",
    **dict.fromkeys(
        ("Adapter(TakesTheRunOfTheLastChangeForTheNewest)", "Adapter(TakesARevokedRunForTheNewest)"),
        "test_the_newest_run_is_the_latest_that_is_not_revoked",
    ),
    **dict.fromkeys(
        ("Adapter(JoinsDaysOverAHole)", "Adapter(TakesTheAuthorityOfNowForThatOfThen)"),
        "test_the_authoritative_days_are_those_that_are_success",
    ),
    "Adapter(LosesLists)": "test_lists_lead_on_from_what_is_on_record",
    "Adapter(TakesEachListForTheFirst)": "test_lists_lead_on_from_what_is_on_record",
    "Adapter(ForgetsWhatTheRowsShow)": "test_without_a_list_the_rows_say_what_is_expected",
    "Adapter(MixesSources)": "test_what_a_list_says_is_read_back_by_all",
    "Adapter(ActsByAList)": "test_a_list_touches_no_row",
    "Adapter(PrunesWhateverIsAsked)": "test_superseded_runs_are_pruned_once",
    "Adapter(NeverEndsAPrune)": "test_a_removal_ends_once",
    "Adapter(PinsNothing)": "test_a_pinned_run_is_kept_until_the_pin_ends",
    "CreatesWhenRead(Sound)": "test_an_absent_ledger_reads_as_empty_and_is_not_created",
    "CreatesWhenChecked(Sound)": "test_a_check_of_the_adapter_leaves_no_trace",
    "OneForAll(Sound)": "test_each_port_has_its_own_methods_only",
}


@pytest.fixture(scope="module")
def validations(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("broken")
    classes = [
        f"class Test{number}(Laws):\n    @pytest.fixture\n    def adapter(self):\n        return {adapter}\n"
        for number, adapter in enumerate(("Adapter(Sound)", *_CAUGHT_BY))
    ]
    (folder / "test_broken.py").write_text(_LEDGERS + "\n\n" + "\n\n".join(classes), encoding="utf-8")
    laws = [f"test_broken.py::Test{number}::{law}" for number, law in enumerate(_CAUGHT_BY.values(), start=1)]
    laws += [f"test_broken.py::Test0::{law}" for law in sorted(set(_CAUGHT_BY.values()))]
    command = [sys.executable, "-m", "pytest", "-q", "-rfp", "--tb=no", "-p", "no:cacheprovider", "-c", "/dev/null"]
    result = subprocess.run(
        [*command, "--rootdir", str(folder), *laws],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=300,
        check=False,
    )
    return result.stdout


@pytest.mark.parametrize("number", range(1, len(_CAUGHT_BY) + 1), ids=list(_CAUGHT_BY))
def test_a_broken_ledger_fails(validations: str, number: int) -> None:
    law = list(_CAUGHT_BY.values())[number - 1]
    assert f"FAILED test_broken.py::Test{number}::{law}" in validations, validations


@pytest.mark.parametrize("law", sorted(set(_CAUGHT_BY.values())))
def test_the_same_ledger_unbroken_passes(validations: str, law: str) -> None:
    assert f"PASSED test_broken.py::Test0::{law}" in validations, validations


def test_the_model_catches_a_broken_compare_and_set(tmp_path: Path) -> None:
    scope: dict[str, Any] = {}
    exec(_LEDGERS, scope)
    broken = scope["Adapter"](scope["IgnoresTheVersion"])
    with pytest.raises(AssertionError):
        check_against_model(LedgerUnderTest(broken, "sqlite:ledger.db", tmp_path), examples=30, steps=15, shrink=False)
