"""Which partitions `validate` looks at: what is sealed, and for a recheck what the ledger vouches for too."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import replace

from gads_domain.errors import ConfigurationError
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.ports.ledger import StateReader
from gads_domain.ports.sink import RawReader
from gads_domain.state import PartitionStatus, StateFilter


def sealed_keys(reader: RawReader, wanted: StateFilter) -> Iterator[PartitionKey]:
    """The keys that have a sealed run and match, in order, each once; lists no account that is not asked for."""
    last: PartitionKey | None = None
    for key in _listed(reader, wanted):
        if key == last or (wanted.reports and key.report not in wanted.reports):
            continue
        if (wanted.since and key.logical_date < wanted.since) or (wanted.until and key.logical_date > wanted.until):
            continue
        last = key
        yield key


def keys_to_recheck(reader: RawReader, ledger: StateReader, wanted: StateFilter) -> Iterator[PartitionKey]:
    """The same, with the keys that the ledger vouches for: a seal that is gone is in no listing.

    Raises `ConfigurationError` if nothing at all is sealed while the ledger vouches for something: that is another
    sink, or one that is not mounted, and no reason to withdraw everything.
    """
    vouched_for = (state.key for state in ledger.find(replace(wanted, statuses=(PartitionStatus.SUCCESS,))))
    first = next(vouched_for, None)
    if first is None:
        yield from sealed_keys(reader, wanted)
        return
    if next(reader.sealed(), None) is None:
        raise ConfigurationError(
            f"nothing is sealed in the sink, and the ledger vouches for {first}",
            hint="point storage.sink at the partitions of this ledger, or mount what they are on; nothing was changed",
        )
    last: PartitionKey | None = None
    for key in heapq.merge(sealed_keys(reader, wanted), [first], vouched_for):
        if key != last:
            last = key
            yield key


def _listed(reader: RawReader, wanted: StateFilter) -> Iterator[PartitionKey]:
    if not wanted.customer_ids:
        yield from (key for key, _ in reader.sealed())
    for customer_id in sorted(set(wanted.customer_ids)):
        yield from (key for key, _ in reader.sealed(source=GOOGLE_ADS, customer_id=customer_id))
