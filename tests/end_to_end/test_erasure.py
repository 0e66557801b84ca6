"""An account is erased: what goes, what is refused from then on, and what others see of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import duckdb
import pytest

from gads_consumer import AccountErasedError, ChangeKind
from gads_domain.clock import SystemClock
from gads_domain.control import scope_of
from gads_domain.partition_key import GOOGLE_ADS
from gads_pipeline import Pipeline
from gads_testing.command_line import Command
from gads_testing.local_deployment import key_of
from gads_testing.warehouse_deployment import WarehouseDeployment, erase_account

DAYS = ("--since", "2024-03-01", "--until", "2024-03-03")
WHY = ("--reason", "the client left")


def test_an_account_is_erased_and_may_begin_again(
    gads_etl: Command, project: Callable[..., Path], agency: Path, customers: list[str]
) -> None:
    config = project(agency, customers)
    base, (gone, *others) = config.parent, customers
    pipeline = Pipeline.open(config)
    assert gads_etl("run", "-c", config, *DAYS).code == 0
    assert gads_etl("warehouse", "load", "-c", config).code == 0
    with pipeline.consumer() as consumer:
        cursor = consumer.cursor()
        snapshot = consumer.snapshot("campaign")
        snapshot.save(base / "before.json")
        seals = [one.seal_sha256 for one in snapshot.partitions if one.key.customer_id == gone]
    assert [seal for seal in seals if bytes.fromhex(seal) in (base / "state.db").read_bytes()] == seals
    kept = {path: path.read_bytes() for path in (base / "raw").rglob("*") if path.is_file() and gone not in str(path)}

    for wrong, hint in (([gone], "--reason"), (["999", *WHY], "gads-etl accounts"), ([gone, *WHY], "--yes")):
        refused = gads_etl("accounts", "erase", *wrong, "-c", config)
        assert (refused.code, hint in refused.err) == (2, True), refused.err
    planned = gads_etl("accounts", "erase", gone, *WHY, "-c", config, "--dry-run", "--format", "json").json
    assert (planned["dry_run"], planned["ordered"], planned["left"]["raw_partitions"]) == (True, None, 6)

    done = gads_etl("accounts", "erase", gone, *WHY, "-c", config, "--yes", "--format", "json")
    assert done.code == 0, done.err
    receipt = done.json
    assert receipt["left"] == {"ledger": {}, "raw_partitions": 0, "warehouse": {}}
    assert receipt["ordered"]["reason"] == "the client left"
    assert (receipt["erased"]["partitions"], receipt["erased"]["raw_partitions"]) == (6, 6)
    assert receipt["erased"]["warehouse_rows"] > 6
    assert "raw partitions are gone" in done.err
    again = gads_etl("accounts", "erase", gone, *WHY, "-c", config, "--format", "json")
    assert again.json == {**receipt, "checked_at": again.json["checked_at"]}

    assert not list((base / "raw").rglob(f"*{gone}*/**/run_id=*"))
    assert {path: path.read_bytes() for path in (base / "raw").rglob("*") if path.is_file()} == kept
    assert not [seal for seal in seals if bytes.fromhex(seal) in (base / "state.db").read_bytes()]
    with duckdb.connect(str(base / "warehouse.duckdb"), read_only=True) as tables:
        (found,) = tables.execute("SELECT count(DISTINCT _customer_id) FROM campaign").fetchall()
        assert found == (len(others),)
    for command in ("status", "verify"):
        assert gads_etl("warehouse", command, "-c", config).code == 0

    with pipeline.consumer() as consumer:
        changes = list(consumer.changes(after=cursor))
        assert {(one.kind, one.key.customer_id) for one in changes} == {(ChangeKind.REMOVED, gone)}
        assert len(changes) == 6
        assert {one.key.customer_id for one in consumer.snapshot("campaign").partitions} == set(others)
        assert {one.key.customer_id for one in consumer.snapshot("campaign", as_of=cursor).partitions} == set(others)
        assert consumer.ready("campaign", since="2024-03-01", day="2024-03-03")
        for named in (
            lambda: consumer.snapshot("campaign", customers=gone),
            lambda: consumer.gaps("campaign", customers=gone),
            lambda: consumer.ready("campaign", customers=gone, day="2024-03-01"),
            lambda: consumer.watermark("campaign", customers=[*others, gone]),
            lambda: consumer.load(base / "before.json"),
        ):
            with pytest.raises(AccountErasedError, match=f"account {gone} was erased on") as error:
                named()
            assert error.value.erased_at is not None

    run = gads_etl("run", "-c", config, *DAYS, "--format", "json")
    assert run.code == 0, run.err
    assert any(f"skipped: account {gone} was erased on" in note for note in run.json["notes"])
    assert gone not in run.out.replace(json.dumps(run.json["notes"][-1]), "")
    for words in (["run", *DAYS], ["backfill", *DAYS, "--yes"], ["validate"], ["state", "gaps"], ["serve", "--once"]):
        refused = gads_etl(*words, "-c", config, "--customer", gone)
        assert refused.code == 2, (words, refused.err)
        assert "was erased on" in refused.err, words
    listed = {row["customer_id"]: row for row in gads_etl("accounts", "-c", config, "--format", "json").json}
    assert (listed[gone]["selected"], "was erased on" in listed[gone]["skipped"]) == (False, True)
    assert gads_etl("state", "gaps", "-c", config, *DAYS).code == 0

    assert gads_etl("accounts", "readmit", others[0], *WHY, "-c", config).code == 2
    assert gads_etl("accounts", "readmit", gone, "--reason", "it came back", "-c", config).code == 0
    assert gads_etl("run", "-c", config, *DAYS).code == 0
    assert gads_etl("warehouse", "load", "-c", config).code == 0
    with pipeline.consumer() as consumer:
        assert {one.key.customer_id for one in consumer.snapshot("campaign").partitions} == set(customers)


def test_what_is_sealed_of_an_erased_account_is_left_out_by_name_and_goes_when_it_is_erased_again(
    tmp_path: Path,
) -> None:
    deployment, now = WarehouseDeployment(tmp_path), SystemClock().now()
    deployment.make_days_authoritative(range(2))
    scopes = [scope_of(GOOGLE_ADS, "1", "campaign")]
    deployment.control_plane.take_leases(scopes, "a run", now, now + timedelta(seconds=0.5))
    erase_account(tmp_path, "1")
    assert SystemClock().now() - now >= timedelta(seconds=0.5), "a process was at work on it"
    deployment.seal(key_of(1, 5), 7)
    deployment.seal(key_of(2, 5), 7)
    pipeline = Pipeline.open(tmp_path / "gads.toml")
    with pytest.raises(AccountErasedError, match="account 1 was erased") as error:
        list(pipeline.validate())
    assert "erase it again" in error.value.hint
    with deployment.consumer() as consumer:
        assert [one.key for one in consumer.snapshot("campaign").partitions] == [key_of(2, 5)]
    assert erase_account(tmp_path, "1")["erased"]["raw_partitions"] == 3
    assert [key for key, _ in deployment.sink.sealed()] == [key_of(2, 5)]
    assert [one.changed for one in pipeline.validate()] == [False]
    deployment.close()
