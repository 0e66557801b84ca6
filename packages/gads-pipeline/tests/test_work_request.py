from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from gads_domain.account import Account, AccountStatus
from gads_domain.errors import UsageError
from gads_domain.expectations import DrawnList, Expectations, ListedAccount, after_drawing
from gads_domain.report import ReportDefinition, ReportKind, ReportSlice
from gads_pipeline.account_selection import SelectedAccounts
from gads_pipeline.configuration import Configuration
from gads_pipeline.work_request import RunOptions, needs_accounts, planned_accounts, requested
from gads_pipeline.worker_setup import refusal_of

NOW = datetime(2024, 6, 3, 5, tzinfo=UTC)
"""In Berlin 2 June is over, in Los Angeles it is not, and nowhere is it today 1 June."""
NOTHING_KNOWN = Expectations("google_ads")
BERLIN = Account("1", time_zone="Europe/Berlin")
ANGELES = Account("2", time_zone="America/Los_Angeles")
NOWHERE = Account("3", time_zone="")


@pytest.fixture
def configuration(tmp_path: Path) -> Configuration:
    path = tmp_path / "gads.toml"
    path.write_text(
        '[google_ads]\ncustomer_ids = ["1", "2"]\n[storage]\nsink = "file:raw"\nstate = "sqlite:s"\n'
        '[[reports]]\nname = "account"\n[[reports]]\nname = "label"\n[[reports]]\nname = "top"\n'
        'query = "SELECT campaign.id, segments.date, metrics.clicks FROM campaign LIMIT 3"\n'
        '[[reports]]\nname = "keyword"\n'
    )
    return Configuration.load(path)


def selected(*accounts: Account) -> SelectedAccounts:
    return SelectedAccounts({account.customer_id: account for account in accounts})


def spans(
    configuration: Configuration, options: RunOptions, *accounts: Account
) -> dict[tuple[str, str], tuple[str, str]]:
    request = requested(configuration, options, selected(*accounts), NOW)[0]
    assert request.chosen is not None
    return {asked: (str(days.first), str(days.last)) for asked, days in request.chosen.items()}


def test_without_days_each_report_s_window_in_each_account_s_zone(configuration: Configuration) -> None:
    found = spans(configuration, RunOptions(), BERLIN, ANGELES, NOWHERE)
    assert found["1", "account"] == ("2024-05-04", "2024-06-02")
    assert found["2", "account"] == ("2024-05-03", "2024-06-01")
    assert found["3", "account"] == ("2024-05-03", "2024-06-01"), "a zone that is not known ends last"
    assert found["1", "label"] == ("2024-06-03", "2024-06-03")
    assert found["2", "label"] == ("2024-06-02", "2024-06-02")


def test_days_that_are_not_over_are_skipped_and_said(configuration: Configuration) -> None:
    options = RunOptions(date(2024, 6, 1), date(2024, 6, 3), reports=("account", "label"))
    found = spans(configuration, options, BERLIN, ANGELES)
    assert found == {
        ("1", "account"): ("2024-06-01", "2024-06-02"),
        ("2", "account"): ("2024-06-01", "2024-06-01"),
        ("1", "label"): ("2024-06-03", "2024-06-03"),
        ("2", "label"): ("2024-06-02", "2024-06-02"),
    }
    assert requested(configuration, options, selected(BERLIN, ANGELES), NOW)[1] == (
        "skipped: 2024-06-03, not over yet in the account's time zone: account of 1",
        "skipped: 2024-06-02 to 2024-06-03, not over yet in the account's time zone: account of 2",
        "skipped: 2024-06-01 to 2024-06-03 except today, since a snapshot report has no backfill: label of 1, 2",
    )


def test_nothing_to_ask_for_is_an_error(configuration: Configuration) -> None:
    options = RunOptions(date(2024, 6, 3), date(2024, 6, 3), reports=("account",))
    with pytest.raises(UsageError, match="none of these days can be requested") as caught:
        requested(configuration, options, selected(BERLIN), NOW)
    assert "not over yet" in caught.value.hint


def test_an_unknown_zone_stops_no_other_account(configuration: Configuration) -> None:
    odd = Account("4", time_zone="Mars/Olympus")
    request, notes = requested(configuration, RunOptions(reports=("account",)), selected(BERLIN, odd), NOW)
    assert any("no time zone 'Mars/Olympus'" in note for note in notes)
    assert {account.customer_id for account in request.accounts} == {"1", "4"}


