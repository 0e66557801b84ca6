"""The laws of activity: what processes say of themselves, and who notifies people of an alert."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gads_conformance.law import law
from gads_conformance.ledger.samples import act_of, key_of, moment, result_of
from gads_conformance.ledger.suite import LedgerSuite, LedgerUnderTest
from gads_domain.activity import AlertState, Heartbeat, Round, Severity
from gads_domain.adapters import LedgerAdapter
from gads_domain.expectations import DrawnList, ListedAccount
from gads_domain.partition_key import GOOGLE_ADS
from gads_domain.ports.activity import (
    CLAIM_LASTS,
    KEPT_PROCESSES,
    KEPT_RESOLVED,
    KEPT_ROUNDS,
    LONGEST_TEXT,
    ActivityLedger,
    ActivityLedgerAdapter,
    ActivityReader,
)
from gads_domain.state import StateFilter

_BEAT = Heartbeat(
    "one:1:a", "one", 1, "gads-etl serve", "1.0", moment(0), moment(1), timedelta(seconds=30), "idle", moment(1)
)
_ROUND = Round("one:1:a", "gads-etl serve", "20240601T030405678Z-00000001", moment(1), planned=7)
_ENDED = replace(
    _ROUND,
    ended_at=moment(9),
    ended="source",
    succeeded=4,
    unchanged=1,
    failed=2,
    deferred=1,
    rows=123,
    operations=3,
    message="the API cannot be reached",
)
_ALERT = AlertState("deadline", "campaign", moment(10), "campaign is not complete")
_LASTS = int(CLAIM_LASTS.total_seconds())


def _later(second: int, state: AlertState = _ALERT) -> AlertState:
    return replace(state, raised_at=moment(second))


class ActivityLaws(LedgerSuite):
    """Every law of `ActivityReader` and `ActivityLedger`. A subclass gives `ledger_url`, as for `LedgerLaws`."""

    @pytest.fixture
    def activity_adapter(self, adapter: LedgerAdapter) -> ActivityLedgerAdapter:
        assert isinstance(adapter, ActivityLedgerAdapter)
        return adapter

    @pytest.fixture
    def reader(self, activity_adapter: ActivityLedgerAdapter, ledger_url: str, base: Path) -> Iterator[ActivityReader]:
        with activity_adapter.open_activity_reader(ledger_url, base) as reader:
            yield reader

    @pytest.fixture
    def activity(
        self, activity_adapter: ActivityLedgerAdapter, ledger_url: str, base: Path
    ) -> Iterator[ActivityLedger]:
        with activity_adapter.open_activity(ledger_url, base) as activity:
            yield activity

    @law("ActivityReader", 1)
    @law("ActivityLedger", 1)
    def test_a_round_is_read_back_while_it_goes_on_and_when_it_has_ended(
        self, activity: ActivityLedger, reader: ActivityReader
    ) -> None:
        assert activity.record(_BEAT) == []
        (number,) = activity.record(_BEAT, [_ROUND])
        begun, ended = replace(_ROUND, number=number), replace(_ENDED, number=number)
        assert reader.rounds(5) == activity.rounds(5) == [begun]
        (second,) = activity.record(_BEAT, [_ROUND])
        assert second > number > 0
        assert activity.record(_BEAT, [replace(ended, process="other:1:b")]) == [number]
        assert reader.rounds(5)[1] == begun, "of another process"
        assert activity.record(_BEAT, [ended]) == [number]
        activity.record(_BEAT, [begun])
        for each in (reader, activity):
            assert each.rounds(5) == [replace(_ROUND, number=second), ended]
            assert each.rounds(1) == [replace(_ROUND, number=second)]
            assert each.rounds(5, before=second) == [ended]
            assert each.rounds(5, before=number) == []

    @law("ActivityReader", 1)
    @law("ActivityLedger", 1)
    def test_the_last_heartbeat_of_each_process_counts(self, activity: ActivityLedger, reader: ActivityReader) -> None:
        later = replace(_BEAT, beat_at=moment(31), doing="a round", active_at=moment(30))
        other = replace(_BEAT, process="two:1:b", host="two", beat_at=moment(5))
        for beat in (later, other, _BEAT):
            activity.record(beat)
        assert reader.heartbeats() == [later, other]
        assert reader.heartbeats(1) == [later]
        ended = replace(later, beat_at=moment(60), ended_at=moment(60))
        activity.record(ended)
        activity.record(replace(later, beat_at=moment(90)))
        assert reader.heartbeats() == activity.heartbeats() == [ended, other]

    @law("ActivityReader", 2)
    def test_an_absent_ledger_has_no_activity(
        self, activity_adapter: ActivityLedgerAdapter, reader: ActivityReader, ledger_url: str, base: Path
    ) -> None:
        assert not reader.has_activity()
        assert (reader.heartbeats(), reader.rounds(9), reader.alerts()) == ([], [], [])
        activity_adapter.open_activity(ledger_url, base).close()
        assert reader.has_activity()

    @law("ActivityLedger", 2)
    def test_of_many_that_race_one_notifies(
        self, activity_adapter: ActivityLedgerAdapter, reader: ActivityReader, ledger_url: str, base: Path
    ) -> None:
        subjects = [str(number) for number in range(10)]
        with ExitStack() as opened, ThreadPoolExecutor(4) as pool:
            ledgers = [opened.enter_context(activity_adapter.open_activity(ledger_url, base)) for _ in range(4)]

            def claimed(ledger: ActivityLedger) -> list[str]:
                return [one for one in subjects if ledger.claim_alert(replace(_ALERT, subject=one))]

            won = [one for some in pool.map(claimed, ledgers) for one in some]
            assert sorted(won) == subjects
            for subject in subjects:
                ledgers[0].alert_delivered("deadline", subject, moment(11))
            repeats = pool.map(lambda one: one.claim_alert(_later(99, replace(_ALERT, subject="3")),
                                                           repeat_before=moment(99)), ledgers)  # fmt: skip
            assert sorted(repeats) == [False, False, False, True]
            ends = pool.map(lambda one: one.resolve_alert("deadline", "4", moment(99)), ledgers)
            assert sorted(ends) == [False, False, False, True]
        assert {one.subject for one in reader.alerts()} == {*subjects} - {"4"}

    @law("ActivityReader", 1)
    @law("ActivityLedger", 2)
    def test_an_alert_is_due_again_by_its_severity_by_time_or_if_it_was_not_delivered(
        self, activity: ActivityLedger, reader: ActivityReader
    ) -> None:
        assert activity.claim_alert(_ALERT)
        assert reader.alerts() == activity.alerts() == [replace(_ALERT, claimed_at=moment(10))]
        assert not activity.claim_alert(_later(9 + _LASTS), repeat_before=moment(9 + _LASTS))
        assert activity.claim_alert(_later(10 + _LASTS)), "it was not delivered"
        assert not activity.claim_alert(_later(20))
        activity.alert_delivered("deadline", "campaign", moment(400))
        assert not activity.claim_alert(_later(9_000, replace(_ALERT, text="it is late")))
        assert not activity.claim_alert(_later(9_000), repeat_before=moment(400))
        worse = replace(_ALERT, severity=Severity.CRITICAL, text="it is very late")
        assert activity.claim_alert(_later(9_001, worse))
        activity.alert_delivered("deadline", "campaign", moment(9_002))
        assert not activity.claim_alert(_later(9_003, worse))
        assert activity.claim_alert(_later(9_004, worse), repeat_before=moment(9_003))
        activity.alert_delivered("deadline", "campaign", moment(9_005))
        (found,) = reader.alerts()
        assert found == replace(worse, claimed_at=moment(9_004), notified_at=moment(9_005))

    @law("ActivityLedger", 3)
    def test_an_alert_ends_once_and_comes_again(self, activity: ActivityLedger, reader: ActivityReader) -> None:
        assert not activity.resolve_alert("deadline", "campaign", moment(1))
        activity.claim_alert(_ALERT)
        assert not activity.resolve_alert("deadline", "campaign", moment(9)), "seen before it was raised"
        assert len(reader.alerts()) == 1
        assert not activity.resolve_alert("deadline", "campaign", moment(20)), "people do not know of it"
        assert reader.alerts() == []
        assert not activity.claim_alert(_later(20)), "seen before it was resolved"
        assert activity.claim_alert(_later(21))
        activity.alert_delivered("deadline", "campaign", moment(22))
        assert activity.resolve_alert("deadline", "campaign", moment(23))
        assert not activity.resolve_alert("deadline", "campaign", moment(24))
        (found,) = reader.alerts(open_only=False)
        assert (found.raised_at, found.notified_at, found.resolved_at) == (moment(21), moment(22), moment(23))

    @law("ActivityLedger", 4)
    def test_texts_are_cut_and_old_entries_go(self, activity: ActivityLedger, reader: ActivityReader) -> None:
        endless = "x" * 70_000
        for number in range(KEPT_PROCESSES + 3):
            activity.record(replace(_BEAT, process=str(number), beat_at=moment(number), doing=endless))
        beats = reader.heartbeats(10 * KEPT_PROCESSES)
        assert [one.process for one in beats[:2]] == [str(KEPT_PROCESSES + 2), str(KEPT_PROCESSES + 1)]
        assert KEPT_PROCESSES <= len(beats) <= KEPT_PROCESSES + 2
        assert {len(one.doing) for one in beats} == {LONGEST_TEXT}
        rounds = [replace(_ENDED, message="\udcff"), *[_ROUND] * KEPT_ROUNDS]
        numbers = activity.record(_BEAT, [*rounds, *rounds])
        kept = reader.rounds(3 * KEPT_ROUNDS)
        assert [one.number for one in kept[:KEPT_ROUNDS]] == numbers[::-1][:KEPT_ROUNDS]
        assert len(kept) < len(numbers)
        for number in range(3):
            activity.claim_alert(replace(_ALERT, subject=f"open {number}"))
        for number in range(KEPT_RESOLVED + 3):
            activity.claim_alert(replace(_ALERT, subject=str(number)))
            activity.resolve_alert("deadline", str(number), moment(20 + number))
        assert len(reader.alerts(limit=9)) == 3
        resolved = [one for one in reader.alerts(open_only=False, limit=2 * KEPT_RESOLVED) if one.resolved_at]
        assert KEPT_RESOLVED <= len(resolved) <= KEPT_RESOLVED + 2
        assert moment(22 + KEPT_RESOLVED) in {one.resolved_at for one in resolved}

    @law("ActivityLedger", 5)
    def test_activity_changes_nothing_else(self, ledger: LedgerUnderTest, activity: ActivityLedger) -> None:
        ledger.record(result_of(key_of(), 1))
        before = ledger.everything([key_of()])
        activity.record(_BEAT, [_ENDED])
        activity.claim_alert(_ALERT)
        assert ledger.everything([key_of()]) == before
        assert list(ledger.reader.superseded(StateFilter())) == []
        others = {"confirm", "retry", "mark", "revoke", "accept", "prune", "pin", "spend", "erase", "get"}
        assert not others & {*dir(activity)}

    @law("ActivityLedger", 5)
    @law("ControlPlaneLedger", 15)
    @law("StateReader", 13)
    def test_what_names_an_erased_account_goes(
        self, ledger: LedgerUnderTest, activity: ActivityLedger, reader: ActivityReader
    ) -> None:
        listed = ListedAccount("1234567890", "Brücke & Söhne")
        ledger.control.record_list(DrawnList(GOOGLE_ADS, moment(0), (listed,), {}))
        ledger.record(result_of(key_of(1234567890), 1))
        command = "gads-etl run --customer 1234567890"
        activity.record(
            replace(_BEAT, command=command),
            [replace(_ENDED, command=command, message="account 123-456-7890 of 12345678901 is refused")],
        )
        texts = ("of Brücke & Söhne", "1234567890 failed", "account 123-456-7890", "11234567890", "1234567890123")
        for number, text in enumerate(texts):
            activity.claim_alert(replace(_ALERT, subject=str(number), text=text))
        activity.claim_alert(replace(_ALERT, subject="1234567890"))
        rows = ledger.reader.account_rows(GOOGLE_ADS, "1234567890")
        assert {name: rows[name] for name in ("heartbeats", "rounds", "alerts")} == {
            "heartbeats": 1,
            "rounds": 1,
            "alerts": 3,
        }
        ledger.control.order_erasure(GOOGLE_ADS, "1234567890", act_of())
        assert not activity.claim_alert(replace(_ALERT, subject="1234567890"))
        assert not activity.claim_alert(replace(_ALERT, text="1234567890 again"))
        activity.record(replace(_BEAT, process="two", command=command), [replace(_ROUND, command=command)])
        while ledger.control.erase(GOOGLE_ADS, "1234567890", moment(900), 10).cleared_at is None:
            pass
        assert ledger.reader.account_rows(GOOGLE_ADS, "1234567890") == {}
        assert {one.text for one in reader.alerts()} == {"11234567890", "1234567890123"}
        erased = {"gads-etl run --customer [erased]"}
        assert {one.command for one in reader.heartbeats()} == {one.command for one in reader.rounds(9)} == erased
        assert reader.rounds(9)[1].message == "account [erased] of 12345678901 is refused"
