"""Gaps, watermarks and readiness of any state of a ledger are those that counting day by day finds."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import combinations
from pathlib import Path

import pytest

from gads_conformance.ledger.samples import FIRST_DAY, key_of, record_one, result_of
from gads_consumer.consumer import Consumer
from gads_consumer.errors import IncompleteError
from gads_domain.adapters import ledger_adapter, sink_adapter
from gads_domain.ports.ledger import ValidatorLedger
from gads_domain.state import PartitionStatus, ValidationOutcome

CUSTOMERS, DAYS = ["1", "2", "3", "4"], 6
OUTCOMES = (
    ValidationOutcome.PASSED,
    ValidationOutcome.PASSED,
    ValidationOutcome.REJECTED,
    ValidationOutcome.UNSEALED,
    None,
)
URL = "sqlite:ledger.db"


@pytest.fixture(params=range(3))
def ledger(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[ValidatorLedger]:
    """Some accounts and days that went well, went wrong, or were never attempted; the last account always."""
    dice = random.Random(request.param)
    with ledger_adapter(URL).open_for_validator(URL, tmp_path) as opened:
        run = 0
        for customer in CUSTOMERS[:-1]:
            for day in range(DAYS):
                outcome = dice.choice(OUTCOMES)
                if outcome is not None:
                    run += 1
                    record_one(opened, result_of(key_of(int(customer), day), run, outcome))
        record_one(opened, result_of(key_of(9, 0), run + 1))
        yield opened


@pytest.fixture
def consumer(ledger: ValidatorLedger, tmp_path: Path) -> Iterator[Consumer]:
    """What reads it."""
    reader = sink_adapter("file:raw").open_reader("file:raw", tmp_path)
    with Consumer(ledger_adapter(URL).open_reader(URL, tmp_path), reader) as opened:
        yield opened


def _status(ledger: ValidatorLedger, customer: str, day: date) -> PartitionStatus:
    return ledger.get(key_of(int(customer), (day - FIRST_DAY).days)).status


def _unbroken(ledger: ValidatorLedger, customer: str, since: date | None) -> date | None:
    every = [FIRST_DAY + timedelta(days=number) for number in range(DAYS + 2)]
    known = [day for day in every if ledger.get(key_of(int(customer), (day - FIRST_DAY).days)).version]
    day = since or min(known, default=None)
    last = None
    while day is not None and _status(ledger, customer, day) is PartitionStatus.SUCCESS:
        last, day = day, day + timedelta(days=1)
    return last


def test_gaps_and_watermarks_are_what_counting_finds(ledger: ValidatorLedger, consumer: Consumer) -> None:
    last = FIRST_DAY + timedelta(days=DAYS)
    for size in range(1, len(CUSTOMERS) + 1):
        for several in combinations(CUSTOMERS, size):
            for first in (FIRST_DAY, FIRST_DAY + timedelta(days=2)):
                expected = [
                    (customer, day)
                    for customer in several
                    for day in (first + timedelta(days=number) for number in range((last - first).days + 1))
                    if _status(ledger, customer, day) is not PartitionStatus.SUCCESS
                ]
                gaps = consumer.gaps("campaign", since=first, until=last, customers=several)
                assert [(gap.customer_id, gap.logical_date) for gap in gaps] == expected
                assert all(gap.status is _status(ledger, gap.customer_id, gap.logical_date) for gap in gaps)
                ready = consumer.ready("campaign", since=first, day=last, customers=several)
                assert (bool(ready), list(ready.gaps)) == (not expected, gaps)
                marks = [_unbroken(ledger, customer, first) for customer in several]
                mark = min((one for one in marks if one is not None), default=None) if None not in marks else None
                assert consumer.watermark("campaign", since=first, customers=several) == mark
                assert ready.watermarks == {"campaign": mark}
            marks = [_unbroken(ledger, customer, None) for customer in several]
            mark = min((one for one in marks if one is not None), default=None) if None not in marks else None
            assert consumer.watermark("campaign", customers=several) == mark


def test_an_account_that_was_never_attempted_is_a_gap_every_day(ledger: ValidatorLedger, consumer: Consumer) -> None:
    absent = CUSTOMERS[-1]
    gaps = consumer.gaps("campaign", since=FIRST_DAY, until=FIRST_DAY, customers=[absent, "9"])
    assert [(gap.customer_id, gap.status, gap.reason) for gap in gaps] == [
        (absent, PartitionStatus.PENDING, "never asked for")
    ]
    assert consumer.watermark("campaign", customers=["9"]) == FIRST_DAY
    assert consumer.watermark("campaign", customers=["9", absent]) is None


def test_a_reason_of_now_is_not_given_for_then(ledger: ValidatorLedger, consumer: Consumer) -> None:
    then = ledger.position()
    record_one(ledger, result_of(key_of(5), 90, ValidationOutcome.REJECTED))
    asked = {"since": FIRST_DAY, "until": FIRST_DAY, "customers": "5", "complete": True}
    for position, said in ((then, r"is pending \(never attempted\)"), (None, r"is failed \(.*rows_differ")):
        with pytest.raises(IncompleteError, match=said):
            consumer.snapshot("campaign", as_of=position, **asked)  # type: ignore[arg-type]  # options of many types


def test_a_failure_says_why(ledger: ValidatorLedger, consumer: Consumer) -> None:
    gaps = consumer.gaps("campaign", since=FIRST_DAY, until=FIRST_DAY + timedelta(days=DAYS), customers=CUSTOMERS)
    assert all("rows_differ" in gap.reason for gap in gaps if gap.status is PartitionStatus.FAILED)
