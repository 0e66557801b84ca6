"""The whole job on S3 by its URL alone: demo, validate, consume, sweep, and no secret in anything they print."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gads_testing.s3.fault_proxy import FaultProxy
from gads_testing.s3.servers import Server, Storage, as_user, own_place, shared_radosgw


@pytest.fixture(scope="session")
def radosgw_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with shared_radosgw(tmp_path_factory) as server:
        yield server


@pytest.fixture
def storage(radosgw_server: Server, monkeypatch: pytest.MonkeyPatch) -> Storage:
    as_user(radosgw_server.access_key, radosgw_server.secret_key, monkeypatch)
    return own_place(radosgw_server.endpoint)


@pytest.mark.timeout(420)
def test_demo_runs_on_s3_and_every_command_goes_on(gads_etl: Any, storage: Storage, tmp_path: Path) -> None:
    folder = tmp_path / "demo"
    demo = gads_etl("demo", "--dir", folder, "--sink", storage.url, "--until", "2024-05-14")
    assert demo.code == 0, demo.err
    assert "126 of 126 partitions are success" in demo.out
    names = storage.names()
    assert sum(name.endswith("/metadata.json") for name in names) == 126
    assert sum(bool(re.search(r"/payload-[0-9a-f]{16}\.parquet$", name)) for name in names) == 126
    assert not (folder / "raw").exists()

    config = folder / "gads.toml"
    printed = demo.out + demo.err + config.read_text()
    for command in (
        ("check", "--offline"),
        ("validate", "--recheck"),
        ("consume", "preview", "campaign"),
        (
            "consume",
            "export",
            "campaign",
            tmp_path / "campaign.parquet",
            "--complete",
            "--since",
            "2024-05-01",
            "--until",
            "2024-05-14",
        ),
        ("sink", "sweep", "--dry-run"),
    ):
        done = gads_etl(*command, "--config", config)
        assert done.code == 0, (command, done.err)
        printed += done.out + done.err
    for secret in (os.environ["AWS_SECRET_ACCESS_KEY"], os.environ["AWS_ACCESS_KEY_ID"]):
        assert secret not in printed


def test_a_day_that_did_not_change_costs_no_request(
    gads_etl: Any, storage: Storage, agency: Path, customers: list[str], project: Callable[..., Path]
) -> None:
    config = project(agency, customers[:1])
    with FaultProxy(int(storage.endpoint.rpartition(":")[2])) as proxy:
        config.write_text(config.read_text().replace("file:raw", storage.through(proxy.endpoint)))
        days = ("--report", "account", "--since", "2024-05-01", "--until")
        asked = []
        for until in ("2024-05-02", "2024-05-20"):
            assert gads_etl("run", "-c", config, *days, until).code == 0
            proxy.requests.clear()
            again = gads_etl("run", "-c", config, *days, until, "--reprocess", "--trust", "--format", "json")
            assert (again.code, again.json["unchanged"]) == (0, int(until[-2:])), again.err
            asked.append([(one.method, one.target.split("?")[0].rpartition("/")[2]) for one in proxy.requests])
    few, many = asked
    assert len(few) == len(many) < 10, "more days, and no more requests"
