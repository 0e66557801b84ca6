"""Reads the seals of a partition's runs, for those who look into its past."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from gads_domain.errors import GadsError, NotSealedError
from gads_domain.metadata_codec import decode_metadata
from gads_pipeline.composition import open_sink_reader

if TYPE_CHECKING:
    from gads_domain.metadata import PartitionMetadata
    from gads_domain.partition_key import PartitionKey
    from gads_domain.run import RunId
    from gads_pipeline.configuration import Configuration


def seals_of(
    configuration: Configuration, key: PartitionKey, runs: Iterable[RunId]
) -> tuple[dict[RunId, PartitionMetadata], str]:
    """The seals of these runs as far as the sink has them, and why one could not be read; empty if all could."""
    found: dict[RunId, PartitionMetadata] = {}
    try:
        sink = open_sink_reader(configuration)
        for run_id in runs:
            with suppress(NotSealedError):
                found[run_id] = decode_metadata(sink.metadata_bytes(key, run_id))
    except GadsError as error:
        return found, error.message
    return found, ""
