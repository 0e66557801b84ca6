"""SIGTERM in the middle of an export or a load leaves neither half a file nor copies of payloads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from gads_testing.local_deployment import SINK, STATE, LocalDeployment

CONFIGURATION = f"""
[google_ads]
customer_ids = ["1"]
[storage]
sink = "{SINK}"
state = "{STATE}"
[warehouse]
url = "duckdb:tables.duckdb"
[[reports]]
name = "campaign"
"""
TERMINATED = """
import os, signal, sys

def and_end(module, name, after):
    whole = getattr(module, name)
    def cut(*arguments):
        found = whole(*arguments) if after else None
        os.kill(os.getpid(), signal.SIGTERM)
        return found
    setattr(module, name, cut)

if sys.argv[1] == "consume":
    import gads_consumer.file_export
    and_end(gads_consumer.file_export, "_flat", True)
else:
    from gads_warehouse_duckdb.step import StepTransaction
    and_end(StepTransaction, "_replace", True)
from gads_etl.main import run
run()
"""


@pytest.mark.parametrize("command", [["consume", "export", "campaign", "out/rows.csv"], ["warehouse", "load"]])
def test_what_is_half_done_is_tidied_up(tmp_path: Path, command: list[str]) -> None:
    deployment = LocalDeployment(tmp_path)
    deployment.make_days_authoritative(range(3))
    deployment.close()
    (tmp_path / "gads.toml").write_text(CONFIGURATION)
    for folder in ("out", "copies"):
        (tmp_path / folder).mkdir()
    done = subprocess.run(
        [sys.executable, "-c", TERMINATED, *command],
        cwd=tmp_path,
        env={"TMPDIR": str(tmp_path / "copies")},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (130, ""), done.stderr
    assert list((tmp_path / "out").iterdir()) == []
    assert list((tmp_path / "copies").iterdir()) == []
    if (tmp_path / "tables.duckdb").exists():
        with duckdb.connect(str(tmp_path / "tables.duckdb"), read_only=True) as connection:
            assert connection.execute("SELECT count(*) FROM duckdb_tables()").fetchone() == (0,)
