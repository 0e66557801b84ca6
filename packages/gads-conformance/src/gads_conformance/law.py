"""What every suite is made of: the law a test shows, the fixtures a class gives, stories against a model."""

from collections.abc import Iterator
from typing import Any, NoReturn

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test


def law(port: str, *numbers: int) -> pytest.MarkDecorator:
    """Mark a test as one that shows the laws `numbers` in the docstring of the port named `port`."""
    return pytest.mark.law(port, *numbers)


def laws_of(suite: type) -> Iterator[tuple[str, int]]:
    """The port and number of each law that a test of `suite` is marked with."""
    for name in dir(suite):
        for mark in getattr(getattr(suite, name), "pytestmark", ()):
            if mark.name == "law":
                yield from ((mark.args[0], number) for number in mark.args[1:])


def required(meaning: str) -> Any:
    """A fixture that an adapter's class must override; `meaning` says what it is to return."""

    def fixture(self: object, request: pytest.FixtureRequest) -> NoReturn:
        raise NotImplementedError(f"{type(self).__name__} must override the fixture {request.fixturename}: {meaning}")

    return pytest.fixture(fixture)


def quick_and_campaign(*, timeout: int) -> Any:
    """A fixture that gives the suite's `quick`, and its `campaign` to another run of the test in a campaign."""

    def fixture(self: object, request: pytest.FixtureRequest) -> Any:
        return getattr(self, request.param)

    campaign = pytest.param("campaign", marks=[pytest.mark.campaign, pytest.mark.timeout(timeout)])
    return pytest.fixture(fixture, params=["quick", campaign])


def run_stories(machine: type[RuleBasedStateMachine], examples: int, steps: int, *, shrink: bool = True) -> None:
    """Run the machine; raises `AssertionError` for a story in which the adapter differs from the model.

    `shrink` is whether to look for the shortest such story, which can take minutes.
    """
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            report_multiple_bugs=False,
            phases=[Phase.generate, Phase.shrink] if shrink else [Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
