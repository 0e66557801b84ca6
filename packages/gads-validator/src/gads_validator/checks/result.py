"""How a check says what it found."""

from __future__ import annotations

from gads_domain.state import CheckResult

Figure = int | float | str


def held(name: str, **figures: Figure) -> CheckResult:
    """The check `name` held; `figures` are what it compared."""
    return CheckResult(name, passed=True, figures=figures)


def broken(name: str, detail: str, **figures: Figure) -> CheckResult:
    """The check `name` did not hold; `detail` is one line that says why, the same whenever it is found again."""
    return CheckResult(name, passed=False, detail=detail, figures=figures)
