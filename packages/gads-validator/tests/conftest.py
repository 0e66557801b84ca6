"""Real sealed partitions in a real sink, and a real ledger."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from gads_domain.adapters import ledger_adapter, sink_adapter
from gads_domain.clock import SystemClock
from gads_domain.layout import partition_prefix
from gads_domain.metadata import ColumnSpec, PartitionFacts, PartitionMetadata, TableSchema
from gads_domain.metadata_codec import decode_metadata
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.run import RunId
from gads_payload.schema import arrow_schema
from gads_payload.writer import PayloadWriter
from gads_validator.checks.declared import DeclaredChecks
from gads_validator.inspection import NOTHING_DECLARED
from gads_validator.validator import RawPartitionValidator

CUSTOMER = "4651612872"
DAY = date(2024, 6, 2)
SCHEMA = TableSchema(
    (
        ColumnSpec("customer_id", "customer.id", "int64"),
        ColumnSpec("campaign_resource_name", "campaign.resource_name", "string"),
        ColumnSpec("campaign_name", "campaign.name", "string"),
        ColumnSpec("label_resource_name", "label.resource_name", "string"),
        ColumnSpec("segments_date", "segments.date", "date32"),
        ColumnSpec("metrics_clicks", "metrics.clicks", "int64"),
        ColumnSpec("metrics_conversions", "metrics.conversions", "double"),
    )
)

Row = dict[str, Any]


@dataclass
class Workshop:
    """Seals partitions as an extractor would, and validates them."""

    base: Path
    customer: str = CUSTOMER
    schema: TableSchema = SCHEMA

    def __post_init__(self) -> None:
        self.sink = sink_adapter("file:raw").open_sink("file:raw", self.base)
        self.ledger = ledger_adapter("sqlite:ledger.db").open_for_validator("sqlite:ledger.db", self.base)

    def key(self, report: str = "campaign", day: date = DAY) -> PartitionKey:
        return PartitionKey(GOOGLE_ADS, self.customer, report, day)

    def run(self, number: int) -> RunId:
        return RunId.compose(datetime(2024, 6, 3, tzinfo=UTC) + timedelta(seconds=number), number.to_bytes(4, "big"))

    def rows(self, count: int = 3, day: date = DAY, **changed: Any) -> list[Row]:
        return [
            {
                "customer_id": int(self.customer),
                "campaign_resource_name": f"customers/{self.customer}/campaigns/{number}",
                "campaign_name": f"campaign {number}",
                "label_resource_name": None,
                "segments_date": day,
                "metrics_clicks": 10 * number,
                "metrics_conversions": 0.5,
            }
            | changed
            for number in range(count)
        ]

    def payload(self, rows: list[Row], schema: TableSchema | None = None) -> bytes:
        out = io.BytesIO()
        schema = schema or self.schema
        writer = PayloadWriter(out, schema)
        for batch in pa.Table.from_pylist(rows, arrow_schema(schema)).to_batches():
            writer.write(batch)
        writer.close()
        return out.getvalue()

    def facts(self, count: int, schema: TableSchema | None = None, schema_version: int = 1) -> PartitionFacts:
        return PartitionFacts(
            extracted_at=datetime(2024, 6, 3, tzinfo=UTC),
            api_version="v26",
            query="SELECT campaign.name FROM campaign",
            schema_version=schema_version,
            schema=schema or self.schema,
            record_count=count,
            request_ids=("abc",),
            writer_name="gads-extractor",
            writer_version="0.1.0",
        )

    def seal(
        self,
        run: int,
        rows: list[Row] | None = None,
        *,
        key: PartitionKey | None = None,
        payload: bytes | None = None,
        **facts: Any,
    ) -> PartitionMetadata:
        key = key or self.key()
        rows = self.rows(day=key.logical_date) if rows is None else rows
        data = self.payload(rows) if payload is None else payload
        with self.sink.open_writer(key, self.run(run)) as writer:
            writer.write(data)
            return writer.finalize(replace(self.facts(len(rows)), **facts))

    def folder(self, run: int, key: PartitionKey | None = None) -> Path:
        return self.base / "raw" / partition_prefix(key or self.key(), self.run(run))

    def metadata_path(self, run: int) -> Path:
        return self.folder(run) / "metadata.json"

    def payload_path(self, run: int) -> Path:
        return self.folder(run) / decode_metadata(self.metadata_path(run).read_bytes()).payload_name

    def validator(self, declared: DeclaredChecks = NOTHING_DECLARED) -> RawPartitionValidator:
        return RawPartitionValidator(self.sink, self.ledger, SystemClock(), declared=lambda _: declared)

    def validate(self, *, recheck: bool = False, **declared: Any) -> Any:
        """The validation of the one key of most tests."""
        return self.validator(DeclaredChecks(**declared)).validate([self.key()], recheck=recheck)[0]


def overwrite(path: Path, data: bytes) -> None:
    """Change a sealed file as a failing disk would."""
    path.chmod(0o644)
    path.write_bytes(data)


@pytest.fixture
def damage() -> Callable[[Path, bytes], None]:
    return overwrite


@pytest.fixture
def new_workshop(tmp_path: Path) -> Iterator[Callable[[], Workshop]]:
    made: list[Workshop] = []

    def make() -> Workshop:
        base = tmp_path / f"place-{len(made)}"
        base.mkdir()
        made.append(Workshop(base))
        return made[-1]

    yield make
    for workshop in made:
        workshop.ledger.close()


@pytest.fixture
def workshop(new_workshop: Callable[[], Workshop]) -> Workshop:
    return new_workshop()
