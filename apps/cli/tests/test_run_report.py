from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from gads_domain.partition_key import PartitionKey
from gads_etl.run_report import failure_lines

DAY = date(2024, 5, 1)


def _key(day: int, customer: str = "1", report: str = "campaign") -> PartitionKey:
    return PartitionKey("google_ads", customer, report, DAY + timedelta(days=day))


def test_adjacent_days_with_one_reason_are_one_line() -> None:
    failures = {_key(0): "a", _key(1): "a", _key(3): "a", _key(4): "b", _key(0, "2"): "a"}
    assert list(failure_lines(failures)) == [
        "not success: 1 campaign 2024-05-01..2024-05-02: a",
        "not success: 1 campaign 2024-05-04: a",
        "not success: 1 campaign 2024-05-05: b",
        "not success: 2 campaign 2024-05-01: a",
    ]


def test_one_trouble_of_many_days_is_one_line() -> None:
    failures = {_key(day): f"storage_full: cannot write {_key(day)} of run 1" for day in (0, 1, 2, 7)}
    assert list(failure_lines(failures)) == [
        "not success: 1 campaign 2024-05-01..2024-05-03: storage_full: cannot write the partition of run 1",
        f"not success: 1 campaign 2024-05-08: storage_full: cannot write {_key(7)} of run 1",
    ]


@given(st.dictionaries(st.builds(_key, st.integers(0, 40), st.sampled_from(["1", "2"])), st.sampled_from("ab")))
def test_no_day_is_left_out(failures: dict[PartitionKey, str]) -> None:
    named = 0
    for line in failure_lines(failures):
        days = line.split()[4].rstrip(":").split("..")
        first, last = date.fromisoformat(days[0]), date.fromisoformat(days[-1])
        named += (last - first).days + 1
    assert named == len(failures)
