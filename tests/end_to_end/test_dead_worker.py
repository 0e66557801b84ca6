"""A killed worker, of the one that a run has by default, and a script that starts a run while it is imported."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

KILLED_ONCE = """
import os, signal, sys
if any("gads_orchestrator.worker_process" in word for word in sys.orig_argv):
    from gads_orchestrator import worker
    work_on = worker.work_on
    def killed_once(*arguments):
        try:
            os.close(os.open("killed", os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return work_on(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)
    worker.work_on = killed_once
"""
SCRIPT = """
from datetime import date
from gads_pipeline import Pipeline
from gads_pipeline.work_request import RunOptions
print(Pipeline.open("gads.toml").run(RunOptions(since=date(2024, 5, 1), until=date(2024, 5, 1))).ended)
"""


def test_a_run_survives_the_death_of_its_one_worker(
    tmp_path: Path, gads_etl: Any, project: Any, agency: Path, customers: list[str]
) -> None:
    (tmp_path / "sitecustomize.py").write_text(KILLED_ONCE)
    config = project(agency, customers[:1])
    one_day = ("--since", "2024-05-01", "--until", "2024-05-01")
    done = gads_etl("run", "-c", config, *one_day, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)})
    assert (done.code, "worker 0 died; another continues" in done.err) == (0, True), done.err
    assert gads_etl("run", "-c", config, *one_day).code == 0, "a lease was left"

    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "state.db").unlink()
    command = [sys.executable, "script.py"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "done\n"), ran.stderr


def test_a_run_without_stdout_and_stderr_extracts_and_loads(
    tmp_path: Path, gads_etl_script: Path, gads_etl: Any, project: Any, agency: Path, customers: list[str]
) -> None:
    tables = '[warehouse]\nurl = "duckdb:tables.duckdb"\nload_after_run = true\n'
    config = project(agency, customers[:1], extra=tables)
    command = 'exec "$0" run -c "$1" --since 2024-05-01 --until 2024-05-01 --report account >&- 2>&-'
    done = subprocess.run(["bash", "-c", command, str(gads_etl_script), str(config)], check=False)
    assert done.returncode == 74
    status = gads_etl("warehouse", "status", "-c", config, "--format", "json")
    assert [report["partitions"] for report in status.json["reports"]] == [1], status.err
