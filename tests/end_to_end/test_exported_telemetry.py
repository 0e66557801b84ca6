"""Traces, metrics and lineage of a real run, as receivers on loopback get them."""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from gads_emulator import (
    CA_NAME,
    EmulatorServer,
    FaultPlan,
    FaultRule,
    SyntheticAgency,
    SyntheticSettings,
    trust_process_authority,
)
from gads_orchestrator.events import Event, RunEnded, RunPlanned
from gads_pipeline import Pipeline
from gads_pipeline.work_request import RunOptions
from gads_telemetry import observers
from gads_telemetry.observers import observing

FIRST, LAST = date(2024, 5, 1), date(2024, 5, 3)
NOW = datetime(2024, 6, 10, 12, tzinfo=UTC)


class Receiver(ThreadingHTTPServer):
    """Keeps the bodies that are posted to it, by path, each answered with `status` after `seconds`."""

    daemon_threads = True
    allow_reuse_address = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Kept)
        self.bodies: dict[str, list[bytes]] = defaultdict(list)
        self.status, self.hangs = 200, threading.Event()
        self.hangs.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def spans(self) -> list[Any]:
        requests = [ExportTraceServiceRequest.FromString(body) for body in self.bodies["/v1/traces"]]
        scopes = [scope for one in requests for resource in one.resource_spans for scope in resource.scope_spans]
        return [span for scope in scopes for span in scope.spans]

    def lineage(self) -> list[dict[str, Any]]:
        return [json.loads(body) for body in self.bodies["/api/v1/lineage"]]


