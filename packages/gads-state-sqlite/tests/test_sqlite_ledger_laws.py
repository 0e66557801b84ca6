from __future__ import annotations

import pytest

from gads_conformance import AccountListLaws, ActivityLaws, LedgerLaws, StandingLaws


class TestSqliteLedger(LedgerLaws, AccountListLaws):
    @pytest.fixture
    def ledger_url(self) -> str:
        return "sqlite:state/ledger.db"


class TestSqliteActivity(ActivityLaws):
    @pytest.fixture
    def ledger_url(self) -> str:
        return "sqlite:state/ledger.db"


class TestSqliteStanding(StandingLaws):
    @pytest.fixture
    def ledger_url(self) -> str:
        return "sqlite:state/ledger.db"
