"""`state leases`: who holds what, and taking it from a holder."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gads_domain.clock import SystemClock
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_etl.main import run
from gads_testing.local_deployment import SINK, STATE, LocalDeployment

LEASE = "google_ads/1/campaign"


def test_leases_are_listed_and_taken_on_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GADS_ETL_ACTOR", "operator")
    Path("gads.toml").write_text(
        f'[google_ads]\ncustomer_ids = ["1"]\n[storage]\nsink = "{SINK}"\nstate = "{STATE}"\n'
        '[[reports]]\nname = "campaign"\n'
    )
    deployment, now = LocalDeployment(tmp_path), SystemClock().now()
    deployment.control_plane.take_leases([LEASE], "dead", now, now + timedelta(hours=5))

    def leases(*words: str) -> tuple[int, Any, str]:
        with pytest.raises(SystemExit) as ended:
            run(["state", "leases", *words, "--format", "json"])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), json.loads(printed.out or "null"), printed.err

    code, rows, _ = leases()
    assert (code, [(row["lease"], row["owner"]) for row in rows]) == (0, [(LEASE, "dead")])
    assert leases("--break", LEASE, "--reason", "it died", "--dry-run")[:2] == (0, rows)
    assert leases("--break", LEASE)[0] == 2
    assert leases("--break", LEASE, "--reason", "it died")[:2] == (0, rows)
    assert leases()[:2] == (0, [])
    code, _, said = leases("--break", LEASE, "--reason", "it died")
    assert (code, said.splitlines()[1]) == (2, "hint: gads-etl state leases lists what is held")
    (act,) = deployment.control_plane.acts(PartitionKey(GOOGLE_ADS, "1", "campaign", now.date()))
    assert (act.kind, act.act.actor, act.act.reason, act.before) == ("break_lease", "operator", "it died", act.after)
    deployment.close()
