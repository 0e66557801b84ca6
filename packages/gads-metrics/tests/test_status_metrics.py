"""A status as metrics: what it says, what it does not know, and how many series that can be."""

import math
import re
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import count

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from gads_domain.activity import AlertState, Heartbeat, Liveness, Round, Severity
from gads_domain.completeness import Answer
from gads_domain.errors import LedgerError
from gads_domain.gaps import Gap, GapRange
from gads_domain.partition_key import PartitionKey
from gads_domain.quota import CallScope, Rest
from gads_domain.standing import GapGroup, ReportStanding
from gads_domain.state import PartitionStatus
from gads_metrics import status_collector
from gads_metrics.exposition import Exposition
from gads_metrics.process_counters import ProcessCounters
from gads_metrics.series import LONGEST_LABEL, SERIES
from gads_metrics.status_collector import StatusCollector
from gads_orchestrator.events import CallEnded, NullObserver, PartitionSealed, PartitionUnchanged, SliceEnded
from gads_status.status import (
    AccountsStanding,
    ApiStanding,
    Attention,
    BudgetStanding,
    DiskStanding,
    NextDue,
    ProcessStanding,
    Status,
    WarehouseStanding,
)

NOW = datetime(2024, 6, 2, 7, tzinfo=UTC)
DAY = date(2024, 6, 1)
FIXED = 400
PER_REPORT = 29


def report(name: str = "campaign", missing: int = 0) -> ReportStanding:
    return ReportStanding(name, None if missing else DAY, 3, min(missing, 3), 30, 30 - missing, missing, 0, 0, 3, DAY)


def process(number: int, *, lost: bool = False) -> ProcessStanding:
    beat = Heartbeat(f"host:{number}:abc", "host", number, "gads-etl serve", "1", NOW, NOW, timedelta(seconds=30))
    return ProcessStanding(replace(beat, active_at=NOW), Liveness.SILENT if lost else Liveness.ALIVE, lost)


def status(*reports: ReportStanding, **members: object) -> Status:
    made = Status(
        NOW,
        "google_ads",
        "1234",
        "0.1.0",
        Answer.COMPLETE,
        "",
        (),
        AccountsStanding(5, 3, 0, NOW),
        reports or (report(),),
        (),
        (),
        BudgetStanding(limit=15_000, spent=40, left=14_960, forecast=7, daily=12),
        ApiStanding("v22", date(2024, 12, 1), 182),
        DiskStanding(4096, 10**9, "", 10**10, ""),
    )
    return replace(made, **members)  # type: ignore[arg-type]


def found(source: Callable[[], Status]) -> dict[str, float]:
    """Each series of `source` as a scraper reads it: its name without the prefix and the values of its labels."""
    text = Exposition([StatusCollector(source, "0.1.0")]).encoded("application/openmetrics-text; version=1.0.0")[0]
    return {
        " ".join(
            [sample.name.removeprefix("gads_etl_"), *(value for _, value in sorted(sample.labels.items()))]
        ): sample.value
        for family in text_string_to_metric_families(text.decode())  # type: ignore[no-untyped-call]
        for sample in family.samples
    }


