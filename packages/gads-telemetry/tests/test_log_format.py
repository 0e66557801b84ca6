"""Log lines: what is in them, and what never is."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime

import pytest

from gads_pipeline.events import DaysFailed
from gads_telemetry.event_log import EventLog
from gads_telemetry.log_format import LogFormat, LogLevel, start_logging

NOW = datetime(2024, 6, 10, 12, tzinfo=UTC)
RUN = "20240602T040506789Z-7f3a9c21"
FAILED = (NOW, RUN, "1234567890", "Shop", "campaign", date(2024, 5, 1), date(2024, 5, 3))
HOSTILE = "a\x1b[31m\u202eb\nc"


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], list[str]]]:
    """What was written to stderr; the loggers are afterwards as they were."""
    monkeypatch.setenv("MY_API_TOKEN", "s3cr3t-value")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer-abcdef")
    root, written = logging.getLogger(), list[str]()
    before, level, stderr = [*root.handlers], logging.getLogger("gads_etl").level, sys.stderr

    def lines() -> list[str]:
        written.append(capsys.readouterr().err)
        return "".join(written).splitlines()

    yield lines
    sys.stderr = stderr
    root.handlers[:] = before
    logging.getLogger("gads_etl").setLevel(level)


def test_a_line_for_people_names_account_report_days_and_run(lines: Callable[[], list[str]]) -> None:
    start_logging()
    EventLog().on_events(DaysFailed(*FAILED, "rows_differ: 2 rows"))
    logging.getLogger("gads_etl.slice").debug("not wanted")
    logging.getLogger("of.a.library").info("not wanted either")
    logging.getLogger("of.a.library").warning("heed this")
    logging.getLogger("google.ads.googleads.client").warning("a failure that is raised as well")
    named, heeded = lines()
    assert named == (
        "2024-06-10T12:00:00Z warning 1234567890 (Shop) campaign 2024-05-01..2024-05-03: "
        f"not success: rows_differ: 2 rows (run {RUN})"
    )
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ warning heed this", heeded)


@pytest.mark.parametrize("format_", list(LogFormat))
def test_no_line_is_steered_overlong_or_gives_a_secret_away(format_: LogFormat, lines: Callable[[], list[str]]) -> None:
    start_logging(format_)
    name = (NOW, RUN, "1234567890", HOSTILE, "campaign", date(2024, 5, 1), date(2024, 5, 3))
    EventLog().on_events(DaysFailed(*name, f"{HOSTILE} s3cr3t-value Bearer-abcdef http://me:pw@host/ {'x' * 70_000}"))
    try:
        raise ValueError(f"s3cr3t-value {HOSTILE}")
    except ValueError:
        logging.getLogger("gads_etl.run").exception("broken")
    text = "\n".join(lines())
    assert not any(character in text for character in "\x1b\u202e")
    assert not any(secret in text for secret in ("s3cr3t-value", "abcdef", "me:pw"))
    assert "http://***@host/" in text
    assert "more characters)" in text
    assert len(text) < 15_000
    if format_ is LogFormat.JSON:
        failed, broken = map(json.loads, lines())
        assert failed["account"] == HOSTILE
        assert "ValueError: *** a" in broken["traceback"]
    else:
        assert len(lines()[0]) < 5_000
        others = [line for line in lines()[1:] if not line.startswith("20")]
        assert [line for line in others if not line.startswith("  ")] == []


def test_a_json_line_has_the_members_that_the_guide_names(
    lines: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    start_logging(LogFormat.JSON, LogLevel.DEBUG, lambda text: text.replace("`since`", "--since"))
    assert not sys.stderr.isatty(), "no bar is drawn between the lines"
    EventLog().on_events(DaysFailed(*FAILED, "give `since`"))
    sys.stderr.write("error: it is ")
    sys.stderr.write("broken\nhint: mend it\n\n")
    failed, error, hint = map(json.loads, lines())
    assert failed == {
        "version": 1,
        "at": "2024-06-10T12:00:00.000000Z",
        "level": "warning",
        "logger": "gads_etl.days",
        "message": "not success: give --since",
        "run_id": RUN,
        "customer_id": "1234567890",
        "report": "campaign",
        "first": "2024-05-01",
        "last": "2024-05-03",
        "account": "Shop",
        "event": "days_failed",
        "data": {"reason": "give --since"},
    }
    assert (error["level"], error["logger"], error["message"]) == ("error", "gads_etl.stderr", "it is broken")
    assert hint["message"] == "hint: mend it"
    assert not sys.stderr.isatty(), "so that no bar is drawn into it"
    start_logging()
    sys.stderr.write("plain again\n")
    assert lines()[-1] == "plain again"
