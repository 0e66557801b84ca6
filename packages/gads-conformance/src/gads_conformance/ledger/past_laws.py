"""The laws of `StateReader` about the past: the state at a position of the change feed, and at a time."""

from __future__ import annotations

from datetime import timedelta

from gads_conformance.law import law
from gads_conformance.ledger.samples import (
    FILTERS,
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
from gads_domain.partition_key import PartitionKey
from gads_domain.state import AuthorityChange, StateFilter


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
