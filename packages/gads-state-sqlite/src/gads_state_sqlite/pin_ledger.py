"""The ledger as a reader may use it that needs superseded runs: pins, and nothing else."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from gads_domain.partition_key import PartitionKey
from gads_domain.ports.pins import Pin
from gads_domain.run import RunId
from gads_state_sqlite import prune_tables
from gads_state_sqlite.ledger_file import BUSY_SECONDS
from gads_state_sqlite.write_connection import WriteConnection, allowing

_MAY = allowing(inserts=frozenset({"pins"}), updates=frozenset(), deletes=frozenset({"pins"}))


class SqlitePinLedger:
    """Implements `gads_domain.ports.pins.PinLedger`, whose laws bind it."""

    def __init__(self, path: Path, busy_seconds: float = BUSY_SECONDS) -> None:
        self._file = WriteConnection(path, busy_seconds, _MAY)

    def pin(self, name: str, runs: Sequence[tuple[PartitionKey, RunId]], until: datetime, now: datetime) -> Pin:
        """Keep `runs` in the sink until `until`, all of them or none."""
        return self._file.write(lambda connection: prune_tables.pin(connection, name, runs, until, now))

    def release(self, name: str) -> bool:
        """End the pin; whether there was one."""
        return self._file.write(
            lambda connection: connection.execute("DELETE FROM pins WHERE name = ?", (name,)).rowcount > 0
        )

    def pins(self, now: datetime) -> list[Pin]:
        """The pins that end after `now`, by name."""
        return self._file.read(lambda connection: prune_tables.pins_in(connection, now))

    def close(self) -> None:
        """Let go of the ledger; using it afterwards is an error."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
