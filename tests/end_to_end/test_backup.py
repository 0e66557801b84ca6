"""The commands of docs/backup.md, section by section, on a real deployment and a real S3 server."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gads_consumer.consumer import Consumer
from gads_consumer.errors import PastUnknownError
from gads_testing.command_line import SCRIPT
from gads_testing.s3.servers import Server, as_user, own_place, shared_radosgw

ROOT = Path(__file__).parents[2]
SECTIONS = dict(re.findall(r"^## (.+)\n(?:.*\n)*?```sh\n((?:.+\n)+?)```", (ROOT / "docs/backup.md").read_text(), re.M))
DAYS = ("--since", "2024-03-01", "--until", "2024-03-02")
LATER = ("--since", "2024-03-03", "--until", "2024-03-04")
WAREHOUSE = '[warehouse]\nurl = "duckdb:warehouse.duckdb"\n'


@pytest.fixture(scope="session")
def radosgw_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with shared_radosgw(tmp_path_factory) as server:
        yield server


class Deployment:
    """A folder with two days in sink, ledger and warehouse."""

    def __init__(self, config: Path, gads_etl: Any) -> None:
        self.folder, self.config, self._gads_etl = config.parent, config, gads_etl
        self.ask("run", *DAYS)
        self.ask("warehouse", "load")

    def ask(self, *words: object, code: int = 0) -> Any:
        done = self._gads_etl(*words, "-c", self.config, "--format", "json")
        assert done.code == code, done.err
        return done if code else done.json

    def follow(self, section: str, *, code: int = 0, **variables: str) -> str:
        """Run the commands of a section as a shell does, in the folder; returns what they print."""
        path = f"{SCRIPT.parent}{os.pathsep}{os.environ['PATH']}"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", SECTIONS[section]],
            cwd=self.folder,
            env={**os.environ, "PATH": path, "EXAMPLES": str(ROOT / "examples"), **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def consumer(self, sink: str = "file:raw", folder: Path | None = None) -> Consumer:
        return Consumer.open(state="sqlite:state.db", sink=sink, base=folder or self.folder)


def read(consumer: Consumer) -> list[Any]:
    """What is authoritative, and its rows."""
    snapshot = consumer.snapshot("campaign")
    return [*snapshot.partitions, *snapshot.to_table(identity=True).to_pylist()]


@pytest.fixture
def deployment(gads_etl: Any, project: Callable[..., Path], agency: Path, customers: list[str]) -> Deployment:
    return Deployment(project(agency, customers[:2], extra=WAREHOUSE), gads_etl)


def test_a_restored_ledger_goes_on_and_no_reader_takes_it_for_nothing_new(deployment: Deployment) -> None:
    with deployment.consumer() as consumer:
        early = consumer.cursor()
    printed = deployment.follow("Back up")
    (digest,) = re.findall(r"^([0-9a-f]{64})  backups/state\.db$", printed, re.M)
    assert digest in printed.split("backups/state.db is written")[1].split(f"{digest}  backups")[0]
    deployment.ask("run", *LATER)
    deployment.ask("warehouse", "load")
    with deployment.consumer() as consumer:
        late, rows = consumer.cursor(), read(consumer)

    # Before anything is done about it: what is ahead of the ledger is found out, and told what to do.
    deployment.ask("state", "restore", "backups/state.db", code=2)  # from another folder there is no such file
    deployment.ask("state", "restore", deployment.folder / "backups/state.db")
    refused = deployment.ask("warehouse", "load", code=2).err
    assert "has no position 16 any more; it ends at 8" in refused
    assert "--reconcile" in refused
    with deployment.consumer() as consumer, pytest.raises(PastUnknownError, match="an older one was restored"):
        consumer.changes(after=late)

    printed = deployment.follow("Restore the ledger", code=1)  # there are gaps after these days
    assert "8 runs validated" in printed
    with deployment.consumer() as consumer:
        assert read(consumer) == rows
        assert len(list(consumer.changes(after=early))) == 8
    deployment.ask("run", *LATER)
    assert deployment.ask("warehouse", "verify") is not None
    assert len(list(deployment.folder.glob("state.db.replaced-*"))) == 2


def test_a_ledger_that_is_lost_is_made_anew_from_the_sink_with_what_is_expected(deployment: Deployment) -> None:
    deployment.ask("accounts")
    with deployment.consumer() as consumer:
        cursor, rows, expected = consumer.cursor(), read(consumer), consumer.expectations().expected
    gaps = deployment.ask("state", "gaps", code=1).out
    deployment.follow("Without any ledger", code=1)  # the same days are missing as before
    with deployment.consumer() as consumer:
        assert read(consumer) == rows
        assert consumer.expectations().expected == expected
        with pytest.raises(PastUnknownError, match="is of the ledger"):
            consumer.changes(after=cursor)
    assert deployment.ask("state", "gaps", code=1).out == gaps


def test_a_deployment_moves_to_another_folder_and_its_cursors_go_on(deployment: Deployment, tmp_path: Path) -> None:
    with deployment.consumer() as consumer:
        cursor, rows = consumer.cursor(), read(consumer)
    new = tmp_path / "new"
    new.mkdir()
    deployment.follow("To another machine", NEW=str(new))
    deployment.config = new / "gads.toml"
    deployment.ask("run", *LATER)
    with deployment.consumer(folder=new) as consumer:
        assert read(consumer)[: len(rows) // 3] != []
        assert len(list(consumer.changes(after=cursor))) == 8


def test_a_sink_moves_to_s3_and_its_cursors_go_on(
    deployment: Deployment, radosgw_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_user(radosgw_server.access_key, radosgw_server.secret_key, monkeypatch)
    storage = own_place(radosgw_server.endpoint)
    with deployment.consumer() as consumer:
        cursor, rows = consumer.cursor(), read(consumer)
    assert "8 sealed partitions copied" in deployment.follow("From local files to S3", SINK=storage.url)
    (deployment.folder / "raw").rename(deployment.folder / "gone")
    with deployment.consumer(storage.url) as consumer:
        assert read(consumer) == rows
        deployment.ask("run", *LATER)
        assert len(list(consumer.changes(after=cursor))) == 8
    assert len(storage.names()) == 2 * 16
