"""Holds the receipt of an erasure to contracts/erasure/v1."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from gads_conformance.ledger.samples import act_of, moment
from gads_domain.erasure import Erasure
from gads_domain.partition_key import GOOGLE_ADS
from gads_pipeline.account_erasure import ErasureReceipt, Kept

CONTRACT = Path(__file__).parents[2] / "contracts" / "erasure" / "v1"
EXAMPLES = sorted((CONTRACT / "examples").glob("*/*.json"))
VALIDATOR = Draft202012Validator(json.loads((CONTRACT / "receipt.schema.json").read_bytes()))
NOTHING = Kept({}, 0, {})


def faults(document: object) -> list[str]:
    """The document passes through JSON, as it does on its way to a reader."""
    return [error.message for error in VALIDATOR.iter_errors(json.loads(json.dumps(document)))]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parts[-2]}/{path.stem}")
def test_an_example_is_what_its_folder_says(path: Path) -> None:
    found = faults(json.loads(path.read_bytes()))
    assert (found == []) == (path.parts[-2] == "valid"), found


def test_the_promises_are_numbered_without_a_gap() -> None:
    text = (CONTRACT / "README.md").read_text(encoding="utf-8")
    numbers = [int(number) for number in re.findall(r"^(\d+)\. ", text, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))


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
    assert (
        faults(ErasureReceipt("1", known, **{"left": NOTHING, "checked_at": moment(3), **options}).to_document()) == []
    )
