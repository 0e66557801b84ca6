"""The laws of a ledger's budgets and rests: what is granted within 24 hours, and what the API asked to rest."""

from datetime import timedelta
from random import Random

import pytest

from gads_conformance.law import law
from gads_conformance.ledger.samples import moment
from gads_conformance.ledger.suite import Effort, LedgerSuite, LedgerUnderTest
from gads_domain.errors import InvalidValueError
from gads_domain.quota import BUCKET, WINDOW, CallScope, Rest, RestAsked, RestReach, Spending, Spent

_CALL = CallScope("t", "1", "campaign")
_DAY = int(WINDOW.total_seconds())
_SPAN = int(BUCKET.total_seconds())


def _asked(reach: RestReach, seconds: float, reason: str = "RESOURCE_EXHAUSTED") -> RestAsked:
    return RestAsked(reach, timedelta(seconds=seconds), reason)


class QuotaLaws(LedgerSuite):
    """What may be spent, and when."""

    @law("ControlPlaneLedger", 7)
    def test_what_is_granted_never_exceeds_the_limit(self, ledger: LedgerUnderTest) -> None:
        with ledger.open_for_control_plane() as other:
            spend = ledger.control.spend
            assert spend(_CALL, 3, 5, None, moment(0)) is Spending.GRANTED
            assert other.spend(_CALL, 3, 5, None, moment(0)) is Spending.EXHAUSTED
            assert other.spend(CallScope("t", "2", "clicks"), 2, 5, None, moment(0)) is Spending.GRANTED
            assert spend(_CALL, 1, 5, None, moment(0)) is Spending.EXHAUSTED
            assert spend(_CALL, 1, 5, None, moment(_DAY)) is Spending.EXHAUSTED
            assert spend(CallScope("u"), 1, None, None, moment(0)) is Spending.GRANTED
            assert spend(_CALL, 5, 5, None, moment(_DAY + _SPAN)) is Spending.GRANTED
            with pytest.raises(InvalidValueError):
                spend(_CALL, 0, 5, None, moment(0))

    @law("StateReader", 11)
    def test_what_was_spent_says_when_it_is_free_again(self, ledger: LedgerUnderTest) -> None:
        for second, count in ((0, 1), (4 * 3600, 2), (9 * 3600, 3)):
            ledger.control.spend(_CALL, count, None, None, moment(second))
        for each in ledger.all:
            spent = each.spent("t", moment(9 * 3600))
            assert (spent.count, [part.count for part in spent.parts]) == (6, [1, 2, 3])
            assert (spent.left(10), spent.left(4)) == (4, 0)
            for limit, freed, second in ((10, 5, 0), (6, 1, 0), (5, 2, 4 * 3600), (3, 3, 9 * 3600)):
                found = spent.free_from(limit)
                assert found is not None
                assert found[1] == freed
                assert timedelta() <= found[0] - moment(second) - WINDOW <= BUCKET
            assert [part.count for part in each.spent("t", moment(_DAY + _SPAN)).parts] == [2, 3]
            assert each.spent("never", moment(0)) == Spent()

    @law("ControlPlaneLedger", 7)
    def test_no_24_hours_have_more_than_the_limit_whatever_the_clocks_show(
        self, ledger: LedgerUnderTest, effort: Effort
    ) -> None:
        limit, seen = 20, 0.0
        granted: list[tuple[float, int]] = []
        with ledger.open_for_control_plane() as other:
            for seed in range(effort.examples):
                chance, clocks = Random(seed), [seen, seen]
                for _ in range(effort.steps):
                    number = chance.randrange(2)
                    steps = (
                        chance.random(),
                        chance.random() * 7200,
                        -chance.random() * 86_400,
                        chance.random() * 86_400,
                    )
                    clocks[number] += chance.choice(steps)
                    count = chance.randint(1, 8)
                    control = (ledger.control, other)[number]
                    answer = control.spend(_CALL, count, limit, None, moment(0) + timedelta(seconds=clocks[number]))
                    if answer is Spending.GRANTED:
                        # What is spent by a clock that is behind is spent no earlier than what was spent before it.
                        seen = max(seen, clocks[number])
                        granted.append((seen, count))
                        for now in (seen, clocks[number]):
                            within = sum(spent for at, spent in granted if at > now - _DAY)
                            assert within <= limit, f"{within} within 24 hours"
        assert len(granted) > 5

    @law("ControlPlaneLedger", 10)
    @pytest.mark.parametrize(
        ("reach", "covered"),
        [(RestReach.PROJECT, {"1 a", "1 b", "2 a", "list"}), (RestReach.ACCOUNT, {"1 a", "1 b"}),
         (RestReach.REPORT, {"1 a", "2 a"})],
    )  # fmt: skip
    def test_a_rest_refuses_what_it_covers_in_every_process_until_its_time(
        self, ledger: LedgerUnderTest, reach: RestReach, covered: set[str]
    ) -> None:
        calls = {
            "1 a": CallScope("t", "1", "a"),
            "1 b": CallScope("t", "1", "b"),
            "2 a": CallScope("t", "2", "a"),
            "list": CallScope("t"),
            "another budget": CallScope("u", "1", "a"),
        }
        rest = ledger.control.rest(calls["1 a"], _asked(reach, 310), moment(5))
        assert (rest.not_before, rest.reason) == (moment(315), "RESOURCE_EXHAUSTED")
        with ledger.open_for_control_plane() as other:
            for second in (5, 314):
                answers = {name: other.spend(call, 1, None, None, moment(second)) for name, call in calls.items()}
                assert {name for name, answer in answers.items() if answer is Spending.RESTING} == covered
            assert other.rests("t", moment(314)) == [rest]
            assert other.rests("t", moment(315)) == other.rests("u", moment(5)) == []
            assert other.spend(calls["1 a"], 1, None, None, moment(315)) is Spending.GRANTED
        for each in ledger.all:
            assert each.rests("t", moment(0)) == [rest]

    @law("ControlPlaneLedger", 10)
    def test_a_rest_is_never_shortened_nor_begun_in_the_past(self, ledger: LedgerUnderTest) -> None:
        ledger.control.spend(_CALL, 1, None, None, moment(1000))
        with ledger.open_for_control_plane() as behind:
            first = behind.rest(_CALL, _asked(RestReach.PROJECT, 300, "first"), moment(10))
        assert first == Rest(CallScope("t"), moment(1300), "first")
        assert ledger.control.rest(_CALL, _asked(RestReach.PROJECT, 5, "second"), moment(1001)) == first
        later = ledger.control.rest(_CALL, _asked(RestReach.PROJECT, 400, "third"), moment(1002))
        assert later == Rest(CallScope("t"), moment(1402), "third")
        assert ledger.control.rest(_CALL, _asked(RestReach.REPORT, 9), moment(1002)).scope == CallScope(
            "t", "", "campaign"
        )
        assert ledger.control.spent("t", moment(1002)).count == 1
        assert len(ledger.reader.rests("t", moment(1003))) == 2
        with pytest.raises(InvalidValueError):
            ledger.control.rest(_CALL, _asked(RestReach.PROJECT, 0), moment(0))
