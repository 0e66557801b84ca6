"""When a budget allows the last operation of a plan, against a ledger that counts them."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest

from gads_domain.adapters import ledger_adapter
from gads_domain.quota import CallScope, Spent
from gads_domain.report import ReportDefinition
from gads_orchestrator.plan import Account, WorkPlan, WorkRequest, daily_operations
from gads_orchestrator.selection import Reason, SelectDue
from gads_pipeline.forecast import Forecast

NOW = datetime(2024, 6, 10, 17, 3, tzinfo=UTC)
REPORT = ReportDefinition("campaign", "SELECT", restatement_days=30)
CALL = CallScope("default", "1", "campaign")


def plan_of(operations: int, reason: Reason = Reason.BACKFILL) -> WorkPlan:
    plan = WorkPlan(WorkRequest((Account("1"),), (REPORT,), NOW, SelectDue()))
    plan.add(0, reason, [(0, day, day) for day in range(700_000, 700_000 + operations)])
    return plan


@pytest.mark.parametrize(
    ("operations", "limit", "daily", "before"),
    [(5, 10, 2, 3), (5, 10, 2, 10), (40, 10, 2, 0), (41, 10, 2, 7), (100, 12, 11, 12), (60, 20, 0, 20), (1, 2, 1, 2)],
)
def test_the_last_operation_is_spent_by_the_day_that_is_said(
    operations: int, limit: int, daily: int, before: int, tmp_path: Path
) -> None:
    """Each day's new and restated days come first; each operation is spent as soon as the ledger grants it."""
    with ledger_adapter("sqlite:x").open_for_control_plane("sqlite:state.db", tmp_path) as ledger:

        def spend(wanted: int, now: datetime) -> int:
            granted = min(wanted, ledger.spent("default", now).left(limit))
            if granted:
                ledger.spend(CALL, granted, limit, None, now)
            return granted

        spend(before, NOW - timedelta(hours=3))
        forecast = Forecast(plan_of(operations), ledger.spent("default", NOW), (), limit, daily_operations=daily)
        assert forecast.calendar is not None
        days, last_day = forecast.calendar
        left, window, now = operations, max(daily - before, 0), NOW
        while True:
            window -= spend(window, now)
            left -= spend(left, now) if not window else 0
            if not left:
                break
            midnight = datetime.combine(now.date() + timedelta(days=1), time(), UTC)
            freed = ledger.spent("default", now).free_from(limit)
            now = midnight if freed is None else min(midnight, freed[0])
            window += daily if now == midnight else 0
        assert now.date() <= last_day
        assert last_day - now.date() <= timedelta(days=2 + days // 20), "not much later than it takes"


def test_no_day_is_said_without_a_budget_and_where_the_window_takes_all_of_it() -> None:
    assert Forecast(plan_of(5), Spent(), (), None).calendar is None
    assert Forecast(plan_of(50), Spent(), (), 10, daily_operations=10).calendar is None
    # The window's own operations are in the plan of a daemon, and are not counted twice.
    assert Forecast(plan_of(6, Reason.NEW), Spent(), (), 10, daily_operations=6).calendar == (1, NOW.date())


def test_what_an_account_costs_a_day() -> None:
    yesterday_alone, monthly = ReportDefinition("a", "S", restatement_days=1), ReportDefinition("b", "S")
    single = ReportDefinition("c", "S", restatement_days=30, max_days_per_request=7)
    assert daily_operations([yesterday_alone], 31) == 1
    assert daily_operations([yesterday_alone, monthly, single], 31) == 1 + 2 + (1 + 5)
