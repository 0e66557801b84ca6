from __future__ import annotations

import pytest

from gads_conformance import LedgerLaws


class TestSqliteLedger(LedgerLaws):
    @pytest.fixture
    def ledger_url(self) -> str:
        return "sqlite:state/ledger.db"
