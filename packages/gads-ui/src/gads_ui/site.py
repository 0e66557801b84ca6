"""What all views share: the pipeline that they read, the frame of a page, the states with their glyphs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse

from gads_domain.clock import SystemClock
from gads_domain.errors import UsageError
from gads_domain.partition_key import parse_date
from gads_ui.commands import Command, Commands
from gads_ui.rendering import render

if TYPE_CHECKING:
    from starlette.requests import Request

    from gads_pipeline import Pipeline

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


@dataclass(frozen=True, slots=True)
class Site:
    """The pages of one pipeline."""

    pipeline: Pipeline

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
