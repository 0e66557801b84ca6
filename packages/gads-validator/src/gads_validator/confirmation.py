"""Confirmations on record: rows that came again as the authoritative run has sealed them."""

from collections.abc import Sequence

from gads_domain.errors import LedgerConflictError
from gads_domain.ports.ledger import ValidatorLedger
from gads_domain.state import Confirmation, StateChange
from gads_domain.state_machine import is_confirmed, settle

MAX_CONFLICTS = 100
"""How often another process may change a row between the read and the write of a decision until the key is given up."""


def confirm(ledger: ValidatorLedger, confirmations: Sequence[Confirmation]) -> list[bool]:
    """Confirm each run that is authoritative with these rows; for each, in order, whether it is confirmed now.

    Raises `LedgerConflictError` if other processes keep changing a row.
    """
    recorded = ledger.confirm(confirmations)
    return [done or _decide(ledger, one) for one, done in zip(confirmations, recorded, strict=True)]


def _decide(ledger: ValidatorLedger, confirmation: Confirmation) -> bool:
    """By all that is on record of the partition: an error to clear, a held run, a revocation, a newer run."""
    for _ in range(MAX_CONFLICTS):
        history = ledger.history(confirmation.key)
        if not is_confirmed(history, confirmation):
            return False
        after = settle(history, None, confirmation.at, confirmation)
        if after is history.state or ledger.record([StateChange(history.state, after, None)]) == [True]:
            return True
    raise LedgerConflictError(
        f"{confirmation.key}: other processes kept changing it", hint="validate it again when they are done"
    )
