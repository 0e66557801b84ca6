"""What the pages say, without a browser."""

from __future__ import annotations

import html
import re
import sqlite3
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from starlette.responses import Response
from starlette.routing import Route

from gads_domain.standing import DayStanding
from gads_testing.shown_agency import FAILED, HELD, PENDING, RESTATED, ShownAgency
from gads_ui.application import create_app
from gads_ui.server import Address, HttpServer
from gads_ui.views import calendar
from gads_ui.views.calendar import account_cell, group_cell


def read(address: str) -> tuple[int, str]:
    """The status and the text of a page, without its markup."""
    try:
        with urllib.request.urlopen(address, timeout=30) as answer:
            status, page = answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        status, page = error.code, error.read().decode()
    text = re.sub(r"<[^>]*>", " ", page)
    return status, " ".join(html.unescape(text).split())


def _more(_request: object) -> Response:
    return Response("more")


def path_of(agency: ShownAgency, customer: int, days_ago: int = 1) -> str:
    key = agency.key(customer, days_ago)
    return f"/partitions/{customer}/{key.report}/{key.logical_date}"


def test_the_overview_answers_in_one_sentence_and_leads_to_each_reason(url: str, agency: ShownAgency) -> None:
    with urllib.request.urlopen(f"{url}/", timeout=30) as answer:
        page = answer.read().decode()
    assert "Incomplete: 5 of 330 partitions are missing: 2 failed, 1 held, 2 pending." in page
    for customer, days_ago in ((FAILED, 1), (HELD, 3), (PENDING, 1)):
        assert f'href="{path_of(agency, customer, days_ago)}"' in page


def test_a_story_says_why_and_what_to_do(url: str, agency: ShownAgency) -> None:
    status, failed = read(url + path_of(agency, FAILED))
    day = agency.key(FAILED).logical_date
    config = agency.pipeline.configuration.path
    assert status == 200
    assert "No run of it passed in 4 attempts." in failed
    assert "UNAVAILABLE: the service is not available" in failed
    assert "An operator's act: retry" in failed
    assert "the API is back" in failed
    only = f"--config {config} --customer {FAILED} --report campaign --since {day} --until {day}"
    assert f"gads-etl run {only} --retry-failed" in failed
    assert "Rows vanished in its newest run" in read(url + path_of(agency, HELD, 3))[1]
    assert "It was never attempted." in read(url + path_of(agency, PENDING))[1]
    restated = read(url + path_of(agency, RESTATED, 3))[1]
    assert "3 rows added, 0 removed" in restated
    assert "metrics_clicks" in restated
    assert "Request ids request" in restated


def test_a_sink_that_cannot_be_read_is_said_and_hides_nothing_else(url: str, agency: ShownAgency) -> None:
    raw = agency.pipeline.configuration.base / "raw"
    hidden = raw.rename(raw.with_name("hidden"))
    try:
        status, text = read(url + path_of(agency, RESTATED, 3))
    finally:
        hidden.rename(raw)
    assert status == 200
    assert "3 rows added" in text


def test_the_calendar_narrows_by_name_id_and_what_is_missing(url: str) -> None:
    assert "6 accounts; 4 of 160 partitions are missing" in read(f"{url}/calendar?report=campaign")[1]
    assert "1 account; nothing is missing" in read(f"{url}/calendar?report=campaign&q=lumi%C3%A8re&days=2")[1]
    assert "1 account; 2 of 29 partitions" in read(f"{url}/calendar?report=campaign&q=1004&days=30")[1]
    assert "3 accounts;" in read(f"{url}/calendar?report=campaign&behind=1")[1]
    assert "No account is like that." in read(f"{url}/calendar?report=campaign&q=nothing-like-it")[1]


def test_more_accounts_than_fit_are_grouped_and_each_group_opens(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calendar, "_MOST_ROWS", 2)
    with urllib.request.urlopen(f"{url}/calendar?report=campaign", timeout=30) as answer:
        page = answer.read().decode()
    groups = [html.unescape(one) for one in re.findall(r'href="(/calendar\?[^"]*first=[^"]*)"', page)]
    assert len(groups) == 3
    assert 'class=failed><span role=img aria-label="' in page
    opened = read(url + groups[1])[1]
    assert "2 accounts; 3 of 58 partitions are missing" in opened
    assert "Café Lumière 1003" in opened
    assert "Dörfler Maschinenbau 1004" in opened
    assert "all accounts again" in opened


def test_an_account_is_found_by_id_and_by_name(url: str) -> None:
    assert "2 of 60 partitions are missing, of 1 report." in read(f"{url}/accounts?q=10-04")[1]
    assert "1 account;" in read(f"{url}/accounts?q=fjord")[1]


