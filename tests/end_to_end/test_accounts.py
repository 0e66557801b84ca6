"""The accounts of a login, and runs that name neither accounts nor days."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from gads_domain.account_days import last_complete_day
from gads_emulator import SyntheticAgency, SyntheticSettings

REPORTS = """
[[reports]]
name = "account"
[[reports]]
name = "label"
"""
EXCLUDING = '[accounts]\nexclude = ["Café *"]\n'


def test_the_tree_says_who_is_selected_and_why_not(
    gads_etl: Any, project: Callable[..., Path], agency: Path, customers: list[str]
) -> None:
    config = project(agency, [], REPORTS, EXCLUDING)
    listed = gads_etl("accounts", "-c", config, "--format", "json")
    assert listed.code == 0, listed.err
    known = SyntheticAgency(SyntheticSettings(seed=3, accounts=3)).accounts
    assert {row["customer_id"]: row["parent_id"] for row in listed.json} == {
        number: account.parent for number, account in known.items()
    }
    assert {row["customer_id"]: (row["currency"], row["time_zone"]) for row in listed.json} == {
        number: (account.currency, account.time_zone) for number, account in known.items()
    }
    assert [row["customer_id"] for row in listed.json if row["selected"]] == [
        number for number in [row["customer_id"] for row in listed.json] if number in (customers[0], customers[2])
    ]
    assert {row["skipped"] for row in listed.json if not row["selected"]} == {
        "a manager has no metrics of its own",
        "accounts.exclude has Café *",
    }
    drawn = gads_etl("accounts", "-c", config)
    assert drawn.code == 0
    assert re.search(rf"├── ✓ {customers[0]}", drawn.out), drawn.out
    assert re.search(rf"- {customers[1]} .*skipped: accounts\.exclude has Café \*", drawn.out)
    assert "2 of 5 accounts are selected" in drawn.err


def test_a_selected_account_that_is_refused_shows_in_the_exit_code(
    gads_etl: Any, project: Callable[..., Path], agency: Path, customers: list[str]
) -> None:
    config = project(agency, [customers[0], "9999999999"], REPORTS)
    listed = gads_etl("accounts", "-c", config, "--format", "json")
    assert listed.code == 1
    refused = {row["customer_id"]: row["refusal"] for row in listed.json if row["refusal"]}
    assert list(refused) == ["9999999999"]
    assert "USER_PERMISSION_DENIED" in refused["9999999999"]
    drawn = gads_etl("accounts", "-c", config)
    assert drawn.code == 1
    assert "1 of which the API refuses" in drawn.err


def test_a_run_without_accounts_and_days_takes_each_account_s_own(
    gads_etl: Any, project: Callable[..., Path], agency: Path, customers: list[str]
) -> None:
    config = project(agency, [], REPORTS, EXCLUDING)
    before = datetime.now(UTC)
    done = gads_etl("run", "-c", config, "--format", "json")
    after = datetime.now(UTC)
    assert done.code == 0, done.err
    spent = gads_etl("plan", "-c", config, "--format", "json").json["quota"]["spent"]
    assert spent > done.json["operations"], "the list of accounts is paid for like any other call"
    accounts = SyntheticAgency(SyntheticSettings(seed=3, accounts=3)).accounts
    days: dict[tuple[str, str], list[date]] = {}
    for row in done.json["partitions"]:
        days.setdefault((row["customer_id"], row["report"]), []).append(date.fromisoformat(row["logical_date"]))
    assert set(days) == {(number, name) for number in (customers[0], customers[2]) for name in ("account", "label")}
    for (number, name), found in days.items():
        zone = accounts[number].time_zone
        over = {last_complete_day(zone, moment) for moment in (before, after)}
        if name == "label":
            assert len(found) == 1
            assert found[0] - timedelta(days=1) in over
        else:
            assert len(found) == 30
            assert max(found) in over
    again = gads_etl("run", "-c", config, "--format", "json")
    assert again.code == 0
    assert again.json["operations"] <= 4, "nothing, unless a midnight has passed"


def test_days_that_are_not_over_are_never_asked_for(
    gads_etl: Any, project: Callable[..., Path], agency: Path, customers: list[str]
) -> None:
    config = project(agency, customers[:1], REPORTS)
    today = datetime.now(UTC).date()
    span = ("--since", today - timedelta(days=3), "--until", today + timedelta(days=1))
    done = gads_etl("run", "-c", config, *span, "--report", "account", "--format", "json")
    assert done.code == 0, done.err
    assert "not over yet in the account's time zone: account of " + customers[0] in done.err
    assert all(date.fromisoformat(row["logical_date"]) < today + timedelta(days=1) for row in done.json["partitions"])
    assert len(done.json["partitions"]) in (2, 3, 4)
    future = ("--since", today + timedelta(days=1), "--until", today + timedelta(days=1))
    refused = gads_etl("run", "-c", config, *future, "--report", "account")
    assert refused.code == 2
    assert "none of these days can be requested" in refused.err
