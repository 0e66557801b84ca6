"""Where a ledger stands, read from real ledgers and sinks."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from gads_domain.activity import Heartbeat, Liveness, Round, Severity
from gads_domain.adapters import ledger_adapter
from gads_domain.clock import SystemClock
from gads_domain.completeness import Answer
from gads_domain.expectations import DrawnList, ListedAccount
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_pipeline import Pipeline
from gads_pipeline.configuration import Configuration
from gads_pipeline.status import without_secrets
from gads_status.status import Status
from gads_testing.local_deployment import SINK, STATE, LocalDeployment, run_of

NOW = SystemClock().now()
LAST = NOW.date() - timedelta(days=2)
"""Over and due in every zone."""


def configuration(base: Path, **sections: Any) -> Configuration:
    document = {"storage": {"sink": SINK, "state": STATE}, "reports": [{"name": "campaign"}], **sections}
    return Configuration.of(document, base / "gads.toml")


def status_of(base: Path, **sections: Any) -> Status:
    return Pipeline(configuration(base, **sections)).status()


def key_of(customer: int, day: date) -> PartitionKey:
    return PartitionKey(GOOGLE_ADS, str(customer), "campaign", day)


def codes(status: Status) -> list[tuple[str, str]]:
    return [(one.severity.value, one.code) for one in status.attention if one.code != "disk"]


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[LocalDeployment]:
    """Two accounts of which the last three days are expected."""
    deployment = LocalDeployment(tmp_path, SystemClock())
    accounts = (ListedAccount("1", "Shoes", time_zone="UTC"), ListedAccount("2", "Hats", time_zone="UTC"))
    first_days = {(one.customer_id, "campaign"): LAST - timedelta(days=2) for one in accounts}
    deployment.control_plane.record_list(DrawnList(GOOGLE_ADS, SystemClock().now(), accounts, first_days))
    yield deployment
    deployment.close()


def complete(deployment: LocalDeployment) -> None:
    for customer in (1, 2):
        for back in range(3):
            deployment.make_authoritative(key_of(customer, LAST - timedelta(days=back)), 1)
        deployment.make_authoritative(key_of(customer, LAST + timedelta(days=1)), 1)


def test_what_is_complete_is_well(deployment: LocalDeployment) -> None:
    complete(deployment)
    status = status_of(deployment.base, quota={"operations_per_day": 100})
    assert (status.answer, status.unknown, codes(status)) == (Answer.COMPLETE, "", [])
    assert (status.accounts.listed, status.accounts.selected) == (2, 2)
    (report,) = status.reports
    assert report.complete_up_to is not None
    assert report.complete_up_to >= LAST
    assert (status.budget.forecast, status.budget.left) == (0, 100)
    (due,) = status.next_due
    assert (due.partitions, due.day >= NOW.date() - timedelta(days=1)) == (2, True)
    assert due.at > status.at
    assert status.warehouse is None
    assert status.disk.ledger_bytes


def test_gaps_are_named_with_their_reason_and_the_command_to_run_next(deployment: LocalDeployment) -> None:
    deployment.make_authoritative(key_of(1, LAST), 1)
    deployment.seal_invalid(key_of(2, LAST), 1)
    status = status_of(deployment.base)
    assert status.answer is Answer.INCOMPLETE
    assert [group.status.value for group in status.gaps] == ["failed", "pending"]
    assert status.names == {"1": "Shoes", "2": "Hats"}
    failed = status.attention[0]
    assert "1 partition failed" in failed.text
    assert "2 (Hats)" in failed.text
    assert failed.command == f"gads-etl state history google_ads/2/campaign/{LAST} --config {deployment.base}/gads.toml"
    assert status.budget.forecast == 2


def test_a_ledger_that_is_not_there_is_unknown_and_stays_so(tmp_path: Path) -> None:
    status = status_of(tmp_path)
    assert (status.answer, status.ledger_id, status.accounts.drawn_at) == (Answer.UNKNOWN, None, None)
    assert status.unknown == "no list of accounts was ever drawn"
    assert codes(status) == [("warning", "no_ledger")]
    assert status.activity_unknown
    assert status.disk.ledger_unknown == "sqlite: is no folder or file of this machine"
    assert list(tmp_path.iterdir()) == []


def test_without_its_sink_nothing_is_known_to_be_complete(deployment: LocalDeployment) -> None:
    complete(deployment)
    shutil.rmtree(deployment.base / "raw")
    status = status_of(deployment.base)
    assert status.answer is Answer.UNKNOWN
    assert "the sink has none" in status.unknown
    assert not status.is_well
    assert ("critical", "sink") in codes(status)


def test_a_daemon_that_fell_silent_is_critical_however_complete_all_is(deployment: LocalDeployment) -> None:
    complete(deployment)
    at = SystemClock().now() - timedelta(minutes=4)
    beat = Heartbeat("a:1:x", "a", 1, "gads-etl serve", "0", at, at, timedelta(seconds=30), "idle")
    with ledger_adapter(STATE).open_activity(STATE, deployment.base) as ledger:  # type: ignore[attr-defined]
        ledger.record(beat, [Round("a:1:x", "gads-etl serve", run_of(1).value, at, 3)])
    status = status_of(deployment.base)
    (process,) = status.processes
    assert (process.state, process.lost, len(status.rounds)) == (Liveness.SILENT, True, 1)
    assert (status.answer, status.is_well) == (Answer.COMPLETE, False)
    (silent,) = (one for one in status.attention if one.code == "silent")
    assert silent.severity is Severity.CRITICAL
    assert silent.text.startswith("no heartbeat since ")
    assert "4 minutes ago; it was at: idle" in silent.text


def test_erased_accounts_are_counted_and_are_no_gap(deployment: LocalDeployment) -> None:
    complete(deployment)
    deployment.erase(2)
    status = status_of(deployment.base)
    assert (status.answer, status.accounts.erased, status.accounts.selected) == (Answer.COMPLETE, 1, 1)


def test_a_warehouse_that_cannot_be_opened_is_unknown(deployment: LocalDeployment) -> None:
    (deployment.base / "w.duckdb").write_bytes(b"no database at all")
    status = status_of(deployment.base, warehouse={"url": "duckdb:w.duckdb"})
    assert status.warehouse is not None
    assert (status.warehouse.position, status.warehouse.behind) == (None, None)
    assert "is not a DuckDB file" in status.warehouse.unknown


def test_no_password_of_a_url_is_shown() -> None:
    assert without_secrets("other://me:secret@host:1/db?password=secret") == "other://host/db"
    assert without_secrets("duckdb:w.duckdb?token=secret") == "duckdb:w.duckdb"
