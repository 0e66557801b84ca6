"""The erasure of an account: the order, what went by it, and its end; contracts/state/v1 says what remains."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from gads_domain.clock import iso_utc
from gads_domain.errors import AccountErasedError
from gads_domain.state import KeyHistory, OperatorAct

NOTHING_ERASED = hashlib.sha256().hexdigest()
"""The digest of an erasure before anything went."""


@dataclass(frozen=True, slots=True)
class Erasure:
    """The tombstone of an account: who ordered its erasure, when and why, and what went.

    - `partitions`, `results`, `changes`: how many logical partitions, validation results and authority changes went.
    - `digest`: a SHA-256 over the partitions, runs, outcomes and seals that went, as `digest_over` makes it.
    - `elsewhere`: how much went from where else, by a name of it.
    - `cleared_at`: when nothing of the account was left in the ledger; `ended_at`: when nothing was left anywhere.
    - `readmission`: the act that lifted it; None while it is in force.
    """

    source: str
    customer_id: str
    order: OperatorAct
    partitions: int = 0
    results: int = 0
    changes: int = 0
    digest: str = NOTHING_ERASED
    elsewhere: Mapping[str, int] = field(default_factory=dict)
    cleared_at: datetime | None = None
    ended_at: datetime | None = None
    readmission: OperatorAct | None = None

    @property
    def is_in_force(self) -> bool:
        """Whether the account is refused."""
        return self.readmission is None

    def __str__(self) -> str:
        return f"account {self.customer_id} was erased on {iso_utc(self.order.at)} ({self.order.reason})"

    def refusal(self) -> AccountErasedError:
        """What is raised where the account is named."""
        return AccountErasedError(str(self), erased_at=self.order.at)


def in_force(erasures: Iterable[Erasure]) -> dict[str, Erasure]:
    """The erasures in force by account."""
    return {one.customer_id: one for one in erasures if one.is_in_force}


def require_none_erased(erasures: Iterable[Erasure], customer_ids: Iterable[str]) -> None:
    """Raise `AccountErasedError` if any of the accounts is erased."""
    erased = in_force(erasures)
    for customer_id in customer_ids:
        if customer_id in erased:
            raise erased[customer_id].refusal()


def digest_over(digest: str, histories: Iterable[KeyHistory]) -> str:
    """The digest once `histories`, the next ones in key order, have gone too: a chain, however they are divided."""
    for line in _lines(histories):
        digest = hashlib.sha256(f"{digest}\n{line}".encode()).hexdigest()
    return digest


def _lines(histories: Iterable[KeyHistory]) -> Iterator[str]:
    for history in histories:
        for one in history.results:
            yield f"{one.key}\n{one.run_id}\n{one.outcome}\n{one.seal_sha256 or ''}\n"
