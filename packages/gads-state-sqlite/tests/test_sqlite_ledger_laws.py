from __future__ import annotations

from pathlib import Path

import pytest

from gads_conformance.ledger_laws import LedgerLaws


class TestSqliteLedger(LedgerLaws):
    @pytest.fixture
    def base(self, tmp_path: Path) -> Path:
        return tmp_path

    @pytest.fixture
    def ledger_url(self) -> str:
        return "sqlite:state/ledger.db"
