from __future__ import annotations

import pytest

from gads_conformance import AccountListLaws, ActivityLaws, LedgerLaws


class TestSqliteLedger(LedgerLaws, AccountListLaws):
    @pytest.fixture
    def ledger_url(self) -> str:
        return "sqlite:state/ledger.db"


class TestSqliteActivity(ActivityLaws):
    @pytest.fixture
    def ledger_url(self) -> str:
        return "sqlite:state/ledger.db"
