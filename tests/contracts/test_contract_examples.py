"""The examples of contracts with one schema fit it or not, as their folders say; their promises are numbered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gads_testing.contract_documents import ERASURE, EXPECTATIONS, OUTCOME, STATUS, Contract

CONTRACTS = (ERASURE, EXPECTATIONS, OUTCOME, STATUS)
EXAMPLES = [(contract, path) for contract in CONTRACTS for path in contract.examples]


@pytest.mark.parametrize(
    ("contract", "path"), EXAMPLES, ids=["/".join((path.parts[-5], *path.parts[-2:])) for _, path in EXAMPLES]
)
def test_an_example_is_what_its_folder_says(contract: Contract, path: Path) -> None:
    found = contract.faults(json.loads(path.read_bytes()))
    assert (found == []) == (path.parts[-2] == "valid"), found


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda contract: contract.folder.parts[-2])
def test_the_promises_are_numbered_without_a_gap(contract: Contract) -> None:
    numbers = contract.promises()
    assert numbers == list(range(1, len(numbers) + 1))
