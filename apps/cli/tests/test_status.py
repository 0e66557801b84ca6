"""`gads-etl status`: exit code by standing, the same as table, JSON and page, and commands that can be run."""

from __future__ import annotations

import json
import shlex
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import typer

from gads_domain.clock import SystemClock
from gads_domain.expectations import DrawnList, ListedAccount
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_etl.main import app
from gads_testing.contract_documents import STATUS
from gads_testing.local_deployment import SINK, STATE, LocalDeployment
from gads_testing.statuses import IN_TROUBLE, LARGE, NO_LEDGER

FILE = f'[storage]\nsink = "{SINK}"\nstate = "{STATE}"\n\n[[reports]]\nname = "campaign"\n'


def run(*words: str) -> int:
    code: Any = app(["status", *words], standalone_mode=False)
    return code or 0


def test_the_exit_code_says_whether_all_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("gads.toml").write_text(FILE, encoding="utf-8")
    assert run() == 1
    assert "there is no ledger" in capsys.readouterr().out
    deployment, day = LocalDeployment(tmp_path, SystemClock()), SystemClock().now().date() - timedelta(days=3)
    account = ListedAccount("1", "Shoes", time_zone="UTC")
    days = {("1", "campaign"): day}
    deployment.control_plane.record_list(DrawnList(GOOGLE_ADS, SystemClock().now(), (account,), days))
    for later in range(3):
        deployment.make_authoritative(PartitionKey(GOOGLE_ADS, "1", "campaign", day + timedelta(days=later)), 1)
    assert run("--format", "json", "--html", "status.html") == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["is_well"], STATUS.faults(document)) == (True, [])
    assert "complete up to" in Path("status.html").read_text(encoding="utf-8")
    deployment.damage(PartitionKey(GOOGLE_ADS, "1", "campaign", day), 1)
    deployment.close()
    assert run() == 1
    out = " ".join(capsys.readouterr().out.replace("\\\n", "").split())
    assert "1 partition failed" in out
    assert f" state history google_ads/1/campaign/{day} " in out


def test_every_command_that_a_status_names_can_be_run() -> None:
    root = typer.main.get_command(app)
    for status in (IN_TROUBLE, LARGE, NO_LEDGER):
        for one in status.attention:
            program, *words = shlex.split(one.command or "gads-etl status")
            assert program == "gads-etl"
            command: Any = root
            while hasattr(command, "commands") and words and not words[0].startswith("-"):
                command = command.get_command(None, words.pop(0))
                assert command is not None, one.command
            command.make_context("gads-etl", words)
