"""Sealing partitions together: each step is made of all of them before the next is made of any.

What costs is to wait until something is on the disk. A file system that was made to keep the first of many new files
has most often kept the others with it, and a folder that they share has to be synced once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from gads_domain.metadata import PartitionFacts, PartitionMetadata
from gads_domain.ports.sink import PartitionWriter
from gads_sink_local.faults import as_gads_error

if TYPE_CHECKING:
    from gads_sink_local.writer import LocalPartitionWriter

TOGETHER = 16
"""Partitions that go through the steps together; each of them holds eight descriptors meanwhile."""

Outcome = PartitionMetadata | Exception
"""The metadata as sealed, or what sealing that partition alone would have raised."""

_Pair = tuple["LocalPartitionWriter", PartitionFacts]


def finalize_together(writers: Sequence[_Pair]) -> list[Outcome]:
    """Seal what each writer has written; for each, in order, what came of it. One that fails is given up alone."""
    outcomes: list[Outcome] = []
    for start in range(0, len(writers), TOGETHER):
        outcomes += _finalized(writers[start : start + TOGETHER])
    return outcomes


def finalize_alone(writer: PartitionWriter, facts: PartitionFacts) -> Outcome:
    """The same for a writer that somebody has wrapped: what its wrapping does is done."""
    try:
        return writer.finalize(facts)
    except Exception as error:
        return error


def _finalized(group: Sequence[_Pair]) -> list[Outcome]:
    synced: set[str] = set()
    steps: tuple[Callable[[LocalPartitionWriter, PartitionFacts], object], ...] = (
        lambda writer, facts: writer.prepare(facts),
        lambda writer, _: writer.sync_files(),
        lambda writer, _: writer.name_payload(),
        # The payload and the way to it are durable before the seal appears: a seal never outlives its payload.
        lambda writer, _: writer.sync_folders(synced),
        lambda writer, _: writer.link(),
        lambda writer, _: writer.sync_link(),
    )
    failed: dict[int, Exception] = {}
    try:
        for step in steps:
            for number, (writer, facts) in enumerate(group):
                if number not in failed and (error := _failure(step, writer, facts)) is not None:
                    failed[number] = error
        return [failed.get(number) or writer.end() for number, (writer, _) in enumerate(group)]
    except BaseException:
        for writer, _ in group:
            writer.abort()
        raise


def _failure(
    step: Callable[[LocalPartitionWriter, PartitionFacts], object], writer: LocalPartitionWriter, facts: PartitionFacts
) -> Exception | None:
    """What kept `writer` from making the step, after which it is given up; None if it has made it."""
    try:
        step(writer, facts)
    except OSError as error:
        found: Exception = as_gads_error(error, writer.doing)
        found.__cause__ = error
    except Exception as error:
        found = error
    else:
        return None
    writer.abort()
    return found