def test_each_view_gives_a_command_with_the_configuration(url: str, agency: ShownAgency) -> None:
    config = f"--config {agency.pipeline.configuration.path}"
    for path in ("/", "/calendar", "/accounts/1001", "/rounds", "/drift", "/quota", "/reports", "/reports/campaign",
                 "/alerts", path_of(agency, 1002)):  # fmt: skip
        status, text = read(url + path)
        assert status == 200, path
        assert re.search(rf"gads-etl [a-z -]+{re.escape(config)}", text.replace("google_ads/", "")), path


@pytest.mark.parametrize(
    ("path", "status", "says"),
    [
        ("/nothing", 404, "There is no such page."),
        ("/reports/nothing", 404, "There is no such page."),
        ("/static/../application.py", 404, "There is no such page."),
        ("/accounts/12ab", 400, "'12ab' is not a customer id"),
        ("/partitions/1001/campaign/yesterday", 400, "'yesterday' is not a date"),
        ("/partitions/1001/nothing/2026-01-01", 400, "no report is named 'nothing'"),
        ("/calendar?report=nothing", 400, "no report is named 'nothing'"),
        ("/calendar?since=2026-02-01&until=2026-01-01", 400, "the days are reversed"),
        ("/calendar?days=many", 400, "which is not a number"),
        ("/calendar?status=NICE", 400, "no account has the status 'NICE'"),
        ("/rounds?before=%F0%9D%9F%99", 400, "which is not a number"),
    ],
)
def test_what_cannot_be_shown_is_said_in_a_sentence(url: str, path: str, status: int, says: str) -> None:
    found, text = read(url + path)
    assert found == status
    assert says in text


def test_a_bug_is_a_page_that_says_so_and_a_line_in_the_log(
    agency: ShownAgency, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(type(agency.pipeline), "reports", lambda _: 1 / 0)
    extra = Route("/extra", _more)
    app = create_app(agency.pipeline, extra_routes=[extra], hints=str.upper)
    with HttpServer(app, Address.parse("127.0.0.1:0")) as server:
        status, text = read(f"{server.url}/reports")
        assert read(f"{server.url}/extra") == (200, "more")
    assert (status, "a bug of gads-etl" in text, "ZeroDivisionError" in text) == (500, True, False)
    assert "ITS LOG HAS THE DETAILS" in text
    assert "ZeroDivisionError" in caplog.text


def test_a_ledger_that_is_absent_is_empty_and_is_not_made(tmp_path: Path) -> None:
    from gads_pipeline import Pipeline

    path = tmp_path / "gads.toml"
    path.write_text('[storage]\nsink = "file:raw"\nstate = "sqlite:state.db"\n[[reports]]\nname = "campaign"\n')
    with HttpServer(create_app(Pipeline.open(path)), Address.parse("127.0.0.1:0")) as server:
        for view in ("/", "/calendar", "/rounds", "/drift", "/quota", "/alerts"):
            assert read(server.url + view)[0] == 200, view
        assert "Unknown:" in read(f"{server.url}/")[1]
        assert "What is expected is not known" in read(f"{server.url}/calendar")[1]
    assert list(tmp_path.iterdir()) == [path]


def test_a_damaged_ledger_is_said(tmp_path: Path) -> None:
    from gads_pipeline import Pipeline

    path = tmp_path / "gads.toml"
    path.write_text('[storage]\nsink = "file:raw"\nstate = "sqlite:state.db"\n[[reports]]\nname = "campaign"\n')
    sqlite3.connect(tmp_path / "state.db").execute("CREATE TABLE other (x)").connection.close()
    with HttpServer(create_app(Pipeline.open(path)), Address.parse("127.0.0.1:0")) as server:
        status, text = read(f"{server.url}/")
    assert status == 503
    assert "is not a ledger" in text


def test_what_is_missing_is_never_hidden_behind_what_is_there() -> None:
    from datetime import date

    day = date(2026, 1, 2)

    def cell(**counts: int) -> tuple[str, str]:
        found = group_cell(DayStanding(day, **counts))
        return found.state, found.shown

    assert cell(expected=10_000, authoritative=9_999, pending=1) == ("pending", "1")
    assert cell(expected=10_000, authoritative=8_000, pending=1_999, failed=1) == ("failed", "2k")
    assert cell(expected=10, authoritative=9, held=1, restated=9) == ("held", "1")
    assert cell(expected=10, authoritative=10, restated=9) == ("authoritative", "✓")
    assert cell(not_due=5) == ("not_due", "·")
    assert cell() == ("not_expected", "")
    assert account_cell(DayStanding(day, expected=1, authoritative=1, unchanged=1), "/").state == "unchanged"
    assert account_cell(DayStanding(day, early=1), "/").state == "authoritative"
    assert account_cell(DayStanding(day), "/", lacking=1).shown == "?"
