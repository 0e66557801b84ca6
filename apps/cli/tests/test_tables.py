"""Every table of every command at 80 columns, with the names that an account may have."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import typer

from gads_domain.activity import AlertState
from gads_domain.adapters import ledger_adapter
from gads_domain.expectations import DrawnList, ListedAccount
from gads_domain.partition_key import GOOGLE_ADS
from gads_domain.ports.activity import ActivityLedgerAdapter
from gads_etl.error_handling import guarded
from gads_etl.main import app
from gads_terminal.cells import width_of
from gads_testing.local_deployment import FIRST_DAY, SINK, STATE, LocalDeployment, key_of, run_of

NAMES = {
    "1": "株式会社東京自転車販売東京支店オンラインショップ公式",
    "2": "Nordlicht Fahrräder und Zubehör Handelsgesellschaft mbH & Co. KG (Filiale Süd)",
    "3": "<b>\x1b[2J\u202e\n" + "y" * 200,
}
LONG = "ad_group_conversion_action_by_hour"
KEY = str(key_of(3, 0))
TABLES = {
    "state inspect": [],
    "state gaps": [],
    "state history": [KEY],
    "state leases": [],
    "state hold": ["--all", "--reason", "odd", "--dry-run"],
    "state retry": [KEY, "--dry-run"],
    "state release": ["--all", "--dry-run"],
    "state mark-terminal": [KEY, "--reason", "odd", "--dry-run"],
    "state accept": [KEY, "--reason", "odd", "--dry-run"],
    "state revoke": ["--all", "--run", run_of(1, 1).value[-8:], "--reason", "odd", "--dry-run"],
    "state backup": ["backup.db"],
    "state restore": ["backup.db", "--dry-run"],
    "state compact": ["--dry-run"],
    "consume gaps": [],
    "consume changes": [],
    "consume pin": [],
    "consume preview": ["campaign"],
    "sink sweep": [],
    "sink prune": ["--dry-run"],
    "accounts forget": ["4", "--reason", "left", "--dry-run"],
    "accounts erase": ["3", "--reason", "asked", "--dry-run"],
    "alerts list": [],
    "check": ["--offline"],
    "reports list": [],
    "reports show": ["campaign"],
}
ELSEWHERE = {"run", "plan", "backfill", "serve", "demo", "warehouse status", "warehouse verify"}
"""They need the API or a warehouse, and are looked at in tests/end_to_end."""


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    base: Path = tmp_path_factory.mktemp("tables")
    deployment = LocalDeployment(base)
    accounts = [ListedAccount(number, name) for number, name in NAMES.items()]
    first_days = {(number, "campaign"): FIRST_DAY for number in [*NAMES, "4"]}
    for listed in ([*accounts, ListedAccount("4", "gone")], accounts):
        pairs = {pair: day for pair, day in first_days.items() if pair[0] in {one.customer_id for one in listed}}
        deployment.control_plane.record_list(DrawnList(GOOGLE_ADS, deployment.clock.now(), tuple(listed), pairs))
    keys = [key_of(customer, day, report) for customer in (1, 2, 3) for day in (0, 1) for report in ("campaign", LONG)]
    for number in (1, 2):
        for key in keys:
            deployment.seal(key, run_of(number, number), rows=2 + number, record_count=9 if key == keys[-1] else None)
        deployment.validator.validate(keys)
    adapter = ledger_adapter(STATE)
    assert isinstance(adapter, ActivityLedgerAdapter)
    with adapter.open_activity(STATE, base) as ledger:
        for name in NAMES.values():
            ledger.claim_alert(AlertState("gaps", f"ops: {name[:9]}", deployment.clock.now(), f"{name} lacks a day"))
    deployment.close()
    sections = f'[storage]\nsink = "{SINK}"\nstate = "{STATE}"\n[retention]\nsuperseded_days = 1\n'
    (base / "gads.toml").write_text(f'{sections}[[reports]]\nname = "campaign"\n')
    with pytest.MonkeyPatch.context() as patched:
        patched.chdir(base)
        yield base


def printed(monkeypatch: pytest.MonkeyPatch, words: list[str], width: int = 80) -> tuple[int, str]:
    monkeypatch.setenv("COLUMNS", str(width))
    with redirect_stdout(Terminal()) as out:
        status = guarded(lambda: app(words, prog_name="gads-etl", standalone_mode=False))
    return status, out.getvalue().replace("\x1b[1m", "").replace("\x1b[0m", "")


@pytest.mark.parametrize("command", TABLES)
def test_a_table_fits_and_obeys_no_name(
    command: str, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for more in ([], ["--wide"]):
        if command == "state backup":
            (folder / "backup.db").unlink(missing_ok=True)
        status, out = printed(monkeypatch, [*command.split(), *TABLES[command], *more])
        err = capsys.readouterr().err
        assert status in (0, 1) or command == "check", err
        assert out, "what is empty is said in words"
        assert max(map(width_of, out.splitlines())) <= 80
        assert "\x1b" not in out + err
        assert "\u202e" not in out + err


def test_every_command_with_a_table_is_looked_at() -> None:
    found = set()
    for name, command in _commands(typer.main.get_command(app)):
        if any("--wide" in parameter.opts for parameter in command.params):
            found.add(name)
    assert found == {*TABLES, *ELSEWHERE}


def _commands(group: Any, names: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    for name in group.list_commands(None):
        command = group.get_command(None, name)
        if hasattr(command, "commands"):
            yield from _commands(command, (*names, name))
        yield " ".join((*names, name)), command


def test_names_stand_beside_ids_and_json_is_as_it_was(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, out = printed(monkeypatch, ["state", "inspect", "--columns", "name,current_run_id", "--limit", "2"])
    assert out.splitlines()[2].split() == [NAMES["1"], run_of(2, 2).value[-8:]]
    _, out = printed(monkeypatch, ["state", "inspect", "--limit", "1", "--format", "json"])
    (row,) = json.loads(out)
    assert "name" not in row
    assert row["current_run_id"] == run_of(2, 2).value
    _, out = printed(monkeypatch, ["consume", "changes", "--limit", "1", "--format", "json"])
    assert "name" not in json.loads(out)["changes"][0]
    for words in (["--columns", "names"], ["--columns", "name", "--format", "json"]):
        assert printed(monkeypatch, ["state", "gaps", *words])[0] == 2
