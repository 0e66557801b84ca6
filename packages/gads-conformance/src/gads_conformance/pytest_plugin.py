"""The pytest plugin of the suites: their markers, and asserts that show what they compared."""

import pytest

SUITES = ("accounts", "clock", "ledger", "report_source", "sink", "validator", "warehouse")

pytest.register_assert_rewrite(*(f"gads_conformance.{name}" for name in SUITES))


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers of the suites."""
    config.addinivalue_line("markers", "law(port, *numbers): the laws of a port's docstring that the test shows")
    config.addinivalue_line("markers", "campaign: minutes or hours of what depends on chance; run with -m campaign")
