"""Which events are logged, at which level and in which words."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from gads_orchestrator.events import (
    AccountStopped,
    CallEnded,
    Event,
    PartitionSealed,
    PartitionUnchanged,
    PartitionValidated,
    RowsReceived,
    RunEnded,
    RunPlanned,
    RunStopped,
    ServePaused,
    ServeResumed,
    SliceDeferred,
    SliceEnded,
    SliceStarted,
)
from gads_pipeline.events import CompletenessRead, DaysFailed, Notice, WarehouseLoaded, WarehouseLoadFailed
from gads_telemetry.event_log import EventLog

NOW = datetime(2024, 6, 10, 12, tzinfo=UTC)
RUN = "20240602T040506789Z-7f3a9c21"
DAY = date(2024, 5, 1)
SLICE = (NOW, RUN, "1234567890", "campaign", DAY, DAY)
PARTITION = (NOW, RUN, "1234567890", "campaign", DAY)
WENT_WELL: list[Event] = [
    RunPlanned(NOW, RUN, 1, 3, {"new": 2, "restatement": 1}, 0),
    SliceStarted(*SLICE, "new", 0),
    RowsReceived(*SLICE, 7),
    CallEnded(*SLICE, 1, 0.5, "abc", 1, 7, ""),
    PartitionSealed(*PARTITION, 7),
    PartitionValidated(*PARTITION, RUN, "passed", ""),
    PartitionUnchanged(*PARTITION, RUN, 5),
    SliceDeferred(*SLICE, "leased"),
    SliceEnded(*SLICE, 1),
    RunEnded(NOW + timedelta(seconds=90), RUN, "done", 1),
]


class _Kept(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@pytest.fixture
def records() -> Iterator[list[logging.LogRecord]]:
    logger, kept = logging.getLogger("gads_etl"), _Kept()
    level = logger.level
    logger.addHandler(kept)
    logger.setLevel(logging.DEBUG)
    yield kept.records
    logger.removeHandler(kept)
    logger.setLevel(level)


def _shown(records: list[logging.LogRecord], least: int = logging.INFO) -> list[tuple[str, str, str]]:
    return [(one.levelname, one.name, one.getMessage()) for one in records if one.levelno >= least]


def test_a_round_that_went_well_is_one_line(records: list[logging.LogRecord]) -> None:
    EventLog().on_events(*WENT_WELL)
    (line,) = _shown(records)
    assert line == (
        "INFO",
        "gads_etl.run",
        "run done: 1 partition passed, 1 unchanged; 1 request, 7 rows, 90 s",
    )
    assert records[-1].__dict__["gads"]["run_id"] == RUN
    assert len(records) == len(WENT_WELL) - 1, "all but the rows are there for those who want them"
    (call,) = [record.getMessage() for record in records if record.name == "gads_etl.call"]
    assert call == "call_ended attempt=1 seconds=0.500 request_id=abc operations=1 rows=7"


def test_a_failure_is_named_once_with_its_reason(records: list[logging.LogRecord]) -> None:
    stopped = RunStopped(NOW, RUN, "source", "api_unreachable", "no connection", "check the network")
    days = (NOW, RUN, "1234567890", "Shop", "campaign", DAY, DAY)
    log = EventLog()
    for _ in range(2):
        log.on_events(stopped, DaysFailed(*days, "pending: not asked for; no connection"))
        log.on_events(RunEnded(NOW, RUN, "source", 0))
    log.on_events(ServePaused(NOW, "", "source", "api_unreachable", "no connection", "check the network", 60.0))
    log.on_events(ServeResumed(NOW, ""), RunEnded(NOW, RUN, "done", 1), stopped)
    texts = [message for level, _, message in _shown(records) if "no connection" in message]
    assert texts == ["no connection; check the network"] * 2, "once, and once more after it had passed"
    assert ("WARNING", "gads_etl.serve", "paused (api_unreachable); trying again in 60 s") in _shown(records)


def test_what_an_outcome_prints_is_left_out(records: list[logging.LogRecord]) -> None:
    failed = DaysFailed(NOW, RUN, "1234567890", "Shop", "campaign", DAY, DAY, "rows_differ: 2 rows")
    stands = CompletenessRead(NOW, RUN, "incomplete", 2, 1, 1, 0, 0, 0, 0, "")
    loaded = WarehouseLoaded(NOW, RUN, 7, 1, 0, 0, 5, 0.1, {"campaign": 5})
    not_loaded = WarehouseLoadFailed(NOW, RUN, "held_elsewhere", "it is open elsewhere", "", 0.1)
    EventLog(outcome_is_printed=True).on_events(failed, stands, loaded, not_loaded)
    assert _shown(records) == []
    EventLog().on_events(failed, stands, stands, loaded, not_loaded)
    assert [(level, name) for level, name, _ in _shown(records)] == [
        ("WARNING", "gads_etl.days"),
        ("INFO", "gads_etl.days"),
        ("INFO", "gads_etl.warehouse"),
        ("ERROR", "gads_etl.warehouse"),
    ], "how things stand is news once"


def test_warnings_are_warnings(records: list[logging.LogRecord]) -> None:
    refused = AccountStopped(NOW, RUN, "1234567890", "account_refused", "not shared", "share it")
    EventLog().on_events(Notice(NOW, "", "warning: odd"), Notice(NOW, "", "accounts served: 1"), refused)
    assert _shown(records) == [
        ("WARNING", "gads_etl.notice", "odd"),
        ("INFO", "gads_etl.notice", "accounts served: 1"),
        ("WARNING", "gads_etl.account", "refused (account_refused); nothing more is requested of it in this run"),
    ]
