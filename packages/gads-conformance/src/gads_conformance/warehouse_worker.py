"""A process that stops in the middle of a step, to be killed there."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from gads_conformance.warehouse_samples import CHANGED, NARROW, Observed, key_of, position_of, run_of, step
from gads_domain.adapters import warehouse_adapter
from gads_domain.current_partition import CurrentPartition
from gads_domain.ports.warehouse import Replacement


def main() -> None:
    """Apply the step of `test_law_1_a_killed_process_changes_nothing` up to the replacement that it names."""
    order = json.loads(sys.argv[1])
    first, second = order["payloads"]
    replacements = [
        Replacement(CurrentPartition(key_of(1), run_of(2), 3, 1, f"{2:064x}"), NARROW, Path(first)),
        Replacement(CurrentPartition(key_of(4), run_of(2), 3, 2, f"{2:064x}"), CHANGED, Path(second)),
    ]

    def stop(number: int) -> None:
        if number == order["stop_after"]:
            sys.stdout.write("in the middle\n")
            sys.stdout.flush()
            sys.stdin.read()

    with warehouse_adapter(order["url"]).open_warehouse(order["url"], Path(order["base"])) as warehouse:
        warehouse.apply(step(position_of(3), position_of(8), Observed(replacements, stop), [key_of(0)]))


if __name__ == "__main__":
    main()
