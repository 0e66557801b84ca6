"""A third party's REST connector, unpatched, in an environment of its own: Google's addresses lead to the emulator."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from gads_emulator import CA_NAME, EmulatorServer, RowRequest, SyntheticAgency, SyntheticSettings
from gads_emulator.schema import load_schema

CONNECTOR = "airbyte-source-google-ads==6.1.7"
GRAIN = ("campaign.id", "segments.date", "segments.hour", "segments.ad_network_type")
METRICS = ("metrics.impressions", "metrics.clicks", "metrics.cost_micros")

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def connector(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the connector as its users do."""
    uv = shutil.which("uv")
    assert uv is not None, "uv makes the connector's environment"
    folder = tmp_path_factory.mktemp("airbyte")
    environment = folder / "venv"
    python = environment / "bin" / "python"
    # Away from this workspace, whose own settings for uv are not theirs.
    subprocess.run([uv, "venv", "-q", "--python", sys.executable, str(environment)], cwd=folder, check=True)
    subprocess.run([uv, "pip", "install", "-q", "--python", str(python), CONNECTOR], cwd=folder, check=True)
    return environment / "bin" / "source-google-ads"


@pytest.fixture
def server() -> Iterator[EmulatorServer]:
    with EmulatorServer(SyntheticAgency(SyntheticSettings(seed=3, accounts=2, keeps_everything=True))) as running:
        yield running


def test_it_reads_every_row_of_an_account(connector: Path, server: EmulatorServer, tmp_path: Path) -> None:
    agency = server.agency
    assert isinstance(agency, SyntheticAgency)
    customer = agency.client_ids[0]
    ca = server.write_client_configuration(tmp_path / "client").with_name(CA_NAME)
    config = {
        "credentials": {"developer_token": "t", "client_id": "i", "client_secret": "s", "refresh_token": "r"},
        "customer_id": customer,
        "start_date": "2024-03-01",
        "end_date": "2024-03-05",
    }
    stream = {"name": "campaign", "json_schema": {}, "supported_sync_modes": ["full_refresh", "incremental"]}
    catalog = {"streams": [{"stream": stream, "sync_mode": "full_refresh", "destination_sync_mode": "append"}]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "catalog.json").write_text(json.dumps(catalog))
    proxy = dict.fromkeys(("HTTPS_PROXY", "https_proxy"), server.rest_url)
    environment = {**os.environ, **proxy, "REQUESTS_CA_BUNDLE": str(ca)}
    done = subprocess.run(
        [str(connector), "read", "--config", "config.json", "--catalog", "catalog.json"],
        cwd=tmp_path,
        env=environment,
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    messages = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    records = [message["record"]["data"] for message in messages if message["type"] == "RECORD"]
    rows = [tuple(str(record[path]) for path in (*GRAIN, *METRICS)) for record in records]
    assert len(set(rows)) == len(rows)
    assert set(rows) == _expected(agency, customer)


def _expected(agency: SyntheticAgency, customer: str) -> set[tuple[Any, ...]]:
    # The connector asks for more metrics than are compared: a row is there when any of what happened is.
    paths = (*GRAIN, *METRICS)
    wanted = RowRequest("campaign", frozenset(paths), date(2024, 3, 1), date(2024, 3, 5))
    return {tuple(str(row[path]) for path in paths) for row in agency.rows(load_schema("v23"), customer, wanted).rows}
