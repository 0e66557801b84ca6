"""How large sealed partitions are, of each report: what a few authoritative ones, spread evenly, take in the sink."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from gads_domain.day_ranges import number_of
from gads_domain.errors import DamagedPartitionError, NotSealedError, UnsupportedContractError
from gads_domain.metadata_codec import decode_metadata
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.state import StateFilter

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from gads_domain.gaps import AuthoritativeDays
    from gads_domain.ports.ledger import StateReader
    from gads_domain.ports.sink import RawReader

FILES = 2
"""Of a sealed partition: payload and metadata."""

SAMPLE = 12
"""How many seals of a report are read at most."""


@dataclass(frozen=True, slots=True)
class SeenSize:
    """So many partitions of a report were looked at, and take so many bytes together, payloads and seals."""

    partitions: int = 0
    bytes: int = 0

    def bytes_of(self, partitions: int) -> int | None:
        """What so many partitions take if they are as large on average; None if none was looked at."""
        if not partitions:
            return 0
        return round(self.bytes * partitions / self.partitions) if self.partitions else None


def seen_sizes(
    ledger: StateReader, reader: RawReader, reports: Collection[str], customers: Collection[str]
) -> dict[str, SeenSize]:
    """The sizes of each of `reports`, by partitions of `customers` or else, where these have none, of all accounts.

    At most `SAMPLE` seals of a report are read, and no payload. A partition that is missing or damaged does not count.
    Raises what the ledger raises, and `StorageError` if the sink cannot be read.
    """
    found = ledger.authoritative_days(StateFilter(GOOGLE_ADS, reports=tuple(reports)))
    return {report: _seen(ledger, reader, list(_spread(found, report, customers))) for report in reports}


def _spread(found: AuthoritativeDays, report: str, customers: Collection[str]) -> Iterator[PartitionKey]:
    pairs = sorted(pair for pair in found.days if pair[1] == report)
    pairs = [pair for pair in pairs if pair[0] in customers] or pairs
    total = sum(number_of(found.days[pair]) for pair in pairs)
    wanted = {number * total // SAMPLE for number in range(SAMPLE)} if total else set()
    start = 0
    for pair in pairs:
        for days in found.days[pair]:
            end = start + number_of([days])
            yield from (
                PartitionKey(GOOGLE_ADS, *pair, days.first + timedelta(days=number - start))
                for number in sorted(wanted)
                if start <= number < end
            )
            start = end


def _seen(ledger: StateReader, reader: RawReader, keys: list[PartitionKey]) -> SeenSize:
    sizes = []
    for state in ledger.get_many(keys):
        if state.current_run_id is None:
            continue
        try:
            seal = reader.metadata_bytes(state.key, state.current_run_id)
            sizes.append(len(seal) + decode_metadata(seal).payload_bytes)
        except (NotSealedError, DamagedPartitionError, UnsupportedContractError):
            continue
    return SeenSize(len(sizes), sum(sizes))
