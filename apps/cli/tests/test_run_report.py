from __future__ import annotations

from datetime import date, timedelta
from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from gads_domain.partition_key import PartitionKey
from gads_domain.run import RunId
from gads_domain.state import PartitionState, PartitionStatus
from gads_etl.run_report import failure_lines, left_lines
from gads_orchestrator.requested_run import RunPlan
from gads_orchestrator.selection import NOT_RETRIED, PAST, Skipped, SkipReason

DAY = date(2024, 5, 1)


def _key(day: int, customer: str = "1", report: str = "campaign") -> PartitionKey:
    return PartitionKey("google_ads", customer, report, DAY + timedelta(days=day))


def test_adjacent_days_with_one_reason_are_one_line() -> None:
    failures = {_key(0): "a", _key(1): "a", _key(3): "a", _key(4): "b", _key(0, "2"): "a"}
    assert list(failure_lines(sorted(failures.items()))) == [
        "not success: 1 campaign 2024-05-01..2024-05-02: a",
        "not success: 1 campaign 2024-05-04: a",
        "not success: 1 campaign 2024-05-05: b",
        "not success: 2 campaign 2024-05-01: a",
    ]


def test_one_trouble_of_many_days_is_one_line() -> None:
    failures = {_key(day): f"storage_full: cannot write {_key(day)} of run 1" for day in (0, 1, 2, 7)}
    assert list(failure_lines(sorted(failures.items()))) == [
        "not success: 1 campaign 2024-05-01..2024-05-03: storage_full: cannot write the partition of run 1",
        f"not success: 1 campaign 2024-05-08: storage_full: cannot write {_key(7)} of run 1",
    ]


@given(st.dictionaries(st.builds(_key, st.integers(0, 40), st.sampled_from(["1", "2"])), st.sampled_from("ab")))
def test_no_day_is_skipped(failures: dict[PartitionKey, str]) -> None:
    named = 0
    for line in failure_lines(sorted(failures.items())):
        days = line.split()[4].rstrip(":").split("..")
        first, last = date.fromisoformat(days[0]), date.fromisoformat(days[-1])
        named += (last - first).days + 1
    assert named == len(failures)


def test_a_plan_offers_an_option_only_where_it_helps() -> None:
    run = RunId("20240602T040506789Z-7f3a9c21")
    held, failed = (
        SkipReason("held", "held by an operator"),
        SkipReason(NOT_RETRIED, "failed with x, and no retry was asked for"),
    )
    work: Any = SimpleNamespace(
        skipped=[
            Skipped("1", "campaign", DAY, DAY + timedelta(days=1), PAST),
            Skipped("1", "campaign", DAY + timedelta(days=2), DAY + timedelta(days=2), failed),
            Skipped("1", "campaign", DAY + timedelta(days=3), DAY + timedelta(days=3), held),
        ]
    )
    states = (
        *(PartitionState(_key(day)) for day in (0, 1)),
        *(PartitionState(_key(day), PartitionStatus.FAILED) for day in (2, 3)),
        PartitionState(_key(4), PartitionStatus.SUCCESS, run, 1, 0, "0" * 64),
    )
    assert list(left_lines(RunPlan(work, (), (), states))) == [
        "1 failed partitions would be left as they are: held by an operator",
        "1 failed partitions would be left as they are; --retry-failed takes them too",
        "2 pending partitions would be left as they are: the API has nothing of this day any more",
        "1 success partitions would be left as they are; --reprocess takes them too",
    ]
