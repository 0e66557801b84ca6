"""Partitions, steps and rows for the laws of a warehouse."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from gads_domain.current_partition import CurrentPartition
from gads_domain.metadata import ColumnSpec, TableSchema
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.ports.warehouse import (
    FullLoad,
    LoadedStep,
    LoadMode,
    LoadStep,
    Replacement,
    Warehouse,
    WarehousePosition,
)
from gads_domain.run import RunId

FIRST_DAY = date(2024, 6, 1)
START = datetime(2024, 7, 1, tzinfo=UTC)

CAMPAIGN = ColumnSpec("campaign_id", "campaign.id", "int64")
NAME = ColumnSpec("campaign_name", "campaign.name", "string")
CLICKS = ColumnSpec("metrics_clicks", "metrics.clicks", "int64")
VALUE = ColumnSpec("metrics_conversions_value", "metrics.conversions_value", "double")
CLICKS_AS_DOUBLE = ColumnSpec("metrics_clicks", "metrics.clicks", "double")

NARROW = TableSchema((CAMPAIGN, NAME, CLICKS))
WIDE = TableSchema((CAMPAIGN, NAME, VALUE, CLICKS))
CHANGED = TableSchema((CAMPAIGN, NAME, CLICKS_AS_DOUBLE))

Row = dict[str, Any]
WritePayload = Callable[[Path, TableSchema, Sequence[Row]], None]
"""Writes rows to a Parquet file with the columns of the schema."""
ReadRows = Callable[[str], list[Row]]
"""Reads all rows of a report from the tables themselves."""


def key_of(day: int = 0, customer: int = 1, report: str = "campaign") -> PartitionKey:
    """The partition of the day number `day`."""
    return PartitionKey(GOOGLE_ADS, str(customer), report, FIRST_DAY + timedelta(days=day))


def run_of(number: int) -> RunId:
    """The `number`-th run."""
    return RunId.compose(START + timedelta(seconds=number), b"\0\0\0\0")


def position_of(number: int, ledger_id: str = "ledger-a") -> WarehousePosition:
    """The position `number` of the ledger."""
    return WarehousePosition(ledger_id, number, f"v1:{number}:{number:012x}:{ledger_id}")


def rows_of(key: PartitionKey, run: int, count: int, schema: TableSchema = NARROW) -> list[Row]:
    """Rows that name their partition and run."""
    values: list[Row] = [
        {
            "campaign_id": number,
            "campaign_name": f"{key.customer_id} {key.logical_date} {run}",
            "metrics_clicks": number * 10 + run,
            "metrics_conversions_value": number / 4,
        }
        for number in range(count)
    ]
    kinds = {column.name: column.type for column in schema.columns}
    return [
        {name: float(row[name]) if kind == "double" else row[name] for name, kind in kinds.items()} for row in values
    ]


@dataclass
class Story:
    """Makes replacements, applies them, and knows what the warehouse has to show after them."""

    folder: Path
    write: WritePayload
    warehouse: Warehouse
    read_rows: ReadRows
    shown: dict[PartitionKey, tuple[CurrentPartition, list[Row]]] = field(default_factory=dict)
    _files: int = 0

    def replacement(
        self,
        key: PartitionKey,
        run: int,
        count: int = 3,
        *,
        schema: TableSchema = NARROW,
        version: int = 1,
        record_count: int | None = None,
    ) -> Replacement:
        """A payload of `count` rows for a partition of `record_count` (None: as many)."""
        self._files += 1
        path = self.folder / f"payload-{self._files}.parquet"
        self.write(path, schema, rows_of(key, run, count, schema))
        expected = count if record_count is None else record_count
        pointer = CurrentPartition(key, run_of(run), expected, version, f"{run:064x}")
        return Replacement(pointer, schema, path)

    def begin(self, days: int) -> None:
        """Apply the first `days` days, up to the position of that number."""
        self.apply(None, position_of(days), [self.replacement(key_of(day), 1) for day in range(days)])

    def apply(
        self,
        after: WarehousePosition | FullLoad | None,
        to: WarehousePosition | FullLoad,
        replace: Sequence[Replacement] = (),
        remove: Sequence[PartitionKey] = (),
        *,
        mode: LoadMode = LoadMode.FEED,
    ) -> LoadedStep:
        """Apply a step, and expect what it leads to."""
        done = self.warehouse.apply(step(after, to, replace, remove, mode=mode))
        self.expect(replace, remove)
        return done

    def expect(self, replace: Iterable[Replacement] = (), remove: Iterable[PartitionKey] = ()) -> None:
        """Note what a step that was applied leads to."""
        for one in replace:
            key = one.partition.key
            run = int((one.partition.run_id.started_at - START).total_seconds())
            self.shown[key] = (one.partition, rows_of(key, run, one.partition.record_count, one.schema))
        for key in remove:
            self.shown.pop(key, None)

    def require_shown(self) -> None:
        """Assert that tables and pointers are exactly what is expected."""
        reports = {key.report for key in self.shown} | set(self.warehouse.reports())
        pointers = [one for report in reports for one in self.warehouse.pointers(report)]
        assert sorted(pointers) == sorted(pointer for pointer, _ in self.shown.values())
        expected = [
            (key.report, row | {"_customer_id": key.customer_id, "_logical_date": key.logical_date, "_run_id": run})
            for key, (pointer, rows) in self.shown.items()
            for run in [pointer.run_id.value]
            for row in rows
        ]
        found = [(report, row) for report in reports for row in self.read_rows(report)]
        assert _sorted(found) == _sorted(expected)
        assert self.warehouse.mismatched() == []
        assert dict(self.warehouse.invalid_identity()) == {}
        contents = [one for report in reports for one in self.warehouse.contents(report)]
        assert sorted((one.key, one.run_id, one.record_count) for one in contents) == sorted(
            (key, one.run_id, one.record_count) for key, (one, _) in self.shown.items() if one.record_count
        )


def _sorted(rows: list[tuple[str, Row]]) -> list[tuple[str, list[tuple[str, str]]]]:
    return sorted((report, sorted((name, repr(value)) for name, value in row.items())) for report, row in rows)


class BrokenOffError(Exception):
    """Raised in the middle of a step by `broken_off_after`."""


def broken_off_after(number: int) -> Callable[[int], None]:
    """Raise `BrokenOffError` when `number` replacements were taken."""

    def each(taken: int) -> None:
        if taken == number:
            raise BrokenOffError

    return each


class Observed(list[Replacement]):
    """Replacements that call `each` with the number of those taken so far, before each one and after the last."""

    def __init__(self, replacements: Iterable[Replacement], each: Callable[[int], None]) -> None:
        super().__init__(replacements)
        self._each = each

    def __iter__(self) -> Iterator[Replacement]:
        for number, one in enumerate(super().__iter__()):
            self._each(number)
            yield one
        self._each(len(self))


def step(
    after: WarehousePosition | FullLoad | None,
    to: WarehousePosition | FullLoad,
    replace: Sequence[Replacement] = (),
    remove: Sequence[PartitionKey] = (),
    *,
    mode: LoadMode = LoadMode.FEED,
    discard_invalid: bool = False,
) -> LoadStep:
    """A step from `after` to `to`."""
    number = to.target.position if isinstance(to, FullLoad) else to.position
    at = START + timedelta(seconds=number)
    return LoadStep(mode, GOOGLE_ADS, after, to, at, replace, remove, discard_invalid)
