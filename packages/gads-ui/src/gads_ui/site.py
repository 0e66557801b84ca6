"""What all views share: the pipeline that they read, the frame of a page, the states with their glyphs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from threading import Lock
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse

from gads_domain.clock import SystemClock
from gads_domain.errors import UsageError
from gads_domain.partition_key import parse_date
from gads_ui.commands import Command, Commands
from gads_ui.recent import Recent
from gads_ui.rendering import render

if TYPE_CHECKING:
    from starlette.requests import Request

    from gads_domain.standing import DayStanding
    from gads_pipeline import Pipeline
    from gads_status.status import Status

NAVIGATION = (
    ("/", "Overview"),
    ("/calendar", "Calendar"),
    ("/rounds", "Runs"),
    ("/drift", "Restatement"),
    ("/quota", "Quota"),
    ("/reports", "Reports"),
    ("/alerts", "Alerts"),
)
"""The views that every page links, by path."""

GLYPHS = {
    "authoritative": "✓",
    "restated": "↻",
    "unchanged": "=",
    "failed": "✕",
    "held": "‖",
    "pending": "○",
    "not_due": "·",
    "not_expected": " ",
}
"""What stands in a cell beside its colour."""

_KEPT = 60.0
"""Seconds: what is older is not shown."""

STATE_NAMES = {
    "authoritative": "authoritative",
    "restated": "restated lately",
    "unchanged": "unchanged lately",
    "failed": "failed",
    "held": "held",
    "pending": "pending",
    "not_due": "not due yet",
    "not_expected": "not expected",
}
"""What a state is called."""


class Site:
    """The pages of one pipeline. `status` is as of a minute ago at most where it takes long to read.

    `hints` says in the words of commands what a hint of the library says in its own.
    """

    def __init__(self, pipeline: Pipeline, hints: Callable[[str], str] = str) -> None:
        self.pipeline = pipeline
        self._hints = hints
        self.status: Recent[Status] = Recent(pipeline.status, _KEPT)
        self._days: dict[tuple[str, int], Recent[Sequence[DayStanding]]] = {}
        self._one_at_a_time = Lock()

    def days(self, report: str, number: int) -> Sequence[DayStanding]:
        """The last days of a report, of all accounts; of many reports one after the other is computed."""
        self.pipeline.configuration.sections([report])

        def totals() -> Sequence[DayStanding]:
            today = SystemClock().now().date()
            since = today - timedelta(days=number - 1)
            with self._one_at_a_time:
                return self.pipeline.heat_map(report, since, today, groups=1).total

        return self._days.setdefault((report, number), Recent(totals, _KEPT, _KEPT / 2))()

    @property
    def commands(self) -> Commands:
        """The command lines for its configuration."""
        return Commands(self.pipeline.configuration.path)

    def page(
        self,
        template: str,
        title: str,
        here: str,
        values: Mapping[str, Any],
        commands: Sequence[Command] = (),
        status: int = 200,
    ) -> HTMLResponse:
        """A page in its frame; `here` is the path of the view that it belongs to."""
        frame = {
            "title": title,
            "here": here,
            "now": SystemClock().now(),
            "navigation": NAVIGATION,
            "configuration": str(self.pipeline.configuration.path),
            "glyphs": GLYPHS,
            "state_names": STATE_NAMES,
            "commands": commands,
            "hint_of": self._hints,
        }
        return HTMLResponse(render(template, {**frame, **values}), status)


def asked_day(request: Request, name: str) -> date | None:
    """A day among the parameters of a request; raises `InvalidValueError` for what is none."""
    text = request.query_params.get(name, "").strip()
    return parse_date(text) if text else None


def asked_number(request: Request, name: str, default: int, most: int) -> int:
    """A number from 0 on among the parameters of a request; raises `UsageError` for what is none."""
    text = request.query_params.get(name, "").strip()
    if not text:
        return default
    if not (text.isascii() and text.isdecimal()) or len(text) > 18:
        raise UsageError(f"{name} is {text[:40]!r}, which is not a number")
    return min(int(text), most)