class _Kept(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        self.server.bodies[self.path].append(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.hangs.wait(30)
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # as it is named there
        pass


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with Receiver() as running:
        threading.Thread(target=running.serve_forever, args=(0.05,), daemon=True).start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.url)
        monkeypatch.setenv("OPENLINEAGE_URL", running.url)
        monkeypatch.setenv("OPENLINEAGE_ENDPOINT", "api/v1/lineage")
        yield running
        running.hangs.set()
        running.shutdown()


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    """One that can do nothing but name what it is about."""
    config = tmp_path / "gads.toml"
    config.write_text(
        '[storage]\nsink = "file:raw"\nstate = "sqlite:state.db"\n[google_ads]\napi_version = "v26"\n'
        '[[reports]]\nname = "campaign"\n'
    )
    return Pipeline.open(config)


def _attributes(one: Any) -> dict[str, Any]:
    return {item.key: getattr(item.value, str(item.value.WhichOneof("value"))) for item in one.attributes}


def test_a_run_a_validation_and_a_load_as_receivers_see_them(receiver: Receiver, tmp_path: Path) -> None:
    trust_process_authority()
    with EmulatorServer(SyntheticAgency(SyntheticSettings(seed=5, accounts=2, campaigns=2))) as server:
        agency: Any = server.agency
        denied, good = agency.client_ids
        refused = FaultRule(
            methods=("SearchStream",), customers=(denied,), error="authorization_error.USER_PERMISSION_DENIED"
        )
        server.faults.plan = FaultPlan(rules=(refused,))
        client = server.write_client_configuration(tmp_path / "client")
        config = tmp_path / "gads.toml"
        config.write_text(
            f"[google_ads]\nconfiguration = {json.dumps(str(client))}\n"
            f"ca_certificate = {json.dumps(str(client.with_name(CA_NAME)))}\n"
            '[storage]\nsink = "file:raw"\nstate = "sqlite:state.db"\n[warehouse]\nurl = "duckdb:tables.duckdb"\n'
            '[run]\nworkers = 1\n[[reports]]\nname = "campaign"\n[[reports]]\nname = "ad_group"\n'
        )
        pipeline = Pipeline.open(config)
        with observing(pipeline) as observer:
            outcome = pipeline.run(RunOptions(since=FIRST, until=LAST), observer=observer)
            (run_id,) = outcome.run_ids
            report = pipeline.load_warehouse(observer=observer, run_id=run_id)
            for _ in pipeline.validate(observer=observer):
                pass
    assert report.rows > 0
    _assert_the_tree(receiver, run_id, denied, good)
    _assert_the_metrics(receiver, report.rows)
    _assert_the_lineage(receiver, config.parent, run_id, report.rows_by_report)


def _assert_the_tree(receiver: Receiver, run_id: str, denied: str, good: str) -> None:
    (resource, *_) = [
        resource.resource
        for body in receiver.bodies["/v1/traces"]
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans
    ]
    assert _attributes(resource)["service.name"] == "gads-etl"
    spans = receiver.spans()
    by_id = {span.span_id: span for span in spans}
    names = {span.span_id: span.name for span in spans}
    tree = sorted((names.get(span.parent_span_id, ""), span.name) for span in spans)
    # Two slices of the good account, and the first of the denied one, whose second is not asked for.
    assert tree == [
        ("", "run"),
        ("", "validate"),
        ("run", "load"),
        *[("run", "slice")] * 3,
        *[("slice", "SearchStream")] * 3,
        *[("slice", "validate")] * 3,
    ]
    (run,) = [span for span in spans if span.name == "run"]
    assert _attributes(run)["gads.run_id"] == run_id
    assert [event.name for event in run.events] == ["account_stopped"]
    for span in spans:
        parent = by_id.get(span.parent_span_id)
        assert span.start_time_unix_nano <= span.end_time_unix_nano
        if parent is not None:
            assert span.trace_id == parent.trace_id
            assert parent.start_time_unix_nano <= span.start_time_unix_nano
            assert span.name == "load" or span.end_time_unix_nano <= parent.end_time_unix_nano
    calls = {_attributes(span)["gads.customer_id"]: span for span in spans if span.name == "SearchStream"}
    assert all(span.kind == 3 for span in calls.values()), "a client's"
    found = _attributes(calls[good])
    assert found["rpc.method"].endswith(".services.GoogleAdsService/SearchStream")
    assert (found["rpc.system.name"], found["gads.attempt"], found["gads.first"]) == ("grpc", 1, "2024-05-01")
    assert found["gads.rows"] > 0
    assert found["gads.request_id"]
    assert calls[good].status.code == 0
    assert (calls[denied].status.code, "error.type" in _attributes(calls[denied])) == (2, True)
    failed = by_id[calls[denied].parent_span_id]
    assert failed.status.code == 2
    assert "USER_PERMISSION_DENIED" in failed.status.message


def _assert_the_metrics(receiver: Receiver, rows: int) -> None:
    requests = [ExportMetricsServiceRequest.FromString(body) for body in receiver.bodies["/v1/metrics"]]
    scopes = [scope for one in requests[-1].resource_metrics for scope in one.scope_metrics]
    metrics = {metric.name: metric for scope in scopes for metric in scope.metrics}
    assert sum(point.as_int for point in metrics["gads.rows"].sum.data_points) == rows
    assert sum(point.as_int for point in metrics["gads.operations"].sum.data_points) == 3
    assert sum(point.count for point in metrics["rpc.client.call.duration"].histogram.data_points) == 3


def _assert_the_lineage(receiver: Receiver, folder: Path, run_id: str, rows: Any) -> None:
    events = receiver.lineage()
    jobs = [(event["job"]["name"], event["eventType"]) for event in events]
    assert sorted(jobs) == [
        ("extract.ad_group", "COMPLETE"),
        ("extract.ad_group", "START"),
        ("extract.campaign", "FAIL"),
        ("extract.campaign", "START"),
        ("load", "COMPLETE"),
        ("load", "START"),
        ("validate", "COMPLETE"),
        ("validate", "START"),
    ] or sorted(jobs)[:4] == [
        ("extract.ad_group", "FAIL"),
        ("extract.ad_group", "START"),
        ("extract.campaign", "COMPLETE"),
        ("extract.campaign", "START"),
    ]
    for name in {name for name, _ in jobs}:
        start, end = (event for event in events if event["job"]["name"] == name)
        assert (start["eventType"], start["run"]["runId"]) == ("START", end["run"]["runId"])
        assert start["eventTime"] <= end["eventTime"]
    (extracted,) = [event for event in events if event["job"]["name"] == "extract.campaign"][1:]
    (read,), (written,) = extracted["inputs"], extracted["outputs"]
    assert (read["namespace"], read["name"]) == ("googleads://googleads.googleapis.com", "campaign")
    assert "metrics.clicks" in [column["name"] for column in read["facets"]["schema"]["fields"]]
    assert (written["namespace"], written["name"]) == ("file", f"{folder}/raw/google_ads/report=campaign")
    columns = {column["name"]: column["type"] for column in written["facets"]["schema"]["fields"]}
    assert columns["metrics_clicks"] == "int64"
    counts = written["outputFacets"]["outputStatistics"]
    assert (counts["rowCount"], counts["fileCount"]) == (rows["campaign"], 3)
    assert {"key": "run_id", "value": run_id, "source": "GADS_ETL"} in extracted["run"]["facets"]["tags"]["tags"]
    (failed,) = [event for event in events if event["eventType"] == "FAIL"]
    assert "USER_PERMISSION_DENIED" in failed["run"]["facets"]["errorMessage"]["message"]
    (loaded,) = [event for event in events if event["job"]["name"] == "load"][1:]
    tables = {one["name"]: one["outputFacets"]["outputStatistics"]["rowCount"] for one in loaded["outputs"]}
    assert tables == {f"{folder}/tables.duckdb/{name}": count for name, count in rows.items()}
    (validated,) = [event for event in events if event["job"]["name"] == "validate"][1:]
    assert {one["name"] for one in validated["inputs"]} <= {
        written["name"],
        written["name"].replace("campaign", "ad_group"),
    }


ROUNDS: list[Event] = [
    RunPlanned(NOW, "20240610T120000000Z-00000001", 0, 0, {}, 0),
    RunEnded(NOW + timedelta(seconds=1), "20240610T120000000Z-00000001", "done", 0),
    RunPlanned(NOW + timedelta(minutes=1), "20240610T120100000Z-00000002", 0, 0, {}, 0),
    RunEnded(NOW + timedelta(minutes=2), "20240610T120100000Z-00000002", "done", 0),
]


def test_each_round_is_a_trace_with_the_times_of_its_events(receiver: Receiver, pipeline: Pipeline) -> None:
    before = dict(os.environ)
    with observing(pipeline) as observer:
        observer.on_events(*ROUNDS)
    assert dict(os.environ) == before, "what other processes inherit is left alone"
    first, second = receiver.spans()
    assert first.trace_id != second.trace_id
    begin, end = (int(event.at.timestamp()) * 1_000_000_000 for event in ROUNDS[2:])
    assert (second.start_time_unix_nano, second.end_time_unix_nano) == (begin, end)


@pytest.mark.parametrize("trouble", ["refuses", "hangs", "is gone"])
def test_a_receiver_in_trouble_harms_nothing_and_is_named_once(
    trouble: str,
    receiver: Receiver,
    pipeline: Pipeline,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(observers, "CLOSE_SECONDS", 0.3)
    receiver.status = 400 if trouble == "refuses" else 200
    if trouble == "hangs":
        receiver.hangs.clear()
    elif trouble == "is gone":
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            gone = f"http://127.0.0.1:{taken.getsockname()[1]}"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", gone)
        monkeypatch.setenv("OPENLINEAGE_URL", gone)
    began = time.monotonic()
    with caplog.at_level(logging.WARNING, "gads_etl"), observing(pipeline) as observer:
        for number in range(3):
            observer.on_events(*ROUNDS, *_lineage_of_a_load())
            logging.getLogger("opentelemetry.exporter").warning("try %s failed", number)
    assert time.monotonic() - began < 3
    said = [record.getMessage() for record in caplog.records if record.name == "gads_etl.telemetry"]
    assert len(said) == len(set(said))
    assert len([line for line in said if "failed" in line and "try" in line]) == 1
    assert len(said) <= 6
    assert said


def _lineage_of_a_load() -> list[Event]:
    from gads_pipeline.events import WarehouseLoaded

    return [WarehouseLoaded(NOW, "", 1, 1, 0, 0, 5, 0.5, {"campaign": 5})]


def test_lineage_goes_to_a_file_as_the_client_is_configured(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = tmp_path / "lineage.jsonl"
    settings = tmp_path / "openlineage.yml"
    settings.write_text(f"transport:\n  type: file\n  log_file_path: {written}\n  append: true\n")
    monkeypatch.setenv("OPENLINEAGE_CONFIG", str(settings))
    monkeypatch.setenv("OPENLINEAGE_NAMESPACE", "warehouse-team")
    with observing(pipeline) as observer:
        observer.on_events(*_lineage_of_a_load())
    events = [json.loads(line) for line in written.read_text().splitlines()]
    assert [(event["eventType"], event["job"]["namespace"]) for event in events] == [
        ("START", "warehouse-team"),
        ("COMPLETE", "warehouse-team"),
    ]


def test_what_is_not_configured_is_not_imported(pipeline: Pipeline, tmp_path: Path) -> None:
    program = (
        "import sys\nfrom gads_pipeline import Pipeline\nfrom gads_telemetry.observers import observing\n"
        "with observing(Pipeline.open('gads.toml')) as observer: observer.on_events()\n"
        "wanted = ('opentelemetry.sdk', 'opentelemetry.exporter', 'openlineage', 'gads_telemetry.traces')\n"
        "print([name for name in sys.modules if name.startswith(wanted)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={"HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr
