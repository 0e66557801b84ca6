from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from gads_domain.errors import ConfigurationError
from gads_domain.report import ReportKind
from gads_gaql.day_conditions import day_query
from gads_gaql.parser import parse
from gads_gaql.renderer import render
from gads_reports.catalogue import builtin
from gads_reports.definition_file import default_restatement_days, load_file, read_definition, read_text

DAILY = """-- title: Campaigns by day
-- kind: daily
-- grain: customer.id, campaign.id, segments.date
-- schema_version: 2

-- A remark that means nothing.
SELECT
  customer.id, campaign.id, campaign.name, segments.date,
  metrics.clicks  # another
FROM campaign
"""
SNAPSHOT = """-- title: Labels
-- kind: snapshot
-- grain: label.id
-- schema_version: 1
SELECT label.id, label.name FROM label
"""
EVENT = """-- title: Calls
-- kind: event
-- grain: call_view.resource_name
-- schema_version: 1
-- date_field: call_view.start_call_date_time
SELECT call_view.resource_name, call_view.start_call_date_time FROM call_view
"""


def written(folder: Path, text: str | bytes, name: str = "mine.gaql") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_a_file_is_a_report_of_its_name(tmp_path: Path) -> None:
    found = load_file(written(tmp_path, DAILY))
    assert (found.name, found.title, found.schema_version) == ("mine", "Campaigns by day", 2)
    assert found.grain == ("customer.id", "campaign.id", "segments.date")
    assert found.query == DAILY
    assert render(parse(found.query)) == (
        "SELECT customer.id, campaign.id, campaign.name, segments.date, metrics.clicks FROM campaign"
    )


@pytest.mark.parametrize("text", [b"\xef\xbb\xbf" + DAILY.encode(), DAILY.replace("\n", "\r\n").encode()])
def test_what_editors_of_other_systems_write_is_read(tmp_path: Path, text: bytes) -> None:
    found = load_file(written(tmp_path, text))
    assert parse(found.query) == parse(DAILY)
    assert found.grain == ("customer.id", "campaign.id", "segments.date")


@pytest.mark.parametrize(
    ("metrics", "days"),
    [
        ("metrics.clicks, metrics.cost_micros", 3),
        ("metrics.clicks, metrics.all_conversions_value", 30),
        ("metrics.view_through_conversions", 30),
        ("metrics.revenue_micros", 30),
        ("conversion_action.name", 3),
    ],
)
def test_a_header_that_does_not_say_reads_conversions_again_for_longer(metrics: str, days: int) -> None:
    assert default_restatement_days(parse(f"SELECT campaign.id, {metrics} FROM campaign")) == days
    text = DAILY.replace("metrics.clicks", metrics)
    assert read_definition("mine", text, "mine.gaql").restatement_days == days
    longer = text.replace("schema_version: 2\n", "schema_version: 2\n-- restatement_days: 7\n")
    assert read_definition("mine", longer, "mine.gaql").restatement_days == 7


