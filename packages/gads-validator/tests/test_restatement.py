"""What a restatement changed is on record of the attempt; the order of rows does not count."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from gads_domain.metadata import ColumnSpec, TableSchema
from gads_payload.schema import arrow_schema
from gads_validator.restatement import differences

SCHEMA = TableSchema(
    (
        ColumnSpec("campaign_name", "campaign.name", "string"),
        ColumnSpec("segments_hour", "segments.hour", "int64"),
        ColumnSpec("metrics_clicks", "metrics.clicks", "int64"),
        ColumnSpec("metrics_cost", "metrics.cost", "double"),
    )
)


def test_equal_rows_in_another_order_move_nothing(workshop: Any) -> None:
    rows = workshop.rows(50)
    workshop.seal(1, rows)
    workshop.validate()
    random.Random(3).shuffle(rows)
    workshop.seal(2, rows)
    validation = workshop.validate()
    assert not validation.changed
    assert validation.after.current_run_id == workshop.run(1)
    assert validation.results[0].changes == {"against_run": str(workshop.run(1)), "equal": True}
    assert workshop.ledger.position() == 1


def test_a_restatement_says_what_it_changed(workshop: Any) -> None:
    workshop.seal(1, workshop.rows(4))
    workshop.validate()
    rows = workshop.rows(6)[1:]
    rows[0]["metrics_clicks"] = 1000
    workshop.seal(2, rows)
    validation = workshop.validate()
    assert validation.after.current_run_id == workshop.run(2)
    expected = {
        "against_run": str(workshop.run(1)),
        "rows_added": 2,
        "rows_removed": 1,
        "rows_changed": 1,
        "metrics": {
            "metrics_clicks": {"before": 60, "after": 1140},
            "metrics_conversions": {"before": 2.0, "after": 2.5},
        },
    }
    assert validation.results[0].changes == expected
    assert workshop.ledger.history(workshop.key()).results[-1].changes == expected


def test_an_older_run_validated_late_restates_nothing(workshop: Any) -> None:
    workshop.seal(2)
    workshop.validate()
    workshop.seal(1, workshop.rows(1))
    assert workshop.validate().results[0].changes is None


def test_a_new_schema_version_is_compared_as_far_as_it_goes(workshop: Any) -> None:
    workshop.seal(1)
    workshop.validate()
    other = TableSchema(tuple(column for column in workshop.schema.columns if column.name != "campaign_name"))
    rows = [{name: value for name, value in row.items() if name != "campaign_name"} for row in workshop.rows(2)]
    workshop.seal(2, rows, schema=other, schema_version=2, payload=workshop.payload(rows, other))
    changes = workshop.validate().results[0].changes
    assert changes["schema"] == ["campaign_name: string -> absent"]
    assert (changes["rows_before"], changes["rows_after"]) == (3, 2)
    assert changes["metrics"]["metrics_clicks"] == {"before": 30, "after": 10}


def test_a_damaged_authority_is_no_reason_to_refuse_its_successor(workshop: Any) -> None:
    workshop.seal(1)
    workshop.validate()
    workshop.payload_path(1).unlink()
    workshop.seal(2, workshop.rows(2))
    validation = workshop.validate()
    assert validation.after.current_run_id == workshop.run(2)
    assert "payload_size" in validation.results[0].changes["not_compared"]


def test_sums_beyond_64_bits_and_beyond_numbers() -> None:
    most = 2**63 - 1
    rows = [
        {"campaign_name": str(n), "segments_hour": n, "metrics_clicks": most, "metrics_cost": float("inf")}
        for n in range(3)
    ]
    table = pa.Table.from_pylist(rows, arrow_schema(SCHEMA))
    metrics = differences(table.slice(0, 0), SCHEMA, table, SCHEMA)["metrics"]
    assert metrics == {
        "metrics_clicks": {"before": 0, "after": 3 * most},
        "metrics_cost": {"before": 0.0, "after": None},
    }


def test_a_metric_that_changed_its_type_is_summed_in_both() -> None:
    other = TableSchema((*SCHEMA.columns[:2], replace(SCHEMA.columns[2], type="double"), SCHEMA.columns[3]))
    row = {"campaign_name": "a", "segments_hour": 1, "metrics_clicks": 3, "metrics_cost": 0.5}
    before = pa.Table.from_pylist([row], arrow_schema(SCHEMA))
    after = pa.Table.from_pylist([row], arrow_schema(other))
    found = differences(before, SCHEMA, after, other)
    assert found["schema"] == ["metrics_clicks: int64 -> double"]
    assert found["metrics"]["metrics_clicks"] == {"before": 3, "after": 3.0}  # type: ignore[index] # it is a dict


def test_a_grain_of_no_columns_is_one_row() -> None:
    schema = TableSchema(SCHEMA.columns[2:])
    one, other = (pa.table({"metrics_clicks": [n], "metrics_cost": [0.5]}) for n in (1, 2))
    assert differences(one, schema, other, schema)["rows_changed"] == 1
    assert differences(one, schema, one, schema)["rows_changed"] == 0
    assert differences(one.slice(0, 0), schema, one, schema)["rows_added"] == 1


GRAINS = st.tuples(st.sampled_from(["a", "b", "", None]), st.sampled_from([0, 1, None]))
METRICS = st.tuples(st.sampled_from([0, 1, -5, None]), st.sampled_from([0.0, -0.0, 1.5, None]))
TABLES = st.dictionaries(GRAINS, METRICS, max_size=9)


@given(before=TABLES, after=TABLES, shuffle=st.randoms())
def test_rows_are_counted_as_a_dictionary_would(before: Any, after: Any, shuffle: random.Random) -> None:
    def table(rows: Any) -> pa.Table:
        listed = [dict(zip([column.name for column in SCHEMA.columns], [*g, *m], strict=True)) for g, m in rows.items()]
        shuffle.shuffle(listed)
        return pa.Table.from_pylist(listed, arrow_schema(SCHEMA))

    found = differences(table(before), SCHEMA, table(after), SCHEMA)
    assert found["rows_added"] == len(after.keys() - before.keys())
    assert found["rows_removed"] == len(before.keys() - after.keys())
    assert found["rows_changed"] == sum(before[key] != after[key] for key in before.keys() & after.keys())
    clicks = {"before": before, "after": after}
    assert found["metrics"]["metrics_clicks"] == {  # type: ignore[index] # it is a dict
        side: sum(clicks_ or 0 for clicks_, _ in rows.values()) for side, rows in clicks.items()
    }
