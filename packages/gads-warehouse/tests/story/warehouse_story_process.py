"""A load in a process of its own, killed after one of its statements."""

from __future__ import annotations

import itertools
import os
import signal
from pathlib import Path
from typing import Any

from consumer_pipeline import SINK, STATE

from gads_consumer.consumer import Consumer
from gads_warehouse import WarehouseLoader
from gads_warehouse_duckdb.step import StepTransaction
from gads_warehouse_duckdb.warehouse import DuckDbWarehouse

PLACES = ("_change_pointers", "_replace", "_record_step", "execute")
"""After which statements of a step a load may die."""


def load_and_die(base: Path, reconcile: bool, place: str, number: int) -> None:
    """Load in steps of two, and die when `place` is passed for the `number`-th time."""
    reached = itertools.count(1)
    whole = getattr(StepTransaction, place)

    def and_die(self: StepTransaction, *arguments: Any) -> Any:
        done = whole(self, *arguments)
        if next(reached) == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    setattr(StepTransaction, place, and_die)
    with Consumer.open(state=STATE, sink=SINK, base=base) as consumer:
        WarehouseLoader(consumer, DuckDbWarehouse(base / "tables.duckdb"), step_partitions=2).load(reconcile=reconcile)