def test_what_a_status_says() -> None:
    rounds = (
        Round("p", "gads-etl serve", "", NOW, ended="", number=9),
        Round("p", "gads-etl serve", "", NOW, 3, NOW - timedelta(hours=1), "ledger", 2, 1, 1, number=8),
        Round("p", "gads-etl serve", "", NOW, 3, NOW - timedelta(hours=2), "done", number=7),
    )
    example = GapRange(
        Gap(PartitionKey("google_ads", "1001", "campaign", DAY), PartitionStatus.SUCCESS, "x"), DAY + timedelta(days=1)
    )
    gap = GapGroup("campaign", PartitionStatus.SUCCESS, "rows vanished", "", 1, 2, DAY, DAY, (example,))
    refused = GapGroup("campaign", PartitionStatus.FAILED, "refused", "account_access", 1, 1, DAY, DAY)
    shown = found(
        lambda: status(
            report(missing=3),
            answer=Answer.INCOMPLETE,
            attention=(Attention(Severity.CRITICAL, "campaign", "3 partitions are missing"),),
            gaps=(gap, refused, refused),
            names={"1001": "Acme"},
            next_due=(NextDue("campaign", DAY, NOW, 1), NextDue("campaign", DAY, NOW - timedelta(hours=1), 2)),
            warehouse=WarehouseStanding("duckdb:w", 4, 6, NOW),
            processes=(process(1), process(2, lost=True), replace(process(3), state=Liveness.SILENT)),
            rounds=rounds,
            alerts=(AlertState("failures", "campaign", NOW, "text"),),
        )
    )
    at, day = NOW.timestamp(), datetime(2024, 6, 1, tzinfo=UTC).timestamp()
    expected = {
        "build_info 0.1.0": 1,
        "ledger_up": 1,
        "status_timestamp_seconds": at,
        "answer complete": 0,
        "answer incomplete": 1,
        "answer unknown": 0,
        "expectation_known": 1,
        "attention critical": 1,
        "attention warning": 0,
        "missing_partitions campaign": 3,
        "partitions campaign authoritative": 27,
        "partitions campaign failed": 3,
        "partitions campaign held": 0,
        "partitions campaign not_due": 3,
        "complete_up_to_known campaign": 0,
        "first_gap_timestamp_seconds campaign": day,
        "next_due_timestamp_seconds campaign": at - 3600,
        "accounts_behind campaign": 3,
        "gap_partitions none campaign held": 2,
        "gap_accounts none campaign held": 1,
        "gap_example_partitions Acme none 1001 campaign held": 2,
        "gap_partitions account_access campaign failed": 2,
        "gap_partitions_omitted": 0,
        "accounts selected": 3,
        "quota_used_operations": 40,
        "quota_limit_operations": 15_000,
        "quota_due_operations": 7,
        "warehouse_behind_changes": 6,
        "warehouse_known": 1,
        "api_version_end_timestamp_seconds v22": datetime(2024, 12, 1, tzinfo=UTC).timestamp(),
        "processes serve alive": 1,
        "processes serve silent": 1,
        "process_heartbeat_timestamp_seconds serve host:1:abc": at,
        "process_heartbeat_interval_seconds serve host:2:abc": 30,
        "rounds_total": 9,
        "last_round_end_timestamp_seconds": at - 3600,
        "last_round_partitions succeeded": 2,
        "last_success_timestamp_seconds": at - 7200,
        "alerts_open failures warning": 1,
    }
    assert {name: shown.get(name) for name in expected} == expected
    assert "process_heartbeat_timestamp_seconds serve host:3:abc" not in shown  # another has taken its place
    assert "complete_up_to_timestamp_seconds campaign" not in shown


def test_what_is_not_known_is_never_zero_or_well() -> None:
    shown = found(
        lambda: status(
            report("campaign"),
            report("ad_group", missing=2),
            answer=Answer.INCOMPLETE,
            unknown="no list of accounts was ever drawn",
            budget=BudgetStanding(unknown="no list"),
            api=ApiStanding("v99"),
            disk=DiskStanding(ledger_unknown="no file", sink_unknown="no file"),
            warehouse=WarehouseStanding("duckdb:w", unknown="it is locked"),
            activity_unknown="the ledger records none",
        )
    )
    assert math.isnan(shown["missing_partitions campaign"])
    assert shown["missing_partitions ad_group"] == 2
    known = {name.split()[0]: value for name, value in shown.items() if name.split()[0].endswith("_known")}
    assert known == {
        "expectation_known": 0,
        "complete_up_to_known": 0,
        "quota_due_known": 0,
        "warehouse_known": 0,
        "api_version_end_known": 0,
        "activity_known": 0,
    }
    for absent in (
        "quota_limit",
        "quota_due_op",
        "warehouse_behind",
        "api_version_end_time",
        "ledger_",
        "sink_",
        "proc",
    ):
        assert [name for name in shown if name.startswith(absent) and name != "ledger_up"] == []


def exposed(collector: StatusCollector) -> str:
    return Exposition([collector]).encoded("")[0].decode()


def test_a_ledger_that_cannot_be_read_leaves_nothing_of_what_it_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_collector, "FRESH_SECONDS", 0.0)
    never, answers = threading.Event(), list[str]()

    def answer() -> None:
        if answers[-1] == "refuses":
            raise LedgerError("the disk is gone")

    def source() -> Status:
        match answers[-1]:
            case "gone":
                raise LedgerError("the disk is gone")
            case "hangs":
                never.wait()
            case "none":
                return status(ledger_id=None)
        return status()

    collector = StatusCollector(source, "0.1.0", answer, seconds=0.05)
    for said, code in (("gone", "ledger"), ("none", "ledger"), ("refuses", "ledger"), ("hangs", "no_answer")):
        answers.append("well")
        assert "\ngads_etl_ledger_up 1.0\n" in exposed(collector)
        answers.append(said)
        collector._last = None if said == "hangs" else collector._last
        lines = [line for line in exposed(collector).splitlines() if not line.startswith("#")]
        down = ["gads_etl_ledger_up 0.0", f'gads_etl_ledger_failure{{code="{code}"}} 1.0']
        assert lines == ['gads_etl_build_info{version="0.1.0"} 1.0', *down], said
    never.set()


