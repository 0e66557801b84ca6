"""The fixtures, as another project's tests use them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from gads_emulator import FaultPlan, FaultRule

Write = Callable[[str, list[dict[str, Any]]], Path]


def _names(client: Any, customer_id: str) -> list[str]:
    service = client.get_service("GoogleAdsService")
    return [
        row.campaign.name for row in service.search(customer_id=customer_id, query="SELECT campaign.name FROM campaign")
    ]


def test_a_test_can_use_the_client_fixture_alone(google_ads_client: Any) -> None:
    client = google_ads_client()
    service = client.get_service("GoogleAdsService")
    query = "SELECT customer_client.id FROM customer_client WHERE customer_client.manager = FALSE"
    ids = [str(row.customer_client.id) for row in service.search(customer_id=client.login_customer_id, query=query)]
    assert len(ids) == 3
    assert _names(client, ids[0])


def test_a_test_sets_settings_rows_faults_and_versions(
    google_ads_emulator: Any, google_ads_client: Any, write: Write, folder: Path
) -> None:
    synthetic = google_ads_emulator(accounts=1, campaigns=2, first=date(2024, 1, 1), keeps_everything=True)
    assert len(_names(google_ads_client(synthetic, version="v25"), synthetic.agency.client_ids[0])) == 2
    write("campaign", [{"customer": {"id": "1234567890"}, "campaign": {"id": "1", "name": "Mine"}}])
    recorded = google_ads_emulator(folder, faults=FaultPlan(rules=(FaultRule(status="UNAUTHENTICATED"),)))
    client = google_ads_client(recorded)
    with pytest.raises(Exception, match="injected fault"):
        _names(client, "1234567890")
    recorded.faults.clear()
    assert _names(client, "1234567890") == ["Mine"]


def test_the_tests_of_the_readme_pass(google_ads_emulator: Any, google_ads_client: Any) -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text("utf-8")
    with_plugin, without = re.findall(r"```python\n((?:import|from) .*?)```", readme, re.DOTALL)
    names: dict[str, Any] = {}
    exec(with_plugin, names)
    names["test_my_report"](google_ads_client)
    names["test_mine"](google_ads_emulator, google_ads_client)
    exec(without, names)
    assert "emulator" in names


def test_loading_the_plugin_imports_nothing_heavy() -> None:
    code = (
        "import sys, gads_emulator.pytest_plugin; print([m for m in sys.modules if m.startswith(('google', 'grpc'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
