"""The laws of `StateReader` about the past: the state at a position of the change feed, and at a time."""

import random
from dataclasses import replace
from datetime import timedelta

from gads_conformance.law import law
from gads_conformance.ledger.samples import (
    FILTERS,
    FIRST_DAY,
    PASSED,
    REJECTED,
    UNSEALED,
    act_of,
    key_of,
    matches,
    moment,
    result_of,
)
from gads_conformance.ledger.suite import LedgerSuite, LedgerUnderTest
from gads_domain.gaps import AuthoritativeDays
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.state import AuthorityChange, PartitionStatus, StateChange, StateFilter
from gads_domain.state_machine import settle


class PastLaws(LedgerSuite):
    """What a reader sees of the past."""

    @law("StateReader", 6)
    def test_the_past_is_the_changes_up_to_the_position(self, ledger: LedgerUnderTest) -> None:
        expected_at: list[dict[PartitionKey, AuthorityChange]] = [{}]
        seen: dict[int, list[AuthorityChange]] = {}
        for number, (customer, day, report, run, outcome) in enumerate(_CHANGES, start=1):
            key = key_of(customer, day, report)
            if outcome is None:
                assert ledger.control.retry([key], act_of(number)) == [True]
            else:
                ledger.record(result_of(key, run, outcome, second=number))
            (entry,) = ledger.reader.authority_changes(after=number - 1)
            expected_at.append({**expected_at[-1], key: entry})
            seen[number] = list(ledger.reader.as_of(StateFilter(), number))
        for position, last_changes in enumerate(expected_at):
            for wanted in FILTERS:
                expected = [
                    entry for _, entry in sorted(last_changes.items()) if matches(entry.key, entry.status_after, wanted)
                ]
                for each in ledger.all:
                    assert list(each.as_of(wanted, position)) == expected
        assert all(list(ledger.reader.as_of(StateFilter(), position)) == then for position, then in seen.items())

    @law("StateReader", 6)
    def test_as_of_the_end_is_what_the_rows_say(self, ledger: LedgerUnderTest) -> None:
        for number, (customer, day, report, run, outcome) in enumerate(_CHANGES, start=1):
            if outcome is not None:
                ledger.record(result_of(key_of(customer, day, report), run, outcome, second=number))
        states = [
            (state.key, state.status, state.current_run_id, state.schema_version, state.record_count, state.seal_sha256)
            for state in ledger.reader.find(StateFilter())
        ]
        entries = [
            (entry.key, entry.status_after, entry.to_run, entry.schema_version, entry.record_count, entry.seal_sha256)
            for entry in ledger.reader.as_of(StateFilter(), ledger.reader.position())
        ]
        assert entries == states

    @law("StateReader", 10)
    def test_the_authoritative_days_are_those_that_are_success(self, ledger: LedgerUnderTest) -> None:
        dice = random.Random(8)
        filters = [one for one in FILTERS if one.source == GOOGLE_ADS and not one.statuses]
        filters += [
            StateFilter(GOOGLE_ADS),
            StateFilter(GOOGLE_ADS, since=FIRST_DAY + timedelta(days=2), until=FIRST_DAY + timedelta(days=5)),
            StateFilter(GOOGLE_ADS, since=FIRST_DAY + timedelta(days=5), until=FIRST_DAY + timedelta(days=2)),
        ]
        assert [each.authoritative_days(StateFilter(GOOGLE_ADS)) for each in ledger.all] == [
            AuthoritativeDays(0, {})
        ] * 3
        # All days become success, and then some are lost: ranges grow on both sides, meet, split and vanish.
        for number, chance in enumerate([0.9] * 25 + [0.4] * 35, start=1):
            key = key_of(dice.choice((1, 10)), dice.randrange(8), dice.choice(("campaign", "keyword")))
            if dice.random() < chance:
                ledger.record(result_of(key, number, dice.choice((PASSED, PASSED, PASSED, REJECTED))))
            elif (run := ledger.reader.get(key).current_run_id) is not None:
                ledger.control.revoke([(key, run)], act_of(number))
                history = ledger.reader.history(key)
                change = StateChange(history.state, settle(history, None, moment(number)), None)
                assert ledger.validator.record([change]) == [True]
            ledger.record(result_of(key_of(1, 3, source="other"), number))
            position = ledger.reader.position()
            for wanted in filters:
                for at in (None, position, dice.randint(0, position)):
                    asked = position if at is None else at
                    success = ledger.reader.as_of(replace(wanted, statuses=(PartitionStatus.SUCCESS,)), asked)
                    expected = AuthoritativeDays.of(asked, (entry.key for entry in success))
                    assert dice.choice(ledger.all).authoritative_days(wanted, at) == expected

    @law("StateReader", 3)
    def test_the_past_is_of_one_moment(self, ledger: LedgerUnderTest) -> None:
        ledger.record(result_of(key_of(1), 1))
        ledger.record(result_of(key_of(2), 1))
        rest = ledger.reader.as_of(StateFilter(), 100)
        first = next(rest)
        ledger.record(result_of(key_of(2), 2))
        assert [entry.sequence for entry in (first, *rest)] == [1, 2]

    @law("StateReader", 5)
    def test_a_time_names_a_position(self, ledger: LedgerUnderTest) -> None:
        assert ledger.reader.position_at(moment(0)) == 0
        for number, second in enumerate((50, 10, 90, 20, 90, 120, 121), start=1):
            ledger.record(result_of(key_of(number), number, second=second))
            for when in (5, 10, 49, 50, 51, 89, 90, 91, 119, 120, 121, 1_000):
                for step in (timedelta(0), timedelta(microseconds=-1), timedelta(microseconds=1)):
                    asked = moment(when) + step
                    reached = [entry.sequence for entry in ledger.reader.authority_changes() if entry.at <= asked]
                    for each in ledger.all:
                        assert each.position_at(asked) == max(reached, default=0)

    def test_the_reports_are_those_with_a_row(self, ledger: LedgerUnderTest) -> None:
        assert ledger.reader.reports("google_ads") == []
        for number, (customer, report, source, outcome) in enumerate(
            [
                (9, "keyword", "google_ads", PASSED),
                (10, "campaign", "google_ads", REJECTED),
                (10, "keyword", "google_ads", PASSED),
                (11, "ad_group", "google_ads", UNSEALED),
                (11, "other_report", "other", PASSED),
            ],
            start=1,
        ):
            ledger.record(result_of(key_of(customer, number, report, source), number, outcome))
        for each in ledger.all:
            assert each.reports("google_ads") == ["ad_group", "campaign", "keyword"]
            assert each.reports("other") == ["other_report"]
            assert each.reports("nowhere") == []


_CHANGES = [
    (1, 0, "campaign", 1, PASSED),
    (9, 0, "campaign", 1, REJECTED),
    (10, 1, "campaign", 2, PASSED),
    (1, 0, "campaign", 2, PASSED),
    (9, 0, "campaign", 0, None),
    (1, 0, "campaign", 3, PASSED),
    (9, 0, "campaign", 4, PASSED),
    (1, 1, "keyword", 4, UNSEALED),
    (10, 1, "campaign", 5, PASSED),
    (10, 40, "keyword", 5, PASSED),
]
"""Customer, day, report, run and outcome of each change; a retry has no outcome."""
