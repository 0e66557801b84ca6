from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from gads_conformance.ledger.samples import record_one, result_of
from gads_conformance.sink.samples import sample_facts, sample_run, seal
from gads_domain.adapters import ledger_adapter, sink_adapter
from gads_domain.errors import SinkLostError
from gads_domain.metadata import ColumnSpec, TableSchema
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.ledger import ValidatorLedger
from gads_domain.ports.sink import RawSink
from gads_domain.state import StateFilter, ValidationOutcome
from gads_payload.schema import arrow_schema
from gads_payload.writer import PayloadWriter
from gads_pipeline.configuration import Configuration
from gads_pipeline.validation import keys_to_recheck, sealed_keys, validate

FIRST = date(2024, 5, 1)
ALL = StateFilter()


def key(customer: int, day: int, report: str = "campaign") -> PartitionKey:
    return PartitionKey("google_ads", str(customer), report, FIRST + timedelta(days=day))


@pytest.fixture
def sink(tmp_path: Path) -> RawSink:
    return sink_adapter("file:raw").open_sink("file:raw", tmp_path)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[ValidatorLedger]:
    with ledger_adapter("sqlite:state.db").open_for_validator("sqlite:state.db", tmp_path) as opened:
        yield opened


def test_what_is_sealed_is_looked_at_once_and_in_order(sink: RawSink) -> None:
    for customer, day, run in ((2, 0, 1), (1, 1, 1), (1, 0, 1), (1, 0, 2), (10, 3, 1)):
        seal(sink, key(customer, day), sample_run(run))
    seal(sink, key(1, 0, "keyword"), sample_run())
    found = list(sealed_keys(sink, ALL))
    assert found == sorted(found)
    assert len(found) == 5
    assert list(sealed_keys(sink, StateFilter(customer_ids=("2", "1"), reports=("campaign",)))) == [
        key(1, 0),
        key(1, 1),
        key(2, 0),
    ]
    assert list(sealed_keys(sink, StateFilter(since=FIRST + timedelta(days=1), until=FIRST + timedelta(days=2)))) == [
        key(1, 1)
    ]


def test_a_recheck_misses_what_is_vouched_for_and_gone(sink: RawSink, ledger: ValidatorLedger) -> None:
    for customer, day in ((1, 0), (1, 2), (2, 0)):
        seal(sink, key(customer, day), sample_run())
    for customer, day in ((1, 1), (1, 2), (3, 0)):
        record_one(ledger, result_of(key(customer, day), 1))
    record_one(ledger, result_of(key(4, 0), 1, ValidationOutcome.UNSEALED))
    assert list(keys_to_recheck(sink, ledger, ALL)) == [key(1, 0), key(1, 1), key(1, 2), key(2, 0), key(3, 0)]
    assert list(keys_to_recheck(sink, ledger, StateFilter(customer_ids=("3",)))) == [key(3, 0)]


def test_a_sink_without_anything_withdraws_nothing(sink: RawSink, ledger: ValidatorLedger) -> None:
    assert list(keys_to_recheck(sink, ledger, ALL)) == []
    record_one(ledger, result_of(key(1, 0), 1))
    with pytest.raises(SinkLostError, match="nothing is sealed in the sink") as caught:
        list(keys_to_recheck(sink, ledger, ALL))
    assert caught.value.hint


ADS = """
-- title: Ads
-- kind: snapshot
-- grain: ad_group_ad.ad.id
-- schema_version: 1

SELECT ad_group_ad.ad.id, ad_group_ad.status FROM ad_group_ad
"""


def test_the_grain_that_the_report_declares_is_checked(tmp_path: Path, sink: RawSink) -> None:
    configuration = Configuration.of(
        {
            "storage": {"sink": "file:raw", "state": "sqlite:state.db"},
            "reports": [{"name": "ads", "query": ADS.lstrip()}],
        },
        tmp_path / "gads.toml",
    )
    fields = {"ad_group_ad.ad.id": "int64", "ad_group_ad.status": "string"}
    schema = TableSchema(tuple(ColumnSpec(field.replace(".", "_"), field, kind) for field, kind in fields.items()))
    with sink.open_writer(key(1, 0, "ads"), sample_run()) as writer:
        payload = PayloadWriter(writer, schema)
        payload.write(pa.record_batch([[7, 7], ["ENABLED", "PAUSED"]], schema=arrow_schema(schema)))
        payload.close()
        writer.finalize(replace(sample_facts(2), schema=schema))
    (validation,) = validate(configuration, ALL, recheck=False)
    failure = validation.results[0].failure
    assert failure is not None
    assert "ad_group_ad.ad.id = 7, which differ in ad_group_ad.status (ENABLED, PAUSED)" in failure.message
    assert "add ad_group.id to SELECT and to the grain" in failure.hint
