"""Metrics, health and readiness beside the page, asked over HTTP."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from gads_domain.activity import Heartbeat
from gads_domain.clock import SystemClock
from gads_metrics.process_counters import ProcessCounters
from gads_orchestrator.events import NullObserver
from gads_pipeline import Pipeline
from gads_pipeline.composition import open_activity
from gads_testing.local_deployment import LocalDeployment, key_of
from gads_ui.application import create_app
from gads_ui.monitoring import monitoring_routes

CONFIGURATION = '[storage]\nsink = "file:raw"\nstate = "sqlite:state/ledger.db"\n[[reports]]\nname = "campaign"\n'


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    deployment = LocalDeployment(tmp_path)
    deployment.list_accounts(1)
    deployment.make_authoritative(key_of(), 1)
    (tmp_path / "gads.toml").write_text(CONFIGURATION)
    yield Pipeline.open(tmp_path / "gads.toml")
    deployment.close()


def client(pipeline: Pipeline, counters: ProcessCounters | None = None) -> TestClient:
    app = create_app(pipeline, extra_routes=monitoring_routes(pipeline, counters))
    return TestClient(app, base_url="http://127.0.0.1")


def test_a_process_is_healthy_while_its_heartbeat_is_on_record_in_time(pipeline: Pipeline) -> None:
    working, watching = client(pipeline, ProcessCounters(NullObserver())), client(pipeline)
    ledger = open_activity(pipeline.configuration)
    assert ledger is not None
    now, process = SystemClock().now(), f"{socket.gethostname()}:{os.getpid()}:own"
    with ledger:
        beat_at = now - timedelta(seconds=95)
        ledger.record(Heartbeat(process, "h", 1, "gads-etl serve", "1", now, beat_at, timedelta(seconds=30)))
    answer = working.get("/healthz")
    assert (answer.status_code, answer.text.split(" since ")[0]) == (503, "no heartbeat")
    assert (watching.get("/healthz").status_code, watching.get("/healthz").text) == (200, "ok\n")


def test_the_ledger_and_the_sink_that_are_gone_are_named(pipeline: Pipeline, tmp_path: Path) -> None:
    assert client(pipeline).get("/readyz").text == "ok\n"
    assert "\ngads_etl_ledger_up 1.0\n" in client(pipeline).get("/metrics").text
    (tmp_path / "raw").rename(tmp_path / "gone")
    lost = client(pipeline).get("/readyz")
    assert (lost.status_code, lost.text.split(":")[0]) == (503, "sink")
    (tmp_path / "state").rename(tmp_path / "elsewhere")
    nowhere = client(pipeline, ProcessCounters(NullObserver()))
    assert nowhere.get("/readyz").text.startswith("ledger: sqlite:state/ledger.db does not exist")
    assert nowhere.get("/healthz").status_code == 200, "to restart it would bring back no ledger"
    metrics = nowhere.get("/metrics").text
    assert "\ngads_etl_ledger_up 0.0\n" in metrics
    assert "gads_etl_runs_total 0.0" in metrics
    assert "gads_etl_partitions" not in metrics
