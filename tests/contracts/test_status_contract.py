"""Holds what a status says as JSON to contracts/status/v1."""

from __future__ import annotations

from gads_status.document import status_document
from gads_testing.contract_documents import STATUS
from gads_testing.statuses import COMPLETE, IN_TROUBLE, LARGE, NO_LEDGER


def test_a_status_of_each_kind_fits_the_schema() -> None:
    for status in (COMPLETE, IN_TROUBLE, LARGE, NO_LEDGER):
        assert STATUS.faults(status_document(status)) == []
