"""A deployment in one folder, without an API: real sink, validator and ledger, payloads with made-up rows.

Each row carries the number of the run that wrote it, so that a mix of two runs shows.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from gads_consumer.consumer import Consumer
from gads_domain.adapters import ledger_adapter, sink_adapter
from gads_domain.control import RetentionPolicy
from gads_domain.errors import FailureReason
from gads_domain.expectations import DrawnList, ListedAccount
from gads_domain.layout import partition_prefix
from gads_domain.metadata import ColumnSpec, PartitionFacts, PartitionMetadata, TableSchema
from gads_domain.metadata_codec import decode_metadata
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.ports.sink import PrunableSink
from gads_domain.ports.validation import PartitionValidation, UnsealedRun
from gads_domain.run import RunId
from gads_domain.state import OperatorAct
from gads_payload.schema import arrow_schema
from gads_payload.writer import PayloadWriter
from gads_validator.validator import RawPartitionValidator

FIRST_DAY = date(2024, 6, 1)
START = datetime(2024, 7, 1, 4, 5, 6, tzinfo=UTC)
STATE, SINK = "sqlite:state/ledger.db", "file:raw"

DATE = ColumnSpec("segments_date", "segments.date", "date32")
CAMPAIGN = ColumnSpec("campaign_id", "campaign.id", "int64")
NAME = ColumnSpec("campaign_name", "campaign.name", "string")
CLICKS = ColumnSpec("metrics_clicks", "metrics.clicks", "int64")
RUN_NUMBER = ColumnSpec("metrics_run", "metrics.run", "int64")
COST = ColumnSpec("metrics_cost", "metrics.cost", "double")
LABELS = ColumnSpec("campaign_labels", "campaign.labels", "list<string>")
COLUMNS = (DATE, CAMPAIGN, NAME, CLICKS, RUN_NUMBER)


def key_of(customer: int = 1, day: int = 0, report: str = "campaign") -> PartitionKey:
    """The partition of the day number `day`."""
    return PartitionKey(GOOGLE_ADS, str(customer), report, FIRST_DAY + timedelta(days=day))


def run_of(number: int, entropy: int = 0) -> RunId:
    """The `number`-th run; later numbers are later runs."""
    return RunId.compose(START + timedelta(seconds=number), entropy.to_bytes(4, "big"))


def number_of(run_id: RunId) -> int:
    """The number of the run."""
    return int((run_id.started_at - START).total_seconds())


class SteppingClock:
    """A clock that advances by `step` whenever it is read."""

    def __init__(self, step: timedelta = timedelta(seconds=1)) -> None:
        self.moment = START
        self.step = step

    def now(self) -> datetime:
        self.moment += self.step
        return self.moment


class LocalDeployment:
    """Writes and validates in `base`; `consumer()` opens what other teams get."""

    def __init__(self, base: Path, clock: Any = None) -> None:
        self.base = base
        self.clock = clock or SteppingClock()
        self.open()

    def open(self) -> None:
        """Open the storage and the ledger, again after `close()`."""
        self.sink = sink_adapter(SINK).open_sink(SINK, self.base)
        self.ledger = ledger_adapter(STATE).open_for_validator(STATE, self.base)
        self.control_plane = ledger_adapter(STATE).open_for_control_plane(STATE, self.base)
        self.validator = RawPartitionValidator(self.sink, self.ledger, self.clock)

    def close(self) -> None:
        self.ledger.close()
        self.control_plane.close()

    def list_accounts(self, *customers: int, report: str = "campaign", zones: Mapping[int, str] | None = None) -> None:
        """Put on record a list that selects these accounts, `report` being expected from the first day on."""
        accounts = tuple(ListedAccount(str(one), time_zone=(zones or {}).get(one, "")) for one in customers)
        first_days = {(account.customer_id, report): FIRST_DAY for account in accounts}
        self.control_plane.record_list(DrawnList(GOOGLE_ADS, self.clock.now(), accounts, first_days))

    def consumer(self, **options: Any) -> Consumer:
        return Consumer.open(state=STATE, sink=SINK, base=self.base, **options)

    def seal(
        self,
        key: PartitionKey,
        run: int | RunId,
        rows: int = 3,
        *,
        columns: Sequence[ColumnSpec] = COLUMNS,
        schema_version: int = 1,
        record_count: int | None = None,
        row_group_rows: int = 100_000,
    ) -> PartitionMetadata:
        """Seal `rows` rows; a `record_count` of another number makes a partition that fails validation."""
        run_id = run_of(run) if isinstance(run, int) else run
        schema = TableSchema(tuple(columns))
        with self.sink.open_writer(key, run_id) as writer:
            payload = PayloadWriter(writer, schema, row_group_rows=row_group_rows)
            payload.write(_rows(key, number_of(run_id), rows, schema))
            payload.close()
            return writer.finalize(
                PartitionFacts(
                    extracted_at=self.clock.now(),
                    api_version="v26",
                    query="SELECT campaign.id FROM campaign WHERE campaign.name = 'Zürich'",
                    schema_version=schema_version,
                    schema=schema,
                    record_count=rows if record_count is None else record_count,
                    request_ids=("request",),
                    writer_name="tests",
                    writer_version="0",
                )
            )

    def validate(self, *keys: PartitionKey, recheck: bool = False) -> list[PartitionValidation]:
        return self.validator.validate(keys, recheck=recheck)

    def make_authoritative(self, key: PartitionKey, run: int, rows: int = 3, **options: Any) -> RunId:
        """Seal and validate; a run that is held for a decision is accepted, as an operator would."""
        self.seal(key, run, rows, **options)
        (validation,) = self.validate(key)
        if validation.after.held_run_id == run_of(run):
            act = OperatorAct(self.clock.now(), "tests", "state accept", "the rows are gone for good")
            self.control_plane.accept([(key, run_of(run))], act)
            (validation,) = self.validate(key)
        assert validation.after.current_run_id == run_of(run), validation.after.last_error
        return run_of(run)

    def act(self, command: str) -> OperatorAct:
        """An operator's act, now."""
        return OperatorAct(self.clock.now(), "tests", command, "the client said so")

    def erase(self, customer: int = 1) -> None:
        """Erase an account from ledger and sink."""
        account = (GOOGLE_ADS, str(customer))
        self.control_plane.order_erasure(*account, self.act("accounts erase"))
        while self.control_plane.erase(*account, self.clock.now(), 2).cleared_at is None:
            pass
        assert isinstance(self.sink, PrunableSink)
        self.sink.remove(list(self.sink.sealed(source=GOOGLE_ADS, customer_id=str(customer))))
        self.control_plane.end_erasure(*account, self.clock.now())

    def prune(self, key: PartitionKey) -> list[RunId]:
        """Remove what a retention of a day lets go of `key` now, by the real clock: all of it is from 2024."""
        act = OperatorAct(datetime.now(UTC), "tests", "sink prune", "superseded")
        runs = [(key, run_id) for run_id in self.sink.runs(key)]
        pruned = [one for one in self.control_plane.prune(runs, RetentionPolicy(timedelta(days=1)), act) if one]
        assert isinstance(self.sink, PrunableSink)
        self.sink.remove([(key, one.run_id) for one in pruned])
        return [one.run_id for one in pruned]

    def make_days_authoritative(self, days: Iterable[int], run: int = 1, customer: int = 1, rows: int = 3) -> None:
        for day in days:
            self.make_authoritative(key_of(customer, day), run, rows)

    def seal_invalid(self, key: PartitionKey, run: int) -> None:
        """Seal a partition that fails validation, and validate it."""
        self.seal(key, run, 3, record_count=4)
        self.validate(key)

    def report_unsealed(self, key: PartitionKey, run: int, message: str = "the API was down") -> None:
        reason = FailureReason("api_transient", message, retryable=True)
        self.validator.validate([key], unsealed={key: UnsealedRun(run_of(run), reason)})

    def damage(self, key: PartitionKey, run: int) -> None:
        """Damage the run's payload, and let a recheck take its authority away."""
        path = self.payload(key, run_of(run))
        path.chmod(0o644)
        path.write_bytes(path.read_bytes()[:-1])
        self.validate(key, recheck=True)

    def folder(self, key: PartitionKey, run_id: RunId) -> Path:
        return self.base / "raw" / partition_prefix(key, run_id)

    def payload(self, key: PartitionKey, run_id: RunId) -> Path:
        metadata = decode_metadata(self.sink.metadata_bytes(key, run_id))
        return self.folder(key, run_id) / metadata.payload_name


