"""A process that is killed in a step: `python -m gads_conformance.warehouse.worker URL BASE PAYLOAD PAYLOAD`.

It reads a number, applies the step of `test_a_killed_process_changes_nothing` up to the replacement of that number,
writes `stopped` and waits.
"""

import json
import sys
from pathlib import Path

from gads_conformance.warehouse.samples import CHANGED, NARROW, Observed, key_of, position_of, run_of, step
from gads_conformance.worker_process import emit
from gads_domain.adapters import warehouse_adapter
from gads_domain.current_partition import CurrentPartition
from gads_domain.ports.warehouse import Replacement


def _apply(url: str, base: Path, first: Path, second: Path, stop_after: int) -> None:
    replacements = [
        Replacement(CurrentPartition(key_of(1), run_of(2), 3, 1, f"{2:064x}"), NARROW, first),
        Replacement(CurrentPartition(key_of(4), run_of(2), 3, 2, f"{2:064x}"), CHANGED, second),
    ]

    def stop(number: int) -> None:
        if number == stop_after:
            emit("stopped")
            sys.stdin.read()

    with warehouse_adapter(url).open_warehouse(url, base) as warehouse:
        warehouse.apply(step(position_of(3), position_of(8), Observed(replacements, stop), [key_of(0)]))


if __name__ == "__main__":
    _, _url, _base, _first, _second = sys.argv
    _apply(_url, Path(_base), Path(_first), Path(_second), json.loads(sys.stdin.readline()))
