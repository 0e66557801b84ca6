"""What every law of the ledger starts from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gads_domain.adapters import LedgerAdapter, ledger_adapter
from gads_domain.ports.ledger import ControlPlaneLedger, StateReader, ValidatorLedger


class LedgerSuite:
    """What each law starts from. A subclass gives `ledger_url` and `base`."""

    @pytest.fixture
    def adapter(self, ledger_url: str) -> LedgerAdapter:
        """What opens the ledger; override it to test something that has no entry point."""
        return ledger_adapter(ledger_url)

    @pytest.fixture
    def validator(self, adapter: LedgerAdapter, ledger_url: str, base: Path) -> Iterator[ValidatorLedger]:
        """The ledger in the validator's hands."""
        with adapter.open_for_validator(ledger_url, base) as ledger:
            yield ledger

    @pytest.fixture
    def control_plane(self, adapter: LedgerAdapter, ledger_url: str, base: Path) -> Iterator[ControlPlaneLedger]:
        """The ledger in the control plane's hands."""
        with adapter.open_for_control_plane(ledger_url, base) as ledger:
            yield ledger

    @pytest.fixture
    def reader(self, adapter: LedgerAdapter, ledger_url: str, base: Path) -> Iterator[StateReader]:
        """The ledger in anybody's hands."""
        with adapter.open_reader(ledger_url, base) as ledger:
            yield ledger
