"""The laws of what is expected: account lists on record, and what is inferred without one."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date, timedelta

from gads_conformance.law import law
from gads_conformance.ledger.samples import FIRST_DAY, REJECTED, act_of, key_of, moment, result_of
from gads_conformance.ledger.suite import LedgerSuite, LedgerUnderTest
from gads_domain.account import AccountStatus
from gads_domain.control import ActKind
from gads_domain.expectations import (
    NOT_CONFIGURED,
    NOT_LISTED,
    DrawnList,
    Expectation,
    Expectations,
    ListedAccount,
    after_drawing,
    after_forgetting,
)
from gads_domain.partition_key import GOOGLE_ADS
from gads_domain.ports.ledger import ListsAccounts

_LISTED = ListedAccount("1", "Acme “Süd” \u2028", "EUR", "Europe/Berlin", ("90", "9"), AccountStatus.ENABLED)
_SKIPPED = ListedAccount("2", "Beta", selected=False, skipped="accounts.exclude has Beta")


def _drawn(second: int, *accounts: ListedAccount, reports: tuple[str, ...] = ("campaign",), day: int = 0) -> DrawnList:
    first = FIRST_DAY + timedelta(days=day)
    pairs = {(one.customer_id, report): first for one in accounts if one.selected for report in reports}
    return DrawnList(GOOGLE_ADS, moment(second), accounts, pairs)


class ExpectationLaws(LedgerSuite):
    """What is expected, and how it gets on record."""

    @law("StateReader", 9)
    def test_an_absent_ledger_expects_nothing_and_is_not_created(self, ledger: LedgerUnderTest) -> None:
        assert ledger.reader.expectations(GOOGLE_ADS) == Expectations(GOOGLE_ADS)
        assert ledger.reader.ledger_id() is None

    @law("StateReader", 9)
    def test_without_a_list_the_rows_say_what_is_expected(self, ledger: LedgerUnderTest) -> None:
        for key in (key_of(1, 7), key_of(1, 3), key_of(2, 5, "keyword"), key_of(1, 1, source="another")):
            ledger.record(result_of(key, 1, REJECTED))
        expected = (
            Expectation("1", "campaign", date(2024, 1, 4), date(2024, 1, 8), inferred=True),
            Expectation("2", "keyword", date(2024, 1, 6), date(2024, 1, 6), inferred=True),
        )
        assert [one.expectations(GOOGLE_ADS) for one in ledger.all] == [Expectations(GOOGLE_ADS, expected=expected)] * 3

    @law("StateReader", 9)
    @law("ControlPlaneLedger", 8)
    def test_what_a_list_says_is_read_back_by_all(self, ledger: LedgerUnderTest) -> None:
        drawn = _drawn(1, _LISTED, _SKIPPED, reports=("campaign", "keyword"))
        expected = after_drawing(Expectations(GOOGLE_ADS), drawn)
        assert ledger.control.record_list(drawn) == expected
        assert [one.expectations(GOOGLE_ADS) for one in ledger.all] == [expected] * 3
        assert ledger.reader.expectations("another") == Expectations("another")

    @law("ControlPlaneLedger", 8)
    def test_the_first_list_takes_over_what_the_rows_show(self, ledger: LedgerUnderTest) -> None:
        for key in (key_of(1, 3), key_of(3, 3), key_of(3, 5)):
            ledger.record(result_of(key, 1))
        after = ledger.control.record_list(_drawn(1, _LISTED, day=9))
        assert after.expected == (
            Expectation("1", "campaign", date(2024, 1, 4)),
            Expectation("3", "campaign", date(2024, 1, 4), date(2024, 1, 6), NOT_LISTED),
        )
        assert ledger.reader.expectations(GOOGLE_ADS) == after

    @law("ControlPlaneLedger", 8)
    def test_lists_lead_on_from_what_is_on_record(self, ledger: LedgerUnderTest) -> None:
        days = 86_400
        lists = [
            _drawn(0, _LISTED, _SKIPPED),
            _drawn(days, _LISTED, reports=("campaign", "keyword"), day=-5),
            _drawn(2 * days, ListedAccount("2"), reports=("keyword",), day=3),
            _drawn(days, ListedAccount("4")),  # drawn before what is on record
            _drawn(400 * days, ListedAccount("1"), ListedAccount("2"), day=390),
            _drawn(401 * days, ListedAccount("1", selected=False, skipped="no more"), day=390),
        ]
        expected = Expectations(GOOGLE_ADS)
        for drawn in lists:
            expected = after_drawing(expected, drawn)
            assert ledger.control.record_list(drawn) == expected
            assert ledger.reader.expectations(GOOGLE_ADS) == expected
        closed = [one.closed for one in expected.expected if one.customer_id == "1"]
        assert closed == [NOT_LISTED, "no more", NOT_LISTED]
        assert NOT_CONFIGURED in {one.closed for one in expected.expected}

    @law("ControlPlaneLedger", 8)
    def test_a_list_touches_no_row(self, ledger: LedgerUnderTest) -> None:
        keys = [key_of(1), key_of(1, 1)]
        ledger.record(result_of(keys[0], 1))
        ledger.record(result_of(keys[1], 1, REJECTED))
        before = ledger.everything(keys)
        ledger.control.record_list(_drawn(1, _LISTED))
        assert ledger.everything(keys) == before

    @law("ControlPlaneLedger", 8)
    def test_lists_that_are_recorded_at_once_are_all_there(self, ledger: LedgerUnderTest) -> None:
        accounts = tuple(ListedAccount(str(number)) for number in range(1, 9))
        _ = ledger.control

        def record(number: int) -> None:
            with ledger.open_for_control_plane() as control:
                control.record_list(_drawn(5, accounts[number]))

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(record, range(8)))
        found = ledger.reader.expectations(GOOGLE_ADS)
        assert [one.customer_id for one in found.accounts] == [one.customer_id for one in accounts]
        assert [one.customer_id for one in found.expected] == [one.customer_id for one in accounts]

    @law("ControlPlaneLedger", 11)
    def test_a_forgotten_account_is_expected_no_more_until_a_list_selects_it(self, ledger: LedgerUnderTest) -> None:
        stranger, key = ListedAccount("3"), key_of(3, 2)
        ledger.record(result_of(key, 1, REJECTED))
        assert not ledger.control.forget(GOOGLE_ADS, "3", act_of(1)), "no list was drawn"
        ledger.control.record_list(_drawn(1, _LISTED, stranger, reports=("campaign", "keyword")))
        assert not ledger.control.forget(GOOGLE_ADS, "3", act_of(2)), "the list selects it"
        before = ledger.control.record_list(_drawn(90_000, _LISTED, _SKIPPED))
        states, results = ledger.reader.get(key), ledger.reader.history(key).results
        act = act_of(3)
        assert ledger.control.forget(GOOGLE_ADS, "3", act)
        after = after_forgetting(before, "3", act.actor, act.reason)
        assert [one.expectations(GOOGLE_ADS) for one in ledger.all] == [after] * 3
        assert {one.customer_id for one in after.expected} == {"1"}
        assert (ledger.reader.get(key), ledger.reader.history(key).results) == (states, results)
        for report in ("campaign", "keyword"):
            (recorded,) = ledger.reader.acts(key_of(3, 0, report))
            assert (recorded.kind, recorded.act) == (ActKind.FORGET, act)
        assert not ledger.control.forget(GOOGLE_ADS, "3", act), "nothing is expected of it"
        assert not ledger.control.forget(GOOGLE_ADS, "77", act)
        assert len(ledger.reader.acts(key_of(3, 0))) == 1
        kept = ledger.control.record_list(_drawn(180_000, _LISTED)).account("3")
        assert kept == after.account("3"), "who forgot it, and why, stays on record"
        again = ledger.control.record_list(_drawn(270_000, _LISTED, stranger, day=9))
        assert [one.first_day for one in again.expected if one.customer_id == "3"] == [FIRST_DAY + timedelta(days=9)]


class AccountListLaws(LedgerSuite):
    """The law of `ListsAccounts`. A subclass gives the fixtures of `LedgerLaws`."""

    @law("ListsAccounts", 1)
    def test_the_list_is_that_of_the_expectations(self, ledger: LedgerUnderTest) -> None:
        nameless = ListedAccount("3")
        assert isinstance(ledger.reader, ListsAccounts)
        assert ledger.reader.account_list(GOOGLE_ADS) == Expectations(GOOGLE_ADS)
        ledger.control.record_list(_drawn(1, _LISTED, _SKIPPED, nameless))
        for one in ledger.all:
            assert isinstance(one, ListsAccounts)
            found = one.expectations(GOOGLE_ADS)
            assert len(found.accounts) == 3
            assert one.account_list(GOOGLE_ADS) == replace(found, expected=())
            assert one.account_list("another") == Expectations("another")