def _rows(key: PartitionKey, run: int, rows: int, schema: TableSchema) -> pa.RecordBatch:
    by_column: dict[str, list[Any]] = {
        CAMPAIGN.name: list(range(rows)),
        NAME.name: [f"Campaign {number % 7}" for number in range(rows)],
        CLICKS.name: [number * 3 + run for number in range(rows)],
        LABELS.name: [["a", "b"][: number % 3] for number in range(rows)],
        "metrics_cost_micros": [number * 1_234_567 for number in range(rows)],
        "customer_id": [int(key.customer_id)] * rows,
        "customer_descriptive_name": [f"Account of run {run}"] * rows,
        "customer_currency_code": ["EUR"] * rows,
        "customer_time_zone": ["Europe/Zurich"] * rows,
    }
    by_type: dict[str, list[Any]] = {
        "int64": [run] * rows,
        "double": [number / 4 for number in range(rows)],
        "string": ["text"] * rows,
        "bool": [True] * rows,
        "date32": [key.logical_date] * rows,
    }
    return pa.RecordBatch.from_pydict(
        {column.name: by_column.get(column.name) or by_type.get(column.type, [[]] * rows) for column in schema.columns},
        schema=arrow_schema(schema),
    )


def faults_of_reading(table: pa.Table, partitions: Iterable[Any]) -> list[str]:
    """List the rows of other partitions or other runs, and partitions with too many or too few rows."""
    expected = {(one.customer_id, one.logical_date): one for one in partitions}
    found: dict[tuple[str, date], list[dict[str, Any]]] = {}
    for row in table.to_pylist():
        found.setdefault((row["_customer_id"], row["_logical_date"]), []).append(row)
    faults = [f"unexpected {origin}" for origin in found.keys() - expected.keys()]
    for origin, one in expected.items():
        rows = found.get(origin, [])
        if len(rows) != one.record_count:
            faults.append(f"{one}: {len(rows)} rows, not {one.record_count}")
        if {row["_run_id"] for row in rows} - {one.run_id.value}:
            faults.append(f"{one}: rows of another run")
        if {row["metrics_run"] for row in rows} - {number_of(one.run_id)}:
            faults.append(f"{one}: a mix of runs")
        if [row["campaign_id"] for row in rows] != list(range(len(rows))):
            faults.append(f"{one}: rows torn or out of order")
    return faults


def pairs(values: Iterable[Any]) -> Iterable[tuple[Any, Any]]:
    """Neighbours."""
    return itertools.pairwise(values)
