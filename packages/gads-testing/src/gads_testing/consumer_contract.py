"""The documents of the consumer contract, and the checks that its tests share."""

from __future__ import annotations

import importlib
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb

from gads_consumer.changes import Change
from gads_consumer.consumer import Consumer
from gads_domain.current_partition import CurrentPartition
from gads_domain.partition_key import PartitionKey
from gads_testing import REPOSITORY
from gads_testing.local_deployment import (
    FIRST_DAY,
    LocalDeployment,
    key_of,
)

pd: Any = importlib.import_module("pandas")
"""It ships no types."""

CONTRACT = REPOSITORY / "contracts" / "consumer" / "v1"
SCHEMAS = {kind: json.loads((CONTRACT / f"{kind}.schema.json").read_bytes()) for kind in ("manifest", "change")}
EXAMPLES = sorted((CONTRACT / "examples").glob("*/*/*.json"))


def day(number: int) -> date:
    return FIRST_DAY + timedelta(days=number)


def authoritative_runs(consumer: Consumer, **options: Any) -> dict[PartitionKey, str]:
    """The authoritative run of each key."""
    return {one.key: one.run_id.value for one in consumer.snapshot("campaign", **options).partitions}


def apply_changes(
    changes: list[Change], onto: dict[PartitionKey, CurrentPartition]
) -> dict[PartitionKey, CurrentPartition]:
    """`onto` after the changes, as a consumer keeps it."""
    mine = dict(onto)
    for change in changes:
        if change.partition is None:
            mine.pop(change.key, None)
        else:
            mine[change.key] = change.partition
    return mine


def write_history(deployment: LocalDeployment) -> None:
    deployment.make_days_authoritative(range(3))
    deployment.make_authoritative(key_of(1, 1), 2, 4)
    deployment.seal_invalid(key_of(1, 3), 2)
    deployment.damage(key_of(1, 0), 1)
    deployment.make_authoritative(key_of(1, 0), 5)
    deployment.make_authoritative(key_of(1, 3), 6)
    deployment.make_authoritative(key_of(2, 0), 6)


def flip_bit(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


def totals_by_duckdb(taken: object) -> Any:
    with duckdb.connect() as database:
        database.register("taken", taken)
        return database.execute("SELECT count(*), sum(metrics_clicks) FROM taken").fetchall()