def test_a_snapshot_is_read_once() -> None:
    found = read_definition("labels", SNAPSHOT, "labels.gaql")
    assert (found.kind, found.restatement_days, found.max_days_per_request) == (ReportKind.SNAPSHOT, 0, 1)


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        (DAILY.replace("FROM campaign", "FORM campaign"), 10, "column 1: found 'FORM'", "grammar"),
        (DAILY.replace("campaign.name,", "campaign.name,,"), 8, "column 43", "comma"),
        (DAILY.replace("grain: customer.id", "grain: customer.status"), 3, "customer.status is in the grain", "SELECT"),
        (DAILY.replace("grain: customer.id", "grain: metrics.clicks"), 3, "metrics.clicks is a metric", "not measured"),
        (DAILY.replace("segments.date,\n", "segments.device, segments.date,\n"), 8, "segments.device splits", "grain"),
        (DAILY.replace(", segments.date,\n", ",\n"), 3, "segments.date is in the grain and not selected", "SELECT"),
        (
            DAILY.replace(", segments.date,\n", ",\n").replace(", segments.date\n", "\n"),
            10,
            "a daily report selects segments.date",
            "snapshot",
        ),
        (DAILY + "WHERE segments.date DURING TODAY", 11, "bounds its days", "each request"),
        (DAILY + "WHERE segments.week = '2024-06-03'", 11, "bounds its days", "each request"),
        (DAILY + "ORDER BY campaign.id", 11, "no ORDER BY", "remove it"),
        (DAILY + "LIMIT 5", 10, "no LIMIT", "row_limit"),
        (SNAPSHOT.replace("label.name", "metrics.clicks"), 5, "no metrics and no segments", "remove metrics.clicks"),
        (EVENT.replace(", call_view.start_call_date_time FROM", " FROM"), 5, "date_fi", "SELECT"),
        (EVENT + "WHERE call_view.start_call_date_time > '2024-06-01'", 7, "bounds its days", "each request"),
        (EVENT + "LIMIT 5", 6, "no LIMIT", "row_limit"),
        (DAILY.replace("schema_version: 2", "schema_version: 2\n-- history_days: 2"), 5, "history of 2", "fewer"),
    ],
)
def test_a_query_that_its_header_does_not_describe_is_refused(text: str, line: int, message: str, hint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_definition("mine", text, "mine.gaql")
    assert caught.value.message.startswith(f"mine.gaql:{line}: ")
    assert message in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("mine.gaql", b"\xff\xfe", "is not UTF-8"),
        ("mine.sql", DAILY.encode(), "is not named like a report"),
        ("My Report.gaql", DAILY.encode(), "'My Report' cannot be a report name"),
        ("mine.gaql", b"", ":1: the file has no header"),
    ],
)
def test_a_file_that_is_no_report_is_named(tmp_path: Path, name: str, text: bytes, message: str) -> None:
    path = written(tmp_path, text, name)
    with pytest.raises(ConfigurationError) as caught:
        load_file(path)
    assert caught.value.message.startswith(str(path))
    assert message in caught.value.message


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.gaql", tmp_path):
        with pytest.raises(ConfigurationError) as caught:
            load_file(path)
        assert caught.value.message.startswith(f"{path}: cannot be read: ")


def test_an_event_may_have_no_limit() -> None:
    found = read_definition("calls", EVENT, "calls.gaql")
    assert day_query(found, date(2024, 6, 1), date(2024, 6, 1)).limit is None


def test_a_query_alone_is_a_daily_report_with_defaults() -> None:
    found = read_text("mine", "SELECT segments.date, metrics.conversions FROM campaign", "gads.toml")
    assert (found.kind, found.schema_version, found.restatement_days) == (ReportKind.DAILY, 1, 30)
    assert (found.grain, found.max_days_per_request) == ((), None)
    clicks = read_text("mine", "SELECT segments.date, click_view.gclid FROM click_view", "gads.toml", schema_version=3)
    assert (clicks.schema_version, clicks.restatement_days, clicks.max_days_per_request) == (3, 3, 1)
    assert (clicks.kind, str(clicks.history), str(found.history)) == (ReportKind.DAILY, "90 days", "37 months")
    with pytest.raises(ConfigurationError, match=r"gads\.toml:1: column 8: "):
        read_text("mine", "SELECT FROM campaign", "gads.toml")


@pytest.mark.parametrize("name", ["change_event", "change_status", "click", "label"])
def test_a_query_alone_has_what_the_packaged_report_of_its_resource_has(name: str) -> None:
    packaged = builtin()[name]
    own = read_text(name, render(parse(packaged.query)), "gads.toml", schema_version=packaged.schema_version)
    assert replace(own, query="") == replace(packaged, query="", title="", grain=())


def test_a_header_says_everything_wherever_the_text_stands() -> None:
    assert read_text("mine", DAILY, "gads.toml") == read_definition("mine", DAILY, "gads.toml")
    assert read_text("mine", DAILY, "gads.toml", schema_version=2).schema_version == 2
    with pytest.raises(ConfigurationError, match="schema_version is 2 in the header, 1 in the configuration"):
        read_text("mine", DAILY, "gads.toml", schema_version=1)
