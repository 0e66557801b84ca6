"""Where reports come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

from gads_domain.errors import FailureReason
from gads_domain.metadata import PartitionMetadata
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.sink import RawSink
from gads_domain.report import ReportSlice
from gads_domain.run import RunContext


@dataclass(frozen=True, slots=True)
class Sealed:
    """A day whose partition was sealed, with the metadata as sealed."""

    key: PartitionKey
    metadata: PartitionMetadata


@dataclass(frozen=True, slots=True)
class Unsealed:
    """A day that was asked for and not sealed, and why."""

    key: PartitionKey
    reason: FailureReason


DayOutcome = Sealed | Unsealed

RowProgress = Callable[[int], None]
"""Told the number of rows received so far of a slice."""


class ReportSource(Protocol):
    """Extracts slices of days.

    Laws:

    1. Exactly one outcome a day of the slice, whatever happens; a failure of the API or of the sink is an
       `Unsealed` outcome and not an exception.
    2. A day is sealed only after the whole stream of its slice has ended well; a day without rows is sealed with
       zero rows.
    3. Nothing is written but through `sink`, and every byte of it under `run.run_id`.
    4. One slice's failure changes nothing for another.
    """

    def extract(
        self, slice_: ReportSlice, run: RunContext, sink: RawSink, progress: RowProgress | None = None
    ) -> Iterator[DayOutcome]:
        """Ask for `slice_` and seal its days through `sink`.

        Raises `CredentialsError` alone, and before anything is written.
        """
        ...