def test_an_unknown_zone_is_taken_to_be_where_a_day_ends_last() -> None:
    odd = Account("4", time_zone="Mars/Olympus")
    accounts, notes = planned_accounts(selected(BERLIN, odd, NOWHERE))
    planned = {account.customer_id: account for account in accounts}
    assert planned["1"].time_zone == "Europe/Berlin"
    assert planned["4"].today(NOW) == planned["3"].today(NOW) == date(2024, 6, 2)
    (note,) = notes
    assert "account 4: there is no time zone 'Mars/Olympus'" in note


def test_with_days_that_are_over_everywhere_the_zones_change_nothing(configuration: Configuration) -> None:
    options = RunOptions(date(2024, 5, 1), date(2024, 5, 2), reports=("account", "keyword"))
    by_zone, _ = requested(configuration, options, selected(BERLIN, ANGELES), NOW)
    without, _ = requested(configuration, options, None, NOW)
    assert by_zone.chosen == without.chosen
    assert [report.name for report in by_zone.reports] == ["account", "keyword"]
    assert [a.customer_id for a in by_zone.accounts] == [a.customer_id for a in without.accounts] == ["1", "2"]


def test_a_limit_of_a_query_is_a_day_s_limit(configuration: Configuration) -> None:
    options = RunOptions(date(2024, 5, 1), date(2024, 5, 2), reports=("top",))
    assert requested(configuration, options, None, NOW)[0].reports[0].max_days_per_request == 1


@pytest.mark.parametrize(
    ("options", "needed"),
    [
        (RunOptions(date(2024, 5, 1), date(2024, 6, 1), reports=("account",)), True),
        (RunOptions(date(2024, 5, 1), date(2024, 5, 31), reports=("account",)), False),
        (RunOptions(date(2024, 5, 1), date(2024, 5, 31), reports=("label",)), True),
        (RunOptions(reports=("account",)), True),
    ],
)
def test_accounts_are_asked_for_only_where_the_days_hang_on_them(
    configuration: Configuration, options: RunOptions, needed: bool
) -> None:
    # At 11:59 UTC the first of June is not over yet in the zone where a day ends last.
    assert needs_accounts(configuration, options, datetime(2024, 6, 2, 11, 59, tzinfo=UTC), NOTHING_KNOWN) is needed


def test_a_number_that_the_list_on_record_does_not_select_is_looked_up_unless_it_is_forced(tmp_path: Path) -> None:
    configuration = Configuration.of(
        {"storage": {"sink": "file:raw", "state": "sqlite:state.db"}, "reports": [{"name": "account"}]}, tmp_path
    )
    drawn = DrawnList("google_ads", NOW, (ListedAccount("1"), ListedAccount("2", selected=False, skipped="no")), {})
    known = after_drawing(NOTHING_KNOWN, drawn)
    day = date(2024, 5, 1)
    for customers, force, needed in ((("1",), False, False), (("1", "2"), False, True), (("2",), True, False)):
        options = RunOptions(day, day, customers, force=force)
        assert needs_accounts(configuration, options, NOW, known) is needed


def test_days_that_cannot_be_meant() -> None:
    for since, until in ((None, date(2024, 6, 1)), (date(2024, 6, 1), None)):
        with pytest.raises(UsageError, match="which days"):
            RunOptions(since, until).require_both_days_or_none()
    with pytest.raises(UsageError, match="reversed"):
        RunOptions(date(2024, 6, 2), date(2024, 6, 1))
    for day, why in ((date(202, 6, 1), "0202-06-01 is before 2000-01-01"), (date(2204, 6, 1), "2204-06-01 is after")):
        for since, until in ((day, None), (None, day)):
            with pytest.raises(UsageError, match=why):
                RunOptions(since, until)


def test_what_would_surely_be_refused_is_told_by_account_and_report() -> None:
    metrics = ReportDefinition("a", "SELECT segments.date, metrics.clicks FROM customer")
    tree = ReportDefinition("b", "SELECT customer_client.id FROM customer_client", kind=ReportKind.SNAPSHOT)
    accounts = selected(
        BERLIN, Account("8", status=AccountStatus.CANCELED), Account("9", manager=True, status=AccountStatus.ENABLED)
    )
    day = date(2024, 6, 1)

    def code(customer_id: str, report: ReportDefinition) -> str:
        found = refusal_of(accounts, ReportSlice(customer_id, report, day, day))
        return "" if found is None else found.message.split(":")[0]

    assert [code(number, metrics) for number in ("1", "8", "9")] == [
        "",
        "CUSTOMER_NOT_ENABLED",
        "REQUESTED_METRICS_FOR_MANAGER",
    ]
    assert [code(number, tree) for number in ("1", "8", "9")] == ["", "CUSTOMER_NOT_ENABLED", ""]
