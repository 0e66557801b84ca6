"""The laws of the ledger's three ports; a backend's tests subclass `LedgerLaws`.

The subclass gives two fixtures: `ledger_url`, the URL of a ledger that does not exist yet, and `base`, the folder from
which a relative path in it is taken. The backend has to be installed, since other processes open it by its URL.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from gads_conformance.ledger_authority_laws import ControlPlaneLedgerLaws, ValidatorLedgerLaws
from gads_conformance.ledger_control_laws import ControlPlaneLeaseLaws, ControlPlaneMarkLaws
from gads_conformance.ledger_machine import check_against_model
from gads_conformance.ledger_races import LedgerRaceLaws
from gads_conformance.ledger_reader_laws import StateReaderLaws
from gads_conformance.ledger_suite import LedgerSuite
from gads_conformance.ledger_time_travel_laws import TimeTravelLaws
from gads_domain.adapters import LedgerAdapter


class LedgerModelLaws(LedgerSuite):
    """Any story, told through two connections, against a model of the laws."""

    def test_any_story_agrees_with_the_model(self, adapter: LedgerAdapter, ledger_url: str, base: Path) -> None:
        """Short stories, on every run of the suite."""
        check_against_model(adapter, ledger_url, base, examples=25, steps=15)

    @pytest.mark.campaign
    @pytest.mark.timeout(900)
    def test_many_long_stories_agree_with_the_model(self, adapter: LedgerAdapter, ledger_url: str, base: Path) -> None:
        """The same, for a minute."""
        check_against_model(adapter, ledger_url, base, examples=150, steps=60)


class LedgerLaws(
    StateReaderLaws,
    TimeTravelLaws,
    ValidatorLedgerLaws,
    ControlPlaneLedgerLaws,
    ControlPlaneMarkLaws,
    ControlPlaneLeaseLaws,
    LedgerModelLaws,
    LedgerRaceLaws,
):
    """Every law of the ledger."""
