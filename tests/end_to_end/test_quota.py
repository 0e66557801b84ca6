"""A budget that runs share, and rests that the API asks for: a run stops cleanly and says when to go on."""

import json
import re
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


def test_a_run_ends_at_the_budget_and_what_was_not_asked_for_stays_pending(
    gads_etl: Any, project: Callable[..., Path], agency: Path, customers: list[str]
) -> None:
    config = project(agency, customers, extra="[quota]\noperations_per_day = 4\n")
    asked = ("run", "-c", config, "--since", "2024-03-01", "--until", "2024-03-02", "--format", "json")
    first = gads_etl(*asked)
    assert first.code == 75, first.err
    assert first.json["summary"] == {"pending": 4, "success": 8, "failed": 0}
    assert "4 more may be spent from 20" in first.json["stopped_by"]["hint"]

    again = gads_etl(*asked)
    assert (again.code, again.json["summary"], again.json["up_to_date"]) == (
        75,
        {"pending": 4, "success": 0, "failed": 0},
        8,
    )
    table = gads_etl(*asked[:-2])
    assert "error: the budget is spent: 4 operations within 24 hours" in table.err

    config.write_text(config.read_text().replace("operations_per_day = 4", "operations_per_day = 6"))
    last = gads_etl(*asked)
    assert (last.code, last.json["summary"]["success"], last.json["up_to_date"]) == (0, 4, 8)


DAYS = ("--since", "2024-03-01", "--until", "2024-03-02")


@pytest.fixture
def faults(agency: Path) -> Iterator[Callable[..., list[int]]]:
    """Let the API answer by one fault and forget it with the test; without one, how many calls it has struck."""
    url = json.loads((agency / "emulator.json").read_text())["faults_url"]

    def play(**rule: object) -> list[int]:
        body = json.dumps({"faults": [{"methods": ["SearchStream"], **rule}]}).encode() if rule else None
        with urllib.request.urlopen(urllib.request.Request(url, body)) as answer:
            struck: list[int] = json.load(answer)["struck"]
            return struck

    yield play
    urllib.request.urlopen(urllib.request.Request(url, method="DELETE")).close()


def test_a_rest_of_the_project_ends_the_run_with_its_time_and_every_later_process_obeys_it(
    gads_etl: Any, project: Callable[..., Path], agency: Path, customers: list[str], faults: Callable[..., list[int]]
) -> None:
    config = project(agency, customers, extra="[quota]\nwait_seconds = 60\n")
    faults(error="quota_error.RESOURCE_TEMPORARILY_EXHAUSTED", retry_delay=310, resources=["campaign"])
    first = gads_etl("run", "-c", config, *DAYS)
    assert first.code == 75, first.err
    until = re.search(r"the API asks to wait 310 s: no request is sent until (\S+Z)", first.err)
    assert until is not None, first.err
    assert f"hint: go on after {until[1]}" in first.err
    for command in (("run", *DAYS), ("backfill", "--yes", *DAYS), ("serve", "--once")):
        again = gads_etl(*command, "-c", config)
        assert again.code == 75, again.err
        assert until[1] in again.err
    assert faults() == [1], "one call was refused, and none was made after it"
    gaps = gads_etl("state", "gaps", "-c", config, *DAYS, "--format", "json").json
    assert "failed" not in {gap["reason"] for gap in gaps["gaps"]}
    planned = gads_etl("plan", "-c", config, "--format", "json").json["quota"]["rests"]
    assert [(rest["customer_id"], rest["report"]) for rest in planned] == [(None, None)]


def test_a_query_pattern_that_rests_lets_the_other_reports_go_on(
    gads_etl: Any, project: Callable[..., Path], agency: Path, customers: list[str], faults: Callable[..., list[int]]
) -> None:
    config = project(agency, customers)
    faults(error="quota_error.EXCESSIVE_LONG_TERM_QUERY_RESOURCE_CONSUMPTION", retry_delay=7200, resources=["campaign"])
    for up_to_date in (0, 6):
        done = gads_etl("run", "-c", config, *DAYS, "--format", "json")
        assert done.code == 75, done.err
        assert (done.json["ended"], done.json["up_to_date"], done.json["deferred"]) == (
            "done",
            up_to_date,
            {"resting": 3},
        )
        status_of = {(row["report"], row["status"]) for row in done.json["partitions"]}
        assert ("campaign", "pending") in status_of
        assert not {("account", "pending"), ("campaign", "failed")} & status_of
        assert any(
            "no request for report campaign is sent until" in row["reason"]
            for row in done.json["partitions"]
            if row["reason"]
        )
    assert faults() == [1]


def test_a_short_rest_is_waited_for_and_said(
    gads_etl: Any, project: Callable[..., Path], agency: Path, customers: list[str], faults: Callable[..., list[int]]
) -> None:
    config = project(agency, customers)
    faults(error="quota_error.RESOURCE_TEMPORARILY_EXHAUSTED", retry_delay=1, first=1, resources=["campaign"])
    done = gads_etl("run", "-c", config, *DAYS)
    assert done.code == 0, done.err
    assert re.search(r"waiting until \S+Z: QUOTA_ERROR.RESOURCE_TEMPORARILY_EXHAUSTED", done.err), done.err
    assert faults() == [1]
