"""One process of a race between writers and consumers: `python -m gads_testing.consumer_process JSON`.

It prints `ready`, waits for a line, works until its stdin is closed or its rounds are done, and prints one JSON object
of what it did.
"""

from __future__ import annotations

import json
import random
import select
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gads_consumer.consumer import Consumer
from gads_domain.clock import SystemClock
from gads_domain.current_partition import CurrentPartition
from gads_domain.partition_key import PartitionKey
from gads_testing.local_deployment import LocalDeployment, faults_of_reading, key_of

CUSTOMERS, DAYS = 3, 8
WRITERS = 4


def write(options: dict[str, Any]) -> dict[str, int]:
    """Seal and validate one run after another of any partition, some of them bad."""
    deployment = LocalDeployment(Path(options["base"]), SystemClock())
    dice = random.Random(options["worker"])
    sealed = moved = 0
    try:
        while sealed < options["seals"] and not asked_to_end():
            keys = {key_of(1 + dice.randrange(CUSTOMERS), dice.randrange(DAYS)) for _ in range(3)}
            for key in keys:
                rows = dice.randrange(200)
                bad = dice.random() < 0.15
                deployment.seal(
                    key, 1 + sealed * WRITERS + options["worker"], rows, record_count=rows + 1 if bad else None
                )
                sealed += 1
            moved += sum(validation.changed for validation in deployment.validate(*keys))
    finally:
        deployment.close()
    return {"sealed": sealed, "moved": moved}


def read(options: dict[str, Any]) -> dict[str, Any]:
    """Read snapshots, old ones again, and follow the change feed; return every fault."""
    faults: list[str] = []
    reads = changes = 0
    mine: dict[PartitionKey, CurrentPartition] = {}
    cursor = None
    dice = random.Random(options["worker"])
    kept: list[tuple[Any, Any]] = []
    with Consumer.open(state="sqlite:state/ledger.db", sink="file:raw", base=options["base"]) as consumer:
        ended = False
        while not ended:
            ended = asked_to_end()
            snapshot = consumer.snapshot("campaign")
            table = snapshot.to_table(identity=True)
            faults += faults_of_reading(table, snapshot.partitions)
            kept.append((snapshot, table))
            if len(kept) > 10:
                kept.pop(dice.randrange(10))
            again, before = dice.choice(kept)
            if not again.to_table(identity=True).equals(before):
                faults.append(f"{again} does not repeat itself")
            if {one.key: one for one in consumer.snapshot("campaign", as_of=again.position).partitions} != {
                one.key: one for one in again.partitions
            }:
                faults.append(f"as of {again.position} the ledger says something else than it said then")
            feed = consumer.changes(after=cursor)
            for change in feed:
                changes += 1
                if change.partition is None:
                    mine.pop(change.key, None)
                else:
                    mine[change.key] = change.partition
            cursor = feed.cursor
            if mine != {one.key: one for one in consumer.snapshot("campaign", as_of=cursor).partitions}:
                faults.append(f"the feed up to {cursor} leads elsewhere than a snapshot there")
            reads += 2
    return {"reads": reads, "changes": changes, "faults": faults}


def asked_to_end() -> bool:
    return bool(select.select([sys.stdin], [], [], 0)[0])


TASKS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {"write": write, "read": read}

if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    sys.stdout.write(json.dumps(TASKS[given["task"]](given)) + "\n")
