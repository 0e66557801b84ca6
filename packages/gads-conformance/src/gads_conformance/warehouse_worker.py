"""A process that stops in the middle of a step, for somebody to kill."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from gads_conformance.warehouse_samples import CHANGED, NARROW, key_of, position_of, run_of, step
from gads_domain.adapters import warehouse_adapter
from gads_domain.ports.warehouse import LoadedPartition, Replacement


def main() -> None:
    """Apply the step of `test_law_1_a_killed_process_changes_nothing` up to the place that it names."""
    order = json.loads(sys.argv[1])
    (first,), (second,) = order["chunks"]
    whole = [
        [Replacement(LoadedPartition(key_of(1), run_of(2), 3, 1, f"{2:064x}"), NARROW, Path(first))],
        [Replacement(LoadedPartition(key_of(4), run_of(2), 3, 2, f"{2:064x}"), CHANGED, Path(second))],
    ]

    def chunks() -> Iterator[Sequence[Replacement]]:
        yield from whole[: order["stop_after"]]
        sys.stdout.write("in the middle\n")
        sys.stdout.flush()
        sys.stdin.read()

    with warehouse_adapter(order["url"]).open_warehouse(order["url"], Path(order["base"])) as warehouse:
        warehouse.apply(step(position_of(3), position_of(8), chunks(), [key_of(0)]))


if __name__ == "__main__":
    main()
