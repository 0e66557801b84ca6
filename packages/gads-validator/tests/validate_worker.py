"""A validator in a process of its own: prints `ready`, waits for a line, validates the keys it was given.

Arguments: the folder of sink and ledger, the seed of its order, the keys. It asks for them in several calls, in an
order and in batches of its own.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from gads_domain.adapters import ledger_adapter, sink_adapter
from gads_domain.clock import SystemClock
from gads_domain.partition_key import PartitionKey
from gads_validator.validator import RawPartitionValidator


class _WithoutPandas:
    """Arrow looks for pandas when it first sees a Python value; where it is there, that costs more than the rest."""

    @staticmethod
    def find_spec(name: str, *_: object) -> None:
        if name == "pandas":
            raise ImportError(name)


def main() -> None:
    base, dice = Path(sys.argv[1]), random.Random(int(sys.argv[2]))
    keys = [PartitionKey.parse(text) for text in sys.argv[3:]]
    dice.shuffle(keys)
    sys.meta_path.insert(0, _WithoutPandas)
    with ledger_adapter("sqlite:").open_for_validator("sqlite:ledger.db", base) as ledger:
        validator = RawPartitionValidator(sink_adapter("file:").open_reader("file:raw", base), ledger, SystemClock())
        print("ready", flush=True)  # noqa: T201 -- the signal to the process that started it
        sys.stdin.readline()
        while keys:
            count = dice.randint(1, len(keys))
            validator.validate(keys[:count])
            keys = keys[count:]


if __name__ == "__main__":
    main()
