"""A local API whose every call takes longer: `python slow_api_process.py FOLDER ACCOUNTS SECONDS`."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

from gads_emulator import EmulatorServer, SyntheticAgency, SyntheticSettings

FIRST, LAST = date(2024, 5, 1), date(2024, 5, 31)


def main(folder: Path, accounts: int, seconds: float) -> None:
    """Serve until stdin ends."""

    def slow(answer: Callable[[Any], Iterator[Any]]) -> Callable[[Any], Iterator[Any]]:
        def served(call: Any) -> Iterator[Any]:
            time.sleep(seconds)  # the network that a local API does not have
            return answer(call)

        return served

    agency = SyntheticAgency(
        SyntheticSettings(seed=11, accounts=accounts, campaigns=3, first=FIRST, last=LAST, keeps_everything=True)
    )
    with EmulatorServer(agency, wrap=slow) as server:
        server.write_client_configuration(folder)
        sys.stdout.write(" ".join(agency.client_ids) + "\n")
        sys.stdout.flush()
        sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]))
