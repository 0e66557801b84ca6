"""Payloads on their way into a warehouse: local files, a batch at a time."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import date
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from gads_domain.current_partition import CurrentPartition
from gads_domain.ports.warehouse import Replacement

if TYPE_CHECKING:  # it brings Arrow
    from gads_consumer.consumer import Consumer


def loading_order(partition: CurrentPartition) -> tuple[str, int, date, str]:
    """By table, and there by day: rows of one day lie together, which queries and replacements look for."""
    key = partition.key
    return key.report, partition.schema_version, key.logical_date, key.customer_id


@contextmanager
def payload_copies(
    consumer: Consumer, batches: Sequence[Sequence[CurrentPartition]], folder: Path | None
) -> Iterator[Iterator[list[Replacement]]]:
    """The payloads of each batch, whole; its files are there until the next batch is asked for.

    They are copied to a temporary folder in `folder`, by default the system's.
    """
    wanted = [one for batch in batches for one in batch]
    with (
        tempfile.TemporaryDirectory(prefix="gads-warehouse-", dir=folder) as name,
        closing(consumer.copy_payloads(wanted, name)) as copies,
    ):

        def copied() -> Iterator[list[Replacement]]:
            for batch in batches:
                replacements = [Replacement(one.partition, one.schema, one.path) for one in islice(copies, len(batch))]
                yield replacements
                for one in replacements:
                    one.payload.unlink(missing_ok=True)

        yield copied()
