"""What can be done about failures: each hint that is on record of them, once."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice

from gads_domain.partition_key import PartitionKey
from gads_domain.ports.ledger import StateReader

MOST_LOOKUPS = 20
"""How many partitions are looked up for the hints of one run."""


def reason_apart_from(key: PartitionKey, reason: str) -> str:
    """`reason` without the partition's own name, so that one trouble of many partitions reads the same for each."""
    return reason.replace(str(key), "the partition")


def advice(failures: Mapping[PartitionKey, str], ledger: StateReader) -> tuple[str, ...]:
    """The hints of `failures` (reasons by partition), each once, in the order of the partitions.

    Partitions with one reason are looked up once, and at most 20 are looked up.
    """
    different: dict[str, PartitionKey] = {}
    for key, reason in sorted(failures.items()):
        different.setdefault(reason_apart_from(key, reason), key)
    hints: dict[str, None] = {}
    for key in islice(different.values(), MOST_LOOKUPS):
        failed = [one for one in ledger.history(key).results if one.failure is not None]
        if failed:
            newest = max(failed, key=lambda one: one.run_id)
            assert newest.failure is not None
            hints.setdefault(newest.failure.hint)
    return tuple(hint for hint in hints if hint)
