"""The entry point `sqlite` of `gads.ledgers`: `sqlite:path/to/ledger.db`."""

from __future__ import annotations

from pathlib import Path

from gads_domain.local_path import path_of
from gads_state_sqlite.control_plane_ledger import ControlPlanePartitionStateRepository
from gads_state_sqlite.ledger_file import BUSY_SECONDS, require_writable
from gads_state_sqlite.repository import PartitionStateRepository
from gads_state_sqlite.state_reader import ReadOnlyFile
from gads_state_sqlite.validator_ledger import ValidatorPartitionStateRepository


class SqliteLedgerAdapter:
    """Implements `gads_domain.adapters.LedgerAdapter` for one file, opened anew by every call.

    `busy_seconds` is how long to wait for another process that holds the file.
    """

    def __init__(self, busy_seconds: float = BUSY_SECONDS) -> None:
        self._busy_seconds = busy_seconds

    def open_reader(self, url: str, base: Path) -> PartitionStateRepository:
        """Open read-only: nothing on disk changes, and an absent file reads as an empty ledger."""
        return PartitionStateRepository(ReadOnlyFile(path_of(url, base), self._busy_seconds))

    def open_for_validator(self, url: str, base: Path) -> ValidatorPartitionStateRepository:
        """Open with the one authority to write `success` and `failed`; creates an absent file and its folders."""
        return ValidatorPartitionStateRepository(path_of(url, base), self._busy_seconds)

    def open_for_control_plane(self, url: str, base: Path) -> ControlPlanePartitionStateRepository:
        """Open with the authority to order retries alone; creates an absent file and its folders."""
        return ControlPlanePartitionStateRepository(path_of(url, base), self._busy_seconds)

    def check(self, url: str, base: Path) -> None:
        """Make sure that the ledger could be written, or made where there is none, and leave nothing behind."""
        require_writable(path_of(url, base), self._busy_seconds)


ADAPTER = SqliteLedgerAdapter()
