"""Alerts: which are open, which were resolved, and whether people were notified."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from gads_ui.site import Site

_SHOWN = 200


def show(site: Site, _request: Request) -> Response:
    """The alerts on record."""
    with site.pipeline.activity() as activity:
        alerts = activity.alerts(open_only=False, limit=_SHOWN)
        known = activity.has_activity()
    still_open = sorted((one for one in alerts if one.resolved_at is None), key=lambda one: one.severity)
    values = {
        "open": still_open,
        "resolved": [one for one in alerts if one.resolved_at is not None],
        "known": known,
    }
    commands = [
        site.commands.of("See what asks for attention", "status"),
        site.commands.of("Send a test to each place that is configured", "alerts", "test"),
    ]
    return site.page("alerts.html", "Alerts", "/alerts", values, commands)
