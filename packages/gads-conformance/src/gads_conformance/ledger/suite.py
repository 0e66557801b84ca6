"""What an adapter's test class gives to the laws of ledgers, and what each law starts from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from gads_conformance.law import absent, quick_and_campaign
from gads_domain.adapters import LedgerAdapter, ledger_adapter
from gads_domain.ports.ledger import ControlPlaneLedger, StateReader, ValidatorLedger


@dataclass(frozen=True)
class Backend:
    """The ledger of one test, which its adapter opens."""

    adapter: LedgerAdapter
    url: str
    base: Path

    def open_reader(self) -> StateReader:
        """Open the ledger for reading."""
        return self.adapter.open_reader(self.url, self.base)

    def open_for_validator(self) -> ValidatorLedger:
        """Open the ledger as the validator does."""
        return self.adapter.open_for_validator(self.url, self.base)

    def open_for_control_plane(self) -> ControlPlaneLedger:
        """Open the ledger as the control plane does."""
        return self.adapter.open_for_control_plane(self.url, self.base)


@dataclass(frozen=True)
class Effort:
    """How often the suite repeats what depends on chance."""

    competing_rounds: int = 10
    writers: int = 3
    written_rounds: int = 10
    kills: int = 3
    examples: int = 25
    steps: int = 15


class LedgerSuite:
    """The fixtures of the laws. An adapter's class overrides `ledger_url`, and `base` if it needs to."""

    quick: ClassVar[Effort] = Effort()
    campaign: ClassVar[Effort] = Effort(60, 4, 300, 60, 150, 60)

    @pytest.fixture
    def ledger_url(self) -> str:
        """The URL of a ledger that does not exist yet, which every process of this machine can open."""
        absent(self, "ledger_url")

    @pytest.fixture
    def base(self, tmp_path: Path) -> Path:
        """The folder that a relative path in `ledger_url` starts from."""
        return tmp_path

    @pytest.fixture
    def adapter(self, ledger_url: str) -> LedgerAdapter:
        """The adapter that opens the ledger; override it to test one that has no entry point."""
        return ledger_adapter(ledger_url)

    @pytest.fixture
    def backend(self, adapter: LedgerAdapter, ledger_url: str, base: Path) -> Backend:
        """The ledger, not opened yet."""
        return Backend(adapter, ledger_url, base)

    @pytest.fixture
    def validator(self, backend: Backend) -> Iterator[ValidatorLedger]:
        """The ledger as the validator has it."""
        with backend.open_for_validator() as ledger:
            yield ledger

    @pytest.fixture
    def control(self, backend: Backend) -> Iterator[ControlPlaneLedger]:
        """The ledger as the control plane has it."""
        with backend.open_for_control_plane() as ledger:
            yield ledger

    @pytest.fixture
    def reader(self, backend: Backend) -> Iterator[StateReader]:
        """The ledger as any reader has it."""
        with backend.open_reader() as ledger:
            yield ledger

    @pytest.fixture(params=quick_and_campaign(timeout=900))
    def effort(self, request: pytest.FixtureRequest) -> Effort:
        """How much is repeated in this test."""
        return self.campaign if request.param == "campaign" else self.quick
