"""Each check fails for its own reason, with figures."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from gads_domain.metadata import ColumnSpec, TableSchema
from gads_domain.state import CheckResult, PartitionStatus, ValidationOutcome
from gads_validator.checks.grain import DeclaredGrain

Damage = Callable[[Path, bytes], None]

ALL = [
    "seal",
    "identity",
    "payload_size",
    "payload_sha256",
    "readable",
    "record_count",
    "schema_fingerprint",
    "logical_date",
    "customer",
    "grain",
]


def failed(validation: Any) -> dict[str, CheckResult]:
    """What did not hold in the one attempt, which must be on record as such."""
    (attempt,) = validation.results
    broken = {check.name: check for check in attempt.checks if not check.passed}
    assert attempt.outcome is (ValidationOutcome.REJECTED if broken else ValidationOutcome.PASSED)
    assert validation.after.status is (PartitionStatus.FAILED if broken else PartitionStatus.SUCCESS)
    if broken:
        assert attempt.failure.code == "check_failed"
        assert attempt.failure.hint
        assert attempt.content_sha256 is None
        assert all(f"{check.name}: {check.detail}" in attempt.failure.message for check in broken.values())
        assert "\n" not in attempt.failure.message
    return broken


def sealed_with(document: dict[str, Any]) -> bytes:
    """The canonical bytes of a seal of `document`, with a right sum."""

    def canonical(value: dict[str, Any]) -> bytes:
        return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"

    body = {name: value for name, value in document.items() if name != "seal_sha256"}
    return canonical(body | {"seal_sha256": hashlib.sha256(canonical(body)).hexdigest()})


def test_a_good_partition_passes_every_check_in_order(workshop: Any) -> None:
    metadata = workshop.seal(1)
    validation = workshop.validate()
    assert failed(validation) == {}
    (attempt,) = validation.results
    assert [check.name for check in attempt.checks] == ALL
    assert attempt.record_count == 3
    assert attempt.schema_version == 1
    assert attempt.seal_sha256 == json.loads(workshop.metadata_path(1).read_bytes())["seal_sha256"]
    assert attempt.content_sha256
    assert attempt.changes is None
    assert validation.after.seal_sha256 == attempt.seal_sha256
    assert workshop.ledger.schema_pin("google_ads", "campaign", 1).schema == metadata.facts.schema
    assert workshop.ledger.history(workshop.key()).results == (attempt,)


def test_a_day_without_rows_passes(workshop: Any) -> None:
    workshop.seal(1, [])
    assert failed(workshop.validate()) == {}


@pytest.mark.parametrize("data", [b"", b"{}\n", b"not json", b"[" * 100_000, b"\xff\xfe"])
def test_a_seal_of_other_bytes(workshop: Any, damage: Damage, data: bytes) -> None:
    workshop.seal(1)
    damage(workshop.metadata_path(1), data)
    validation = workshop.validate()
    assert list(failed(validation)) == ["seal"]
    assert [check.name for check in validation.results[0].checks] == ["seal"]
    assert validation.results[0].seal_sha256 is None


@pytest.mark.parametrize(
    ("member", "value"),
    [("contract_version", "9.0"), ("record_count", 10**30), ("schema_version", 10**30), ("payload_bytes", 10**30)],
)
def test_a_seal_that_no_partition_can_have(workshop: Any, damage: Damage, member: str, value: Any) -> None:
    workshop.seal(1)
    document = json.loads(workshop.metadata_path(1).read_bytes())
    damage(workshop.metadata_path(1), sealed_with(document | {member: value}))
    assert list(failed(workshop.validate())) == ["seal"]


def test_the_seal_of_another_day(workshop: Any, damage: Damage) -> None:
    workshop.seal(1)
    document = json.loads(workshop.metadata_path(1).read_bytes())
    damage(workshop.metadata_path(1), sealed_with(document | {"logical_date": "2024-06-01"}))
    broken = failed(workshop.validate())
    assert list(broken) == ["identity"]
    assert "2024-06-01" in broken["identity"].detail


def test_the_seal_of_another_run(workshop: Any, damage: Damage) -> None:
    workshop.seal(1)
    document = json.loads(workshop.metadata_path(1).read_bytes())
    damage(workshop.metadata_path(1), sealed_with(document | {"run_id": str(workshop.run(2))}))
    assert list(failed(workshop.validate())) == ["identity"]


def test_a_payload_that_was_cut(workshop: Any, damage: Damage) -> None:
    workshop.seal(1)
    path = workshop.payload_path(1)
    damage(path, path.read_bytes()[:-1])
    broken = failed(workshop.validate())
    assert list(broken) == ["payload_size", "payload_sha256"]
    size = path.stat().st_size
    assert broken["payload_size"].figures == {"expected_bytes": size + 1, "found_bytes": size}


def test_a_payload_of_the_same_size_and_other_bytes(workshop: Any, damage: Damage) -> None:
    workshop.seal(1)
    path = workshop.payload_path(1)
    damage(path, b"\0" * path.stat().st_size)
    assert list(failed(workshop.validate())) == ["payload_sha256"]


def test_a_payload_that_is_gone(workshop: Any) -> None:
    workshop.seal(1)
    workshop.payload_path(1).unlink()
    assert list(failed(workshop.validate())) == ["payload_size"]


@pytest.mark.parametrize("payload", [b"", b"PAR1", b"PAR1" + b"\1" * 1000 + b"PAR1"])
def test_a_payload_that_is_no_parquet(workshop: Any, payload: bytes) -> None:
    workshop.seal(1, payload=payload)
    broken = failed(workshop.validate())
    assert list(broken) == ["readable"]


def test_a_row_group_that_does_not_decode(workshop: Any) -> None:
    payload = bytearray(workshop.payload(workshop.rows(2000)))
    payload[40:400] = b"\xaa" * 360
    workshop.seal(1, workshop.rows(2000), payload=bytes(payload))
    assert list(failed(workshop.validate())) == ["readable"]


def test_text_that_is_not_utf8(workshop: Any) -> None:
    payload = workshop.payload(workshop.rows(1, campaign_name="zebra!"))
    assert payload.count(b"zebra!")
    workshop.seal(1, workshop.rows(1), payload=payload.replace(b"zebra!", b"\xff\xfezeb!"))
    assert list(failed(workshop.validate())) == ["readable"]


def test_more_rows_than_sealed(workshop: Any) -> None:
    workshop.seal(1, workshop.rows(3), record_count=4)
    broken = failed(workshop.validate())
    assert list(broken) == ["record_count"]
    assert broken["record_count"].figures == {"expected_rows": 4, "found_rows": 3, "footer_rows": 3}


def test_a_payload_of_another_schema_than_its_seal(workshop: Any) -> None:
    columns = workshop.schema.columns
    other = TableSchema((*columns[:5], replace(columns[5], type="double"), columns[6]))
    workshop.seal(1, payload=workshop.payload(workshop.rows(), other))
    broken = failed(workshop.validate())
    assert list(broken) == ["schema_fingerprint"]
    assert "metrics_clicks: int64 -> double" in broken["schema_fingerprint"].detail
    assert workshop.ledger.schema_pin("google_ads", "campaign", 1) is None


def test_a_parquet_type_that_no_payload_may_have(workshop: Any) -> None:
    out = io.BytesIO()
    pq.write_table(pa.table({"customer_id": pa.array([1], pa.int16())}), out)
    workshop.seal(1, workshop.rows(1), payload=out.getvalue())
    assert list(failed(workshop.validate())) == ["schema_fingerprint"]


def test_drift_names_each_column_that_moved(workshop: Any) -> None:
    workshop.seal(1)
    workshop.validate()
    columns = workshop.schema.columns
    drifted = TableSchema((*columns[:5], ColumnSpec("metrics_views", "metrics.views", "int64"), columns[6]))
    workshop.seal(2, [], schema=drifted, payload=workshop.payload([], drifted))
    (attempt,) = workshop.validate().results
    assert attempt.outcome is ValidationOutcome.REJECTED
    assert attempt.failure.message == (
        "schema_fingerprint: schema_version 1 stands for another schema: "
        "metrics_clicks: int64 -> absent; metrics_views: absent -> int64"
    )
    assert "schema_version" in attempt.failure.hint
    state = workshop.ledger.get(workshop.key())
    assert state.current_run_id == workshop.run(1)
    assert state.last_error == str(attempt.failure)
    workshop.seal(3, [], schema=drifted, schema_version=2, payload=workshop.payload([], drifted))
    assert workshop.validate().after.held_run_id == workshop.run(3), "all rows went, whatever the schema"
    row = [{**workshop.rows(1)[0], "metrics_views": 1}]
    workshop.seal(4, row, schema=drifted, schema_version=2, payload=workshop.payload(row, drifted))
    assert workshop.validate().after.current_run_id == workshop.run(4)


def test_drift_is_reported_beside_what_else_is_wrong(workshop: Any) -> None:
    workshop.seal(1)
    workshop.validate()
    drifted = TableSchema(workshop.schema.columns[:6])
    rows = [dict(row, segments_date=date(2024, 1, 1)) for row in workshop.rows()]
    workshop.seal(2, rows, schema=drifted, payload=workshop.payload(rows, drifted))
    (attempt,) = workshop.validate().results
    assert [check.name for check in attempt.checks] == ALL
    assert [check.name for check in attempt.checks if not check.passed] == ["schema_fingerprint", "logical_date"]


@pytest.mark.parametrize("day", [date(2024, 6, 1), date(2024, 6, 3), None])
def test_a_row_of_another_day(workshop: Any, day: date | None) -> None:
    rows = workshop.rows()
    rows[1]["segments_date"] = day
    workshop.seal(1, rows)
    broken = failed(workshop.validate())
    assert list(broken) == ["logical_date"]
    assert broken["logical_date"].figures == {"expected_date": "2024-06-02", "wrong_rows": 1, "rows": 3}
    assert ("null" if day is None else str(day)) in broken["logical_date"].detail


@pytest.mark.parametrize("count", [3, 100])
def test_a_day_beyond_python_s_calendar_is_a_row_of_another_day(workshop: Any, count: int) -> None:
    table = pq.read_table(io.BytesIO(workshop.payload(workshop.rows(count))))
    days = pa.array([2_932_897] * count, pa.int32()).cast(pa.date32())
    out = io.BytesIO()
    pq.write_table(table.set_column(table.column_names.index("segments_date"), "segments_date", days), out)
    workshop.seal(1, workshop.rows(count), payload=out.getvalue())
    broken = failed(workshop.validate())
    assert list(broken) == ["logical_date"]
    assert "10000-01-01" in broken["logical_date"].detail


@pytest.mark.parametrize("field", ["change_event.change_date_time", "change_status.last_change_date_time"])
@pytest.mark.parametrize("moment", ["2024-06-01 23:59:59.999999", "2024-06-03 00:00:00", "2024-06-02 23:59", None])
def test_a_change_of_another_day(workshop: Any, field: str, moment: str | None) -> None:
    name = field.replace(".", "_")
    columns = [column for column in workshop.schema.columns if column.name != "segments_date"]
    workshop.schema = TableSchema((*columns, ColumnSpec(name, field, "string")))
    rows = workshop.rows()
    for row in rows:
        del row["segments_date"]
        row[name] = "2024-06-02 00:00:00.5"
    rows[1][name] = moment
    workshop.seal(1, rows)
    broken = failed(workshop.validate())
    if moment == "2024-06-02 23:59":
        assert not broken
        return
    assert list(broken) == ["logical_date"]
    assert broken["logical_date"].figures == {"expected_date": "2024-06-02", "wrong_rows": 1, "rows": 3}
    assert ("null" if moment is None else moment[:10]) in broken["logical_date"].detail


@pytest.mark.parametrize("count", [3, 100])
def test_the_day_is_that_of_the_field_that_the_seal_names(workshop: Any, count: int) -> None:
    field = "lead_form_submission_data.submission_date_time"
    workshop.schema = TableSchema((*workshop.schema.columns, ColumnSpec("submitted", field, "string")))
    rows = [
        row | {"submitted": f"2024-06-02 10:00:{number % 60:02}"} for number, row in enumerate(workshop.rows(count))
    ]
    workshop.seal(1, rows, day_field=field)
    assert not failed(workshop.validate())
    rows[1]["submitted"] = "2024-06-01 23:59:59"
    workshop.seal(2, rows, day_field=field)
    (result,) = workshop.validate().results
    (broken,) = [check for check in result.checks if not check.passed]
    assert (broken.name, broken.figures["wrong_rows"]) == ("logical_date", 1)
    assert "2024-06-01" in broken.detail


def test_the_field_that_the_seal_names_counts_and_no_other(workshop: Any) -> None:
    field = "change_event.change_date_time"
    workshop.schema = TableSchema((*workshop.schema.columns, ColumnSpec("changed", field, "string")))
    rows = [row | {"segments_date": date(2024, 6, 1), "changed": "2024-06-02 10:00:00"} for row in workshop.rows()]
    workshop.seal(1, rows, day_field=field)
    assert not failed(workshop.validate())
    workshop.seal(2, rows)
    (result,) = workshop.validate().results
    assert [check.name for check in result.checks if not check.passed] == ["logical_date"], "the rule of version 1.0"


@pytest.mark.parametrize("count", [3, 100])
def test_a_field_of_another_type_has_no_day(workshop: Any, count: int) -> None:
    workshop.seal(1, workshop.rows(count), day_field="metrics.clicks")
    broken = failed(workshop.validate())
    assert list(broken) == ["logical_date"]
    assert broken["logical_date"].detail == "metrics.clicks is int64, which has no day"


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("customer_id", 1),
        ("customer_id", None),
        ("campaign_resource_name", "customers/46516128720/campaigns/1"),
        ("campaign_resource_name", "customers/1/campaigns/1"),
        ("campaign_resource_name", "campaigns/1"),
    ],
)
def test_a_row_of_another_customer(workshop: Any, column: str, value: Any) -> None:
    rows = workshop.rows()
    rows[2][column] = value
    workshop.seal(1, rows)
    broken = failed(workshop.validate())
    assert list(broken) == ["customer"]
    assert broken["customer"].figures[f"wrong_rows_{column}"] == 1


@pytest.mark.parametrize(
    ("column", "value"), [("campaign_resource_name", None), ("label_resource_name", "customers/1/labels/2")]
)
def test_what_may_be_absent_or_a_managers_is_no_other_customer(workshop: Any, column: str, value: Any) -> None:
    rows = workshop.rows()
    rows[2][column] = value
    workshop.seal(1, rows)
    assert failed(workshop.validate()) == {}


def test_a_repeated_grain(workshop: Any) -> None:
    rows = workshop.rows()
    rows.append(dict(rows[0], metrics_clicks=99))
    workshop.seal(1, rows)
    broken = failed(workshop.validate())
    assert list(broken) == ["grain"]
    assert broken["grain"].figures == {"duplicate_rows": 1, "rows": 4}
    assert broken["grain"].detail == (
        "1 of 4 rows repeats the grain of another, such as two with customer.id = 4651612872, campaign.resource_name = "
        "customers/4651612872/campaigns/0, campaign.name = campaign 0, label.resource_name = null, segments.date = "
        "2024-06-02, which differ in metrics.clicks (0, 99)"
    )


@pytest.mark.parametrize(
    ("declared", "shown", "hint"),
    [
        (
            DeclaredGrain(("campaign.name", "segments.date")),
            "segments.device (A\\x1b[31m, B)",
            "segments.device to the grain",
        ),
        (
            DeclaredGrain(("campaign.name", "segments.date"), key_fields=("campaign.id", "ad_group.id")),
            "two with campaign.name = campaign 0, segments.date = 2024-06-02, which differ in",
            "add ad_group.id to SELECT and to the grain",
        ),
        (DeclaredGrain(("campaign.name",), schema_version=2), "", ""),
        (DeclaredGrain(("campaign.name", "segments.hour")), "", ""),
    ],
    ids=["a selected field", "an unselected field", "of another version", "of other columns"],
)
def test_the_declared_grain(workshop: Any, declared: DeclaredGrain, shown: str, hint: str) -> None:
    device = ColumnSpec("segments_device", "segments.device", "string")
    workshop.schema = TableSchema((*workshop.schema.columns, device))
    rows = [dict(workshop.rows(1)[0], segments_device=device) for device in ("A\x1b[31m", "B")]
    workshop.seal(1, rows)
    validation = workshop.validate(grain=declared)
    broken = failed(validation)
    assert list(broken) == (["grain"] if shown else [])
    if shown:
        assert shown in broken["grain"].detail
        assert hint in validation.results[0].failure.hint


def test_the_rows_that_repeat_the_grain_are_shown_cut(workshop: Any) -> None:
    workshop.schema = TableSchema(tuple(ColumnSpec(f"c_{n}", f"c.n{n}", "string") for n in range(30)))
    workshop.seal(1, [{f"c_{n}": "x" * 100_000 for n in range(30)}] * 2)
    detail = failed(workshop.validate())["grain"].detail
    assert "c.n0 = " + "x" * 40 + "…" in detail
    assert detail.endswith("and 22 more, which are equal in every column")
    assert len(detail) < 1000


@pytest.mark.parametrize(
    ("declared", "value", "rows_wrong"),
    [
        ({"min_rows": 4}, 0, None),
        ({"not_null": ("metrics.clicks",)}, None, 1),
        ({"not_null": ("metrics_clicks",)}, None, 1),
        ({"non_negative": ("metrics_clicks",)}, -1, 1),
        ({"non_negative": ("metrics.conversions",)}, float("nan"), 1),
        ({"non_negative": ("metrics.conversions",)}, -0.5, 1),
        ({"unique": ("customer.id", "segments_date")}, 0, None),
        ({"not_null": ("metrics_none",)}, 0, None),
        ({"non_negative": ("campaign_name",)}, "x", None),
        ({"unique": ("unknown",)}, 0, None),
    ],
)
def test_a_declared_check(workshop: Any, declared: dict[str, Any], value: Any, rows_wrong: int | None) -> None:
    (name, argument) = next(iter(declared.items()))
    rows = workshop.rows()
    if rows_wrong:
        column = argument[0].replace(".", "_")
        rows[1][column] = value
    workshop.seal(1, rows)
    broken = failed(workshop.validate(**declared))
    assert list(broken) == [name]
    if rows_wrong:
        assert broken[name].figures[f"wrong_rows_{argument[0].replace('.', '_')}"] == rows_wrong


def test_declared_checks_that_hold(workshop: Any) -> None:
    rows = workshop.rows()
    rows[0]["metrics_conversions"] = None
    workshop.seal(1, rows)
    validation = workshop.validate(
        min_rows=3, not_null=("metrics_clicks",), non_negative=("metrics_conversions",), unique=("campaign.name",)
    )
    assert failed(validation) == {}
    names = [check.name for check in validation.results[0].checks]
    assert names == [*ALL, "min_rows", "not_null", "non_negative", "unique"]


def test_everything_that_is_wrong_is_reported(workshop: Any) -> None:
    rows = [dict(row, segments_date=date(2024, 1, 1), customer_id=7) for row in workshop.rows()]
    rows.append(dict(rows[0]))
    workshop.seal(1, rows, record_count=9)
    broken = failed(workshop.validate(min_rows=5))
    assert list(broken) == ["record_count", "logical_date", "customer", "grain", "min_rows"]
