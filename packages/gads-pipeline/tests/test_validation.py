from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import pytest

from gads_conformance.ledger.samples import record_one, result_of
from gads_conformance.sink.samples import sample_run, seal
from gads_domain.adapters import ledger_adapter, sink_adapter
from gads_domain.errors import ConfigurationError
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.ledger import ValidatorLedger
from gads_domain.ports.sink import RawSink
from gads_domain.state import StateFilter, ValidationOutcome
from gads_pipeline.validation import keys_to_recheck, sealed_keys

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
    with pytest.raises(ConfigurationError, match="nothing is sealed in the sink") as caught:
        list(keys_to_recheck(sink, ledger, ALL))
    assert caught.value.hint
