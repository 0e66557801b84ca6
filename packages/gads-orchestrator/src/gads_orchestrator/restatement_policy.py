"""What is done with restated days that come as they were sealed before."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from gads_domain.metadata import KnownContent
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.ports.ledger import StateReader
from gads_domain.report import ReportSlice
from gads_domain.run import RunId
from gads_domain.state import StateFilter


@dataclass(frozen=True, slots=True)
class RestatementPolicy:
    """Of which days the extractor is told what was sealed, so that it seals only what is different.

    With `seal_unchanged` of none, and of none whose seal is older than `reseal_after` (None: however old). The share
    `verify_share` of the days is read back before, so that what is missing or damaged is not taken for unchanged; 0
    trusts all of them.
    """

    seal_unchanged: bool = False
    reseal_after: timedelta | None = None
    verify_share: float = 0.01

    def known(self, ledger: StateReader, slice_: ReportSlice, run_id: RunId) -> dict[PartitionKey, KnownContent]:
        """What was sealed of the days of `slice_`, as far as the run `run_id` need not seal the same again."""
        if self.seal_unchanged:
            return {}
        look = StateFilter(GOOGLE_ADS, (slice_.customer_id,), (slice_.report.name,), slice_.first, slice_.last)
        oldest = None if self.reseal_after is None else run_id.started_at - self.reseal_after
        found = ledger.known_contents(look).items()
        return {key: one for key, one in found if oldest is None or one.run_id.started_at >= oldest}

    def sample(self, keys: Iterable[PartitionKey], run_id: RunId) -> frozenset[PartitionKey]:
        """The days to be read back by the run `run_id`: others in each run, and the same wherever it is asked."""
        limit = self.verify_share * (1 << 64)
        return frozenset(key for key in keys if limit and _number_of(f"{run_id} {key}") < limit)


def _number_of(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