def test_a_scrape_does_not_wait_for_a_status_that_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_collector, "FRESH_SECONDS", 0.0)
    ready, numbers = threading.Event(), count(1)
    ready.set()

    def source() -> Status:
        ready.wait()
        return status(budget=BudgetStanding(spent=next(numbers)))

    collector = StatusCollector(source, "0.1.0", seconds=0.1)

    def spent(patience: float, quick: float = 0.0) -> str:
        monkeypatch.setattr(status_collector, "PATIENCE_SECONDS", patience)
        monkeypatch.setattr(status_collector, "QUICK_SECONDS", quick)
        found = re.search(r"^gads_etl_quota_used_operations (.*)$", exposed(collector), re.MULTILINE)
        return found[1] if found else "none"

    assert spent(5.0) == "1.0"
    ready.clear()
    assert spent(0.01) == "1.0"
    ready.set()
    assert spent(5.0) in ("2.0", "3.0")
    assert int(float(spent(0.0, quick=9.0))) > 2, "what was read quickly is read again and waited for"
    ready.clear()
    monkeypatch.setattr(status_collector, "LONGEST_AGE", -1.0)
    assert spent(0.01) == "none"
    ready.set()


def test_the_status_is_read_once_in_a_few_seconds() -> None:
    read: list[Status] = []

    def source() -> Status:
        read.append(status())
        return read[-1]

    collector = StatusCollector(source, "0.1.0")
    assert exposed(collector) == exposed(collector)
    assert len(read) == 1


HOSTILE = '<script>\n"\\\u202e\x00' + "x" * 70_000


def test_the_number_of_series_is_bounded_by_that_of_reports() -> None:
    names = [f"report_{number:02}" for number in range(40)]
    keys = [PartitionKey("google_ads", str(1001 + number), "report", DAY) for number in range(3)]
    examples = tuple(GapRange(Gap(key, PartitionStatus.PENDING, HOSTILE), DAY + timedelta(days=1)) for key in keys)
    gaps = [
        GapGroup(name, state, HOSTILE, f"code_{code}", 1, code + 1, DAY, DAY, examples)
        for name in names
        for state in PartitionStatus
        for code in range(60)
    ]
    everything = status(
        *[replace(report(name), first_gap=DAY) for name in names],
        gaps=tuple(gaps),
        names={key.customer_id: HOSTILE for key in keys},
        next_due=tuple(NextDue(name, DAY, NOW, 1) for name in names for _ in range(30)),
        warehouse=WarehouseStanding("duckdb:w", 4, 6, NOW),
        processes=tuple(process(number) for number in range(200)),
        rounds=tuple(Round("p", "c", "", NOW, 1, NOW, "done", number=number) for number in range(10)),
        alerts=tuple(AlertState(f"{number}{HOSTILE}", HOSTILE, NOW, HOSTILE) for number in range(1000)),
    )
    counters = ProcessCounters(NullObserver())
    for name in names:
        key = (NOW, "", "1000000001", name, DAY)
        counters.on_events(
            PartitionSealed(*key, 1),
            PartitionUnchanged(*key, "", 1),
            CallEnded(*key, DAY, 1, 1.0, "", 1, 1, ""),
            SliceEnded(*key, DAY, 1),
        )
    text = Exposition([StatusCollector(lambda: everything, "0.1.0"), counters]).encoded("")[0].decode()
    series = [line for line in text.splitlines() if not line.startswith("#")]
    assert len({line.rpartition(" ")[0] for line in series}) == len(series)
    assert len(series) <= FIXED + PER_REPORT * len(names)
    assert len(text) < 200_000
    rules = [line for line in series if line.startswith("gads_etl_alerts_open")]
    assert max(map(len, rules)) < len('gads_etl_alerts_open{rule="",severity="critical"} 1.0') + 2 * LONGEST_LABEL
    assert {char for char in text if not char.isprintable()} == {"\n"}
    shown = sum(float(line.split()[-1]) for line in series if line.startswith("gads_etl_gap_partitions"))
    assert shown == sum(gap.partitions for gap in gaps)


def test_every_series_is_exposed_at_some_time() -> None:
    """What is in the table and never exposed would be documented in vain."""
    example = GapRange(
        Gap(PartitionKey("google_ads", "1001", "campaign", DAY), PartitionStatus.FAILED, "x"), DAY + timedelta(days=1)
    )
    everything = status(
        report(missing=1),
        replace(report("ad_group"), complete_up_to=DAY),
        gaps=(GapGroup("campaign", PartitionStatus.FAILED, "", "x", 1, 1, DAY, DAY, (example,)),),
        next_due=(NextDue("campaign", DAY, NOW, 1),),
        budget=BudgetStanding("b", 1, 1, 0, None, 0, 1, 1, "", (Rest(CallScope("b", "", ""), NOW, ""),)),
        warehouse=WarehouseStanding("duckdb:w", 4, 6, NOW),
        processes=(process(1),),
        rounds=(Round("p", "c", "", NOW, 1, NOW, "done", number=1),),
        alerts=(AlertState("failures", "campaign", NOW, "text"),),
    )
    assert {name.split()[0] for name in found(lambda: everything)} == set(SERIES) - {"ledger_failure"}
