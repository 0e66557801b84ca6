"""The entry point `sqlite` of `gads.ledgers`: `sqlite:path/to/ledger.db`."""

from collections.abc import Callable
from pathlib import Path

from gads_domain.compaction import Compaction
from gads_domain.ledger_copy import LedgerCopy, Restoration
from gads_domain.local_path import path_of
from gads_state_sqlite.activity_ledger import SqliteActivityLedger, SqliteActivityReader
from gads_state_sqlite.compaction import compact
from gads_state_sqlite.control_ledger import SqliteControlPlaneLedger
from gads_state_sqlite.copies import back_up, restore
from gads_state_sqlite.ledger_file import BUSY_SECONDS
from gads_state_sqlite.pin_ledger import SqlitePinLedger
from gads_state_sqlite.read_only_file import ReadOnlyFile
from gads_state_sqlite.reader import SqliteStateReader
from gads_state_sqlite.standing_reader import SqliteStandingReader
from gads_state_sqlite.validator_ledger import SqliteValidatorLedger
from gads_state_sqlite.write_connection import require_writable

_ACTIVITY_SECONDS = 1.0
"""Nothing waits longer for what is recorded of activity."""


class SqliteLedgerAdapter:
    """Implements `gads_domain.adapters.LedgerAdapter` for one file, which every call opens anew.

    `busy_seconds` is how long to wait for another process that holds the file.
    """

    def __init__(self, busy_seconds: float = BUSY_SECONDS) -> None:
        self._busy_seconds = busy_seconds

    def open_reader(self, url: str, base: Path) -> SqliteStateReader:
        """Open read-only: nothing on disk changes, and an absent file reads as an empty ledger."""
        return SqliteStateReader(ReadOnlyFile(path_of(url, base), self._busy_seconds))

    def open_for_validator(self, url: str, base: Path) -> SqliteValidatorLedger:
        """Open with the right to write `success` and `failed`; creates an absent file and its folders."""
        return SqliteValidatorLedger(path_of(url, base), self._busy_seconds)

    def open_for_control_plane(self, url: str, base: Path) -> SqliteControlPlaneLedger:
        """Open with the right to retry, mark, revoke, lease and spend alone; creates an absent file and its folders."""
        return SqliteControlPlaneLedger(path_of(url, base), self._busy_seconds)

    def open_pins(self, url: str, base: Path) -> SqlitePinLedger:
        """Open with the right to set and release pins alone; creates an absent file and its folders."""
        return SqlitePinLedger(path_of(url, base), self._busy_seconds)

    def open_activity(self, url: str, base: Path) -> SqliteActivityLedger:
        """Open with the right to record activity alone; creates an absent file and its folders."""
        return SqliteActivityLedger(path_of(url, base), min(self._busy_seconds, _ACTIVITY_SECONDS))

    def open_activity_reader(self, url: str, base: Path) -> SqliteActivityReader:
        """Open read-only, as `open_reader` does."""
        return SqliteActivityReader(ReadOnlyFile(path_of(url, base), self._busy_seconds))

    def open_standing(self, url: str, base: Path) -> SqliteStandingReader:
        """Open read-only, to count how the ledger stands; an absent file reads as an empty ledger."""
        return SqliteStandingReader(ReadOnlyFile(path_of(url, base), self._busy_seconds))

    def check(self, url: str, base: Path) -> None:
        """Make sure that the ledger could be written, or created if it is absent, and leave nothing behind."""
        require_writable(path_of(url, base), self._busy_seconds)

    def compact(self, url: str, base: Path, *, dry_run: bool, say: Callable[[str], None]) -> Compaction:
        """Convert what earlier versions wrote, and give unused space back; `say` gets a line now and then."""
        return compact(path_of(url, base), self._busy_seconds, dry_run=dry_run, say=say)

    def back_up(self, url: str, base: Path, copy: Path) -> LedgerCopy:
        """Write the ledger to a file that does not exist yet, as of one moment."""
        return back_up(path_of(url, base), copy, self._busy_seconds)

    def restore(self, url: str, base: Path, copy: Path, *, dry_run: bool) -> Restoration:
        """Put the ledger in `copy` in its place, which no process may have open; what was there is kept beside it."""
        return restore(path_of(url, base), copy, self._busy_seconds, dry_run=dry_run)


ADAPTER = SqliteLedgerAdapter()
