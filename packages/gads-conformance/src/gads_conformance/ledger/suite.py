"""What an adapter's test class gives to the laws of ledgers, and what each law starts from."""

from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import pytest

from gads_conformance.law import quick_and_campaign, required
from gads_conformance.ledger.samples import everything, record_one
from gads_domain.adapters import LedgerAdapter, ledger_adapter
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.ledger import ControlPlaneLedger, StateReader, ValidatorLedger
from gads_domain.ports.pins import PinLedger
from gads_domain.state import SchemaPin, StateChange, ValidationResult


class LedgerUnderTest:
    """The ledger of one test; each port is opened when it is first used, and closed with the test."""

    def __init__(self, adapter: LedgerAdapter, url: str, base: Path) -> None:
        self.adapter = adapter
        self.url = url
        self.base = base
        self._opened = ExitStack()

    @cached_property
    def reader(self) -> StateReader:
        return self._opened.enter_context(self.open_reader())

    @cached_property
    def validator(self) -> ValidatorLedger:
        return self._opened.enter_context(self.open_for_validator())

    @cached_property
    def control(self) -> ControlPlaneLedger:
        return self._opened.enter_context(self.open_for_control_plane())

    @property
    def all(self) -> tuple[StateReader, ...]:
        """All three, for what each of them has to answer alike."""
        return (self.reader, self.validator, self.control)

    def open_reader(self) -> StateReader:
        return self.adapter.open_reader(self.url, self.base)

    def open_for_validator(self) -> ValidatorLedger:
        return self.adapter.open_for_validator(self.url, self.base)

    def open_for_control_plane(self) -> ControlPlaneLedger:
        return self.adapter.open_for_control_plane(self.url, self.base)

    @cached_property
    def pins(self) -> PinLedger:
        return self._opened.enter_context(self.adapter.open_pins(self.url, self.base))

    def record(self, result: ValidationResult, pin: SchemaPin | None = None) -> StateChange:
        """Record `result` on top of what the ledger holds; it has to succeed."""
        return record_one(self.validator, result, pin)

    def everything(self, keys: list[PartitionKey]) -> object:
        """All that the ledger holds of `keys`, and all authority changes, to be compared before and after."""
        return everything(self.reader, keys)

    def close(self) -> None:
        self._opened.close()


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
    effort = quick_and_campaign(timeout=900)

    ledger_url = required("The URL of a ledger that does not exist yet, which every process of this machine can open.")

    @pytest.fixture
    def base(self, tmp_path: Path) -> Path:
        """The folder that a relative path in `ledger_url` starts from."""
        return tmp_path

    @pytest.fixture
    def adapter(self, ledger_url: str) -> LedgerAdapter:
        """The adapter that opens the ledger; override it to test one that has no entry point."""
        return ledger_adapter(ledger_url)

    @pytest.fixture
    def ledger(self, adapter: LedgerAdapter, ledger_url: str, base: Path) -> Iterator[LedgerUnderTest]:
        with closing(LedgerUnderTest(adapter, ledger_url, base)) as ledger:
            yield ledger
