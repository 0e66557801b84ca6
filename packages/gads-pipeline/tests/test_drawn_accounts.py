"""Whatever lists the accounts puts them on record, and what is missing is told by that."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from gads_domain.clock import SystemClock
from gads_domain.completeness import Answer
from gads_domain.expectations import NOT_LISTED, Expectations
from gads_domain.partition_key import GOOGLE_ADS
from gads_pipeline import Pipeline
from gads_pipeline.composition import open_ledger_reader
from gads_pipeline.ledger_queries import completeness_document
from gads_pipeline.work_request import RunOptions

TEXT = """
[google_ads.emulator]
accounts = 3
campaigns = 2
since = 2024-05-01
until = 2024-05-31
[storage]
sink = "file:raw"
state = "sqlite:state.db"
[[reports]]
name = "campaign"
"""
FIRST, LAST = date(2024, 5, 1), date(2024, 5, 2)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "gads.toml"
    path.write_text(TEXT)
    return path


def expectations_of(pipeline: Pipeline) -> Expectations:
    with open_ledger_reader(pipeline.configuration) as ledger:
        return ledger.expectations(GOOGLE_ADS)


def with_text(config: Path, text: str, heading: str = "[storage]") -> Pipeline:
    config.write_text(config.read_text().replace(heading, f"{text}\n{heading}", 1))
    return Pipeline.open(config)


def test_listed_accounts_are_on_record_with_name_zone_and_managers(config: Path) -> None:
    pipeline = Pipeline.open(config)
    listed = {account.customer_id: account for account in pipeline.accounts().listed}
    found = expectations_of(pipeline)
    assert {account.customer_id for account in found.accounts} == listed.keys()
    for account in found.selected:
        assert (account.name, account.time_zone) == (
            listed[account.customer_id].name,
            listed[account.customer_id].time_zone,
        )
        assert account.manager_path[-1] == listed[account.customer_id].parent_id
    assert all(account.skipped for account in found.accounts if not account.selected)
    assert len(found.selected) == len(found.expected) == 3
    assert {one.last_day for one in found.expected} == {None}


def test_plan_and_check_record_on_a_ledger_that_there_is_and_make_none(config: Path) -> None:
    pipeline = Pipeline.open(config)
    pipeline.plan()
    list(pipeline.check())
    assert expectations_of(pipeline).drawn_at is None
    assert not (config.parent / "state.db").exists()
    pipeline.accounts()
    for draw in (pipeline.plan, lambda: list(pipeline.check())):
        before = expectations_of(pipeline).drawn_at
        draw()
        after = expectations_of(pipeline).drawn_at
        assert before is not None
        assert after is not None
        assert after > before


def test_days_that_a_run_asks_for_are_expected_from_then_on_of_all_accounts(config: Path) -> None:
    pipeline = Pipeline.open(config)
    pipeline.run(RunOptions(FIRST, LAST))
    assert {one.first_day for one in expectations_of(pipeline).expected} == {FIRST}
    assert pipeline.gaps(FIRST, LAST).answer is Answer.COMPLETE
    never = pipeline.gaps(date(2024, 4, 1), date(2024, 4, 30))
    assert (never.answer, never.days) == (Answer.INCOMPLETE, 3 * 30)
    assert {gap.first.reason for gap in never.gaps} == {"never asked for"}
    assert {row["name"] for row in completeness_document(never)["gaps"]} == {
        account.name for account in expectations_of(pipeline).selected
    }


def test_without_days_each_report_is_expected_from_its_first_day(config: Path) -> None:
    since = SystemClock().now().date() - timedelta(days=60)
    pipeline = with_text(config, f"[run]\nbackfill_since = {since}")
    pipeline.accounts()
    assert {one.first_day for one in expectations_of(pipeline).expected} == {since}
    found = pipeline.gaps()
    assert found.answer is Answer.INCOMPLETE
    assert {gap.first.logical_date for gap in found.gaps} == {since}
    assert 3 * 57 <= found.days <= 3 * 60


def test_configured_accounts_are_a_list_that_the_api_need_not_be_asked_for(config: Path) -> None:
    (customer, *_) = Pipeline.open(config).accounts().accounts
    pipeline = with_text(config, f'[google_ads]\ncustomer_ids = ["{customer}"]', "[google_ads.emulator]")
    pipeline.run(RunOptions(FIRST, LAST))
    found = expectations_of(pipeline)
    (selected,) = found.selected
    assert selected.customer_id == customer
    assert selected.name  # as the list before had it
    assert {one.closed for one in found.expected if one.customer_id != customer} == {NOT_LISTED}
    assert pipeline.gaps(FIRST, LAST).answer is Answer.COMPLETE


def test_without_a_list_or_with_an_old_one_the_answer_is_unknown(config: Path) -> None:
    pipeline = Pipeline.open(config)
    nothing = pipeline.gaps(FIRST, LAST)
    assert (nothing.answer, nothing.unknown) == (Answer.UNKNOWN, "no list of accounts was ever drawn")
    named = pipeline.gaps(customers=list(pipeline.accounts().accounts)[:1])
    assert named.answer is Answer.INCOMPLETE
    pipeline.run(RunOptions(FIRST, LAST))
    assert pipeline.gaps(FIRST, LAST).answer is Answer.COMPLETE
    strict = with_text(config, "[freshness]\naccounts_max_age_hours = 0.000001")
    assert strict.gaps(FIRST, LAST).answer is Answer.UNKNOWN


def test_a_day_that_is_not_over_is_counted_apart(config: Path) -> None:
    pipeline = Pipeline.open(config)
    pipeline.accounts()
    tomorrow = SystemClock().now().date() + timedelta(days=1)
    found = pipeline.gaps(tomorrow, tomorrow)
    assert (found.answer, found.days, found.not_due) == (Answer.COMPLETE, 0, 3)


def test_named_accounts_of_which_nothing_is_on_record_are_unknown_without_days(config: Path) -> None:
    pipeline = with_text(config, '[google_ads]\ncustomer_ids = ["1234567890"]', "[google_ads.emulator]")
    assert pipeline.gaps().answer is Answer.UNKNOWN
    assert pipeline.gaps(FIRST, LAST).answer is Answer.INCOMPLETE
