"""Holds the code to contracts/expectations/v1, and the contract to the code."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gads_conformance.ledger.samples import key_of, moment, record_one, result_of
from gads_domain.account import AccountStatus
from gads_domain.account_days import DayRange
from gads_domain.adapters import ledger_adapter
from gads_domain.day_ranges import united
from gads_domain.expectations import (
    DrawnList,
    Expectations,
    ListedAccount,
    after_drawing,
    expectations_document,
    inferred,
)
from gads_domain.partition_key import GOOGLE_ADS
from gads_testing.contract_documents import EXPECTATIONS

DAY = st.integers(0, 40)
LISTS = st.lists(
    st.tuples(DAY, st.dictionaries(st.sampled_from("1234"), st.booleans()), st.sets(st.sampled_from("ab")), DAY),
    max_size=6,
)


def drawn_list(day: int, accounts: dict[str, bool], reports: set[str], first: int) -> DrawnList:
    listed = tuple(
        ListedAccount(number, status=AccountStatus.ENABLED, selected=on, skipped="" if on else "excluded")
        for number, on in sorted(accounts.items())
    )
    first_day = date.fromordinal(date(2024, 6, 1).toordinal() + first - 20)
    pairs = {(number, report): first_day for number, on in accounts.items() if on for report in reports}
    return DrawnList(GOOGLE_ADS, moment(86_400 * day), listed, pairs)


@settings(max_examples=200, deadline=None)
@given(LISTS)
def test_whatever_lists_are_drawn_the_document_fits_and_no_promise_is_broken(lists: list[Any]) -> None:
    found = inferred(GOOGLE_ADS, [("4", "a", date(2024, 5, 20)), ("4", "a", date(2024, 5, 22))])
    assert EXPECTATIONS.faults(expectations_document(found)) == []
    for values in lists:
        before, drawn = found, drawn_list(*values)
        found = after_drawing(before, drawn)
        assert EXPECTATIONS.faults(expectations_document(found)) == []
        if before.drawn_at is not None and drawn.drawn_at < before.drawn_at:
            assert found is before
            continue
        open_ = {(one.customer_id, one.report): one.first_day for one in found.expected if not one.closed}
        assert open_.keys() == drawn.first_days.keys()
        for pair in {(one.customer_id, one.report) for one in found.expected}:
            periods = [one for one in found.expected if (one.customer_id, one.report) == pair]
            for one, later in pairwise(periods):
                assert one.last_day is not None
                assert one.last_day < later.first_day
            ranges = [(one.first_day, one.last_day or date.max) for one in periods]
            whole = united(DayRange(*days) for days in ranges if days[0] <= days[1])
            assert pair not in drawn.first_days or whole[-1].first <= drawn.first_days[pair]
        assert {one.customer_id for one in found.selected} == {
            one.customer_id for one in drawn.accounts if one.selected
        }
        for was in before.expected:
            again = [one for one in found.expected if (one.customer_id, one.report) == (was.customer_id, was.report)]
            assert min(one.first_day for one in again) <= was.first_day
        listed = {one.customer_id for one in before.accounts} | {one.customer_id for one in drawn.accounts}
        assert [one.customer_id for one in found.accounts] == sorted(listed)


def test_a_ledger_gives_the_document_of_its_rows_and_then_of_its_list(tmp_path: Path) -> None:
    adapter = ledger_adapter("sqlite:state.db")
    with adapter.open_for_validator("sqlite:state.db", tmp_path) as validator:
        record_one(validator, result_of(key_of(1), 1))
    with adapter.open_for_control_plane("sqlite:state.db", tmp_path) as control:
        before = control.expectations(GOOGLE_ADS)
        (row,) = expectations_document(before)["expected"]
        assert (row["first_day"], row["last_day"], row["inferred"]) == ("2024-01-01", "2024-01-01", True)
        control.record_list(drawn_list(1, {"1": True, "2": False}, {"campaign"}, 0))
        document = expectations_document(control.expectations(GOOGLE_ADS))
    assert EXPECTATIONS.faults(document) == []
    assert [one["skipped"] for one in document["accounts"]] == [None, "excluded"]
    assert document["expected"] == [
        {
            "customer_id": "1",
            "report": "campaign",
            "first_day": "2024-01-01",
            "last_day": None,
            "closed": None,
            "inferred": False,
        }
    ]
    assert Expectations(GOOGLE_ADS) != before
