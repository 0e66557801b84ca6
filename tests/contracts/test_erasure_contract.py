"""Holds the receipt of an erasure to contracts/erasure/v1."""

from __future__ import annotations

from typing import Any

import pytest

from gads_conformance.ledger.samples import act_of, moment
from gads_domain.erasure import Erasure
from gads_domain.partition_key import GOOGLE_ADS
from gads_pipeline.account_erasure import ErasureReceipt, Kept
from gads_testing.contract_documents import ERASURE

NOTHING = Kept({}, 0, {})


@pytest.mark.parametrize(
    ("erasure", "options"),
    [
        ({"cleared_at": moment(1), "ended_at": moment(2), "elsewhere": {"raw_partitions": 3, "raw_bytes": 4}}, {}),
        ({}, {"left": Kept({"attempts": 2}, 1, None), "dry_run": True}),
        (None, {"left": Kept({"attempts": 2}, 1, {"main.campaign": 7}), "dry_run": True}),
    ],
)
def test_a_receipt_fits_the_schema(erasure: dict[str, Any] | None, options: dict[str, Any]) -> None:
    known = None if erasure is None else Erasure(GOOGLE_ADS, "1", act_of(), **erasure)
    receipt = ErasureReceipt("1", known, **{"left": NOTHING, "checked_at": moment(3), **options})
    assert ERASURE.faults(receipt.to_document()) == []
