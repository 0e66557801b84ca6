"""Partitions for the laws of sinks; the sink does not look into their content."""

import hashlib
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from gads_domain.metadata import ColumnSpec, PartitionFacts, PartitionMetadata, TableSchema
from gads_domain.metadata_codec import decode_metadata
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.ports.sink import RawReader, RawSink
from gads_domain.run import RunId

_FIRST_RUN = datetime(2024, 6, 2, 4, 5, 6, 789000, tzinfo=UTC)


def sample_facts(record_count: int = 3, schema_version: int = 1) -> PartitionFacts:
    """Facts as an extractor would hand them to a writer, with text outside ASCII."""
    return PartitionFacts(
        extracted_at=datetime(2024, 6, 2, 4, 6, 7, 891011, tzinfo=UTC),
        api_version="v26",
        query="SELECT campaign.name, metrics.clicks FROM campaign WHERE campaign.name = 'Zürich ☂'",
        schema_version=schema_version,
        schema=TableSchema(
            (
                ColumnSpec("campaign_name", "campaign.name", "string"),
                ColumnSpec("metrics_clicks", "metrics.clicks", "int64"),
            )
        ),
        record_count=record_count,
        request_ids=("Yk3-4sXbQ0",),
        writer_name="gads-conformance",
        writer_version="0",
    )


def sample_key(day: int = 0, *, customer_id: str = "1234567890", report: str = "campaign") -> PartitionKey:
    """The partition of the day number `day`."""
    return PartitionKey(GOOGLE_ADS, customer_id, report, date(2024, 6, 1) + timedelta(days=day))


def sample_run(number: int = 0) -> RunId:
    """The run number `number`; a greater number is a later run."""
    return RunId.compose(_FIRST_RUN + timedelta(seconds=number), number.to_bytes(4, "big"))


def sample_payload(seed: int, size: int) -> bytes:
    """`size` bytes that `seed` determines."""
    return hashlib.shake_256(seed.to_bytes(8, "big")).digest(size)


def seal(
    sink: RawSink, key: PartitionKey, run_id: RunId, chunks: Iterable[bytes | memoryview] = (b"payload",)
) -> PartitionMetadata:
    """Write `chunks` and seal them."""
    with sink.open_writer(key, run_id) as writer:
        for chunk in chunks:
            writer.write(chunk)
        return writer.finalize(sample_facts())


def stored_payload(reader: RawReader, key: PartitionKey, run_id: RunId) -> bytes:
    """The payload that the stored seal names; raises `AssertionError` unless its size and sum are those of the seal."""
    metadata = decode_metadata(reader.metadata_bytes(key, run_id))
    with reader.open_payload(key, run_id, metadata.payload_name) as stream:
        data = stream.read()
    assert (metadata.key, metadata.run_id) == (key, run_id), "the seal is of another partition"
    assert metadata.payload_bytes == len(data), "the seal names another size"
    assert metadata.payload_sha256 == hashlib.sha256(data).hexdigest(), "the seal names another sum"
    return data
