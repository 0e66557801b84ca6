"""The laws of a ledger that counts how it stands by itself: it says what counting all of its rows says."""

from dataclasses import replace
from datetime import timedelta

from gads_conformance.law import law
from gads_conformance.ledger.samples import FIRST_DAY, PASSED, REJECTED, act_of, key_of, moment, result_of
from gads_conformance.ledger.suite import LedgerSuite, LedgerUnderTest
from gads_domain.completeness import Answer
from gads_domain.control import Mark
from gads_domain.expectations import DrawnList, ListedAccount
from gads_domain.ledger_standing import LedgerStanding
from gads_domain.partition_key import GOOGLE_ADS
from gads_domain.ports.standing import StandingLedgerAdapter, StandingReader
from gads_domain.standing import AccountFilter, Scope

_DAYS = 20
_NOW = moment(0)
_SCOPE = Scope(GOOGLE_ADS, ("budgets", "campaign"), _NOW)
_SINCE = _NOW.date() - timedelta(days=_DAYS)


def _answers(reader: StandingReader, scope: Scope) -> list[object]:
    """All that a reader says; examples are some of several, so that their number alone counts."""
    until, some = _NOW.date() + timedelta(days=2), ("1", "2", "3")
    filters = (AccountFilter(), AccountFilter(search="shop 2"), AccountFilter(behind=True, last="2"))
    return [
        reader.standings(scope),
        [(replace(one, examples=()), bool(one.examples)) for one in reader.gap_groups(scope)],
        [reader.heat_map(scope, name, _SINCE, until, one, groups=2) for name in scope.reports for one in filters],
        [reader.account_standing(scope, one) for one in some],
        reader.sample(scope, 2),
        [reader.restatement_drift(scope, name, _SINCE, until, some) for name in scope.reports],
    ]


class StandingLaws(LedgerSuite):
    """Every law of `StandingReader`. A subclass gives `ledger_url`, as for `LedgerLaws`."""

    def _agree(self, ledger: LedgerUnderTest, scope: Scope = _SCOPE) -> Answer:
        """The answer for `scope`, once all that is said is what counting all rows says."""
        assert isinstance(ledger.adapter, StandingLedgerAdapter)
        scopes = (scope, replace(scope, reports=("campaign",)), replace(scope, customers=("2", "9")))
        with ledger.adapter.open_standing(ledger.url, ledger.base) as standing, ledger.open_reader() as reader:
            for one in scopes:
                assert _answers(standing, one) == _answers(LedgerStanding(reader), one)
            return standing.standings(scope).answer

    @law("StandingReader", 2)
    @law("StandingReader", 3)
    def test_of_an_absent_ledger_nothing_is_known_and_none_is_created(self, ledger: LedgerUnderTest) -> None:
        assert self._agree(ledger) is Answer.UNKNOWN
        assert ledger.reader.ledger_id() is None

    @law("StandingReader", 1)
    @law("StandingReader", 2)
    def test_it_counts_what_all_rows_say(self, ledger: LedgerUnderTest) -> None:
        first = (_SINCE - FIRST_DAY).days
        for customer in (1, 2, 3):
            for day in range(_DAYS):
                key = key_of(customer, first + day)
                if day == 5 * customer:
                    ledger.record(result_of(key, 1, REJECTED))
                elif day != 3:
                    ledger.record(result_of(key, 1, PASSED, rows="some"))
                if day == 7:  # rows that vanish are held for a decision
                    ledger.record(result_of(key, 2, PASSED, rows="others", count=0, vanished_rows=1.0))
                if day == 9:
                    ledger.record(result_of(key, 2, PASSED, rows="others"))
        ledger.control.mark([key_of(1, first + 3)], Mark.TERMINAL, act_of())
        ledger.control.retry([key_of(2, first + 10)], act_of())
        assert self._agree(ledger) is Answer.INCOMPLETE, "no list was drawn, and days failed"
        accounts = tuple(ListedAccount(str(n), f"Shop {n}", time_zone="Asia/Tokyo") for n in (1, 2, 3, 4))
        days = {(str(number), "campaign"): _SINCE + timedelta(days=number) for number in (1, 2, 3)}
        ledger.control.record_list(DrawnList(GOOGLE_ADS, _NOW - timedelta(days=4), accounts, days))
        assert self._agree(ledger) is Answer.INCOMPLETE
        only = (replace(accounts[0], selected=False, skipped="excluded"), *accounts[1:2])
        one = {("2", name): _SINCE + timedelta(days=12) for name in _SCOPE.reports}
        ledger.control.record_list(DrawnList(GOOGLE_ADS, _NOW, only, one))
        for now in (_NOW, _NOW + timedelta(days=3)):  # of the list of now, and of one that is too old
            assert self._agree(ledger, replace(_SCOPE, now=now)) is Answer.INCOMPLETE
