"""A third party's report fetcher, unpatched, in a virtual environment of its own, reads the emulator over gRPC."""

from __future__ import annotations

import csv
import os
import subprocess
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from gads_emulator import CA_NAME, CA_VARIABLE, EmulatorServer, SyntheticAgency, SyntheticSettings

QUERY = """
SELECT
  customer.id AS account,
  campaign.id AS campaign_id,
  campaign.name AS campaign,
  segments.date AS date,
  segments.device AS device,
  metrics.impressions AS impressions,
  metrics.clicks AS clicks,
  metrics.cost_micros AS cost
FROM campaign
WHERE segments.date BETWEEN "2024-03-01" AND "2024-03-10"
"""

pytestmark = [pytest.mark.campaign, pytest.mark.timeout(600)]


@pytest.fixture
def server() -> Iterator[EmulatorServer]:
    # The fetcher's client is another process, so nothing of this one's trust is touched.
    with EmulatorServer(SyntheticAgency(SyntheticSettings(seed=3, accounts=3, keeps_everything=True))) as running:
        yield running


def _expected(agency: SyntheticAgency) -> set[tuple[Any, ...]]:
    from gads_emulator import RowRequest
    from gads_emulator.schema import load_schema

    dimensions = ("customer.id", "campaign.id", "campaign.name", "segments.date", "segments.device")
    metrics = ("metrics.impressions", "metrics.clicks", "metrics.cost_micros")
    paths = (*dimensions, *metrics)
    wanted = RowRequest("campaign", frozenset(paths), date(2024, 3, 1), date(2024, 3, 10))
    return {
        tuple(str(row[path]) for path in paths)
        for customer_id in agency.client_ids
        for row in agency.rows(load_schema("v26"), customer_id, wanted).rows
        if any(row[path] for path in metrics)
    }


def test_it_fetches_every_row_of_every_account(gaarf: Path, server: EmulatorServer, tmp_path: Path) -> None:
    configuration = server.write_client_configuration(tmp_path / "client")
    # The fetcher still asks for a developer token, which the API takes no more.
    configuration.write_text(f"{configuration.read_text()}developer_token: unused\n")
    (tmp_path / "devices.sql").write_text(QUERY)
    environment = {**os.environ, CA_VARIABLE: str(configuration.with_name(CA_NAME))}
    agency = server.agency
    assert isinstance(agency, SyntheticAgency)
    done = subprocess.run(
        [
            str(gaarf), "devices.sql",
            f"--account={agency.login_customer_id}",
            "--output=csv", f"--csv.destination-folder={tmp_path}",
            f"--ads-config={configuration}",
        ],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with (tmp_path / "devices.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["account", "campaign_id", "campaign", "date", "device", "impressions", "clicks", "cost"]
    fetched = [tuple(row) for row in rows[1:]]
    assert len(set(fetched)) == len(fetched)
    assert set(fetched) == _expected(agency)
