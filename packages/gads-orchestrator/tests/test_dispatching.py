from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from gads_domain.report import ReportDefinition, ReportSlice
from gads_orchestrator.dispatcher import Dispatcher
from gads_orchestrator.plan import Account, PlannedSlice
from gads_orchestrator.selection import Reason

REPORT = ReportDefinition("campaign", "SELECT")
DAY = date(2024, 6, 1)


def planned(account: int, reason: Reason = Reason.BACKFILL) -> PlannedSlice:
    return PlannedSlice(Account(str(account)), ReportSlice(str(account), REPORT, DAY, DAY), reason)


def test_an_account_that_is_slow_does_not_take_every_worker() -> None:
    dispatcher = Dispatcher(iter([planned(1)] * 6 + [planned(2)] * 6), workers=4)
    handed = [dispatcher.next() for _ in range(4)]
    assert [found and found.account.customer_id for found in handed] == ["1", "1", "2", "2"]


def test_alone_it_may_have_every_worker() -> None:
    dispatcher = Dispatcher(iter([planned(1)] * 4), workers=4)
    assert None not in [dispatcher.next() for _ in range(4)]
    assert dispatcher.next() is None


@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from(Reason)), max_size=60), st.integers(1, 5))
def test_everything_is_handed_out_once_and_nothing_before_an_earlier_purpose(
    wanted: list[tuple[int, Reason]], workers: int
) -> None:
    plan = [planned(account, reason) for account, reason in sorted(wanted, key=lambda pair: pair[1])]
    dispatcher = Dispatcher(iter(plan), workers=workers)
    handed, under_work = [], []
    while (found := dispatcher.next()) is not None:
        handed.append(found)
        under_work.append(found)
        if len(under_work) == workers:
            dispatcher.ended(under_work.pop(0))
    assert [found.reason for found in handed] == sorted(found.reason for found in plan)
    assert sorted(f.account.customer_id for f in handed) == sorted(f.account.customer_id for f in plan)


def test_what_is_left_of_a_slice_goes_first_and_dropping_ends_it() -> None:
    dispatcher = Dispatcher(iter([planned(1), planned(2)]), workers=1)
    first = dispatcher.next()
    assert first is not None
    dispatcher.put_back(planned(3))
    again = dispatcher.next()
    assert again is not None
    assert again.account.customer_id == "3"
    assert dispatcher.drop_all() == 1
    assert dispatcher.next() is None
