"""The contract's documents, and what its tests say in few words."""

from __future__ import annotations

import importlib
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
from consumer_pipeline import (
    FIRST_DAY,
    Pipeline,
    key_of,
)

from gads_consumer.changes import Change
from gads_consumer.consumer import Consumer
from gads_domain.current_partition import CurrentPartition
from gads_domain.partition_key import PartitionKey

pd: Any = importlib.import_module("pandas")
"""It ships no types."""

CONTRACT = Path(__file__).parents[3] / "contracts" / "consumer" / "v1"
SCHEMAS = {kind: json.loads((CONTRACT / f"{kind}.schema.json").read_bytes()) for kind in ("manifest", "change")}
EXAMPLES = sorted((CONTRACT / "examples").glob("*/*/*.json"))


def day(number: int) -> date:
    return FIRST_DAY + timedelta(days=number)


def held(consumer: Consumer, **options: Any) -> dict[PartitionKey, str]:
    """What is vouched for, as key and run."""
    return {one.key: one.run_id.value for one in consumer.snapshot("campaign", **options).partitions}


def applied(changes: list[Change], onto: dict[PartitionKey, CurrentPartition]) -> dict[PartitionKey, CurrentPartition]:
    """`onto` after the changes, as a consumer keeps it."""
    mine = dict(onto)
    for change in changes:
        if change.partition is None:
            mine.pop(change.key, None)
        else:
            mine[change.key] = change.partition
    return mine


def story(pipeline: Pipeline) -> None:
    pipeline.trust_days(range(3))
    pipeline.trust(key_of(1, 1), 2, 4)
    pipeline.fail(key_of(1, 3), 2)
    pipeline.withdraw(key_of(1, 0), 1)
    pipeline.trust(key_of(1, 0), 5)
    pipeline.trust(key_of(1, 3), 6)
    pipeline.trust(key_of(2, 0), 6)


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.chmod(0o644)
    path.write_bytes(data)


def taken_by_duckdb(taken: object) -> Any:
    with duckdb.connect() as database:
        database.register("taken", taken)
        return database.execute("SELECT count(*), sum(metrics_clicks) FROM taken").fetchall()
