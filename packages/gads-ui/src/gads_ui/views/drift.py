"""Restatement drift: how far the figures of a day still move by its age, which tells how long to wait for them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from gads_domain.clock import SystemClock
from gads_domain.figures import counted
from gads_ui.drawing import Point, line_plot
from gads_ui.site import asked_number

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from gads_domain.standing import Drift
    from gads_ui.site import Site

_DAYS = 60
_MOST_DAYS = 400
_PREFERRED = ("metrics_conversions", "metrics_cost_micros", "metrics_clicks")
_THRESHOLDS = (5.0, 1.0, 0.1)


def show(site: Site, request: Request) -> Response:
    """How figures of a report move."""
    names = [section.name for section in site.pipeline.configuration.report_sections]
    report = request.query_params.get("report", "") or names[0]
    days = asked_number(request, "days", _DAYS, _MOST_DAYS) or 1
    until = SystemClock().now().date()
    since = until - timedelta(days=days)
    found = site.pipeline.restatement_drift(report, since=since, until=until)
    metrics = sorted({one.metric for one in found})
    preferred = next((name for name in _PREFERRED if name in metrics), metrics[0] if metrics else "")
    metric = request.query_params.get("metric", "") or preferred
    ages = sorted((one for one in found if one.metric == metric), key=lambda one: one.age)
    values = {
        "report": report,
        "reports": names if report in names else [report, *names],
        "metric": metric,
        "metrics": metrics if metric in metrics or not metric else [metric, *metrics],
        "days": days,
        "ages": [(one, moved(one), net(one)) for one in ages],
        "plot": _plot(ages, metric) if ages else None,
        "waits": waits(ages),
    }
    commands = [
        site.commands.of("Read these days again now", "run", report=report, since=since, until=until, reprocess=True),
        site.commands.of("See how many days are restated", "reports", "show", report),
    ]
    return site.page("drift.html", f"Restatement of {report}", "/drift", values, commands)


def moved(one: Drift) -> float:
    """By how many per cent sums moved, up or down, of what they were before."""
    return 100 * one.moved / abs(one.before) if one.before else 0.0


def net(one: Drift) -> float:
    """By how many per cent the sum of them changed."""
    return 100 * (one.after - one.before) / abs(one.before) if one.before else 0.0


def waits(ages: Sequence[Drift]) -> list[str]:
    """From which age on restatements moved less than so many per cent, in words."""
    if not ages:
        return []
    said = []
    for threshold in _THRESHOLDS:
        above = [one.age for one in ages if moved(one) >= threshold]
        if not above:
            said.append(f"No restatement of this time moved {threshold:g} % or more.")
        elif max(above) >= ages[-1].age:
            said.append(
                f"At {counted(ages[-1].age, 'day')}, the oldest on record, they still moved {threshold:g} % or more."
            )
            break
        else:
            older = min(one.age for one in ages if one.age > max(above))
            said.append(f"From {counted(older, 'day')} on restatements moved less than {threshold:g} %.")
    return said


def _plot(ages: Sequence[Drift], metric: str) -> object:
    def point(one: Drift, value: float, what: str) -> Point:
        return Point(
            one.age, value, f"{counted(one.age, 'day')} old: {what} {value:.2f} %, {counted(one.partitions, 'day')}"
        )

    lines = [
        ("moved, up or down", [point(one, moved(one), "moved") for one in ages]),
        ("net", [point(one, abs(net(one)), "net") for one in ages]),
    ]
    worst = max(ages, key=moved)
    says = f"How far {metric} moved by the age of the day: most, {moved(worst):.2f} %, at {counted(worst.age, 'day')}."
    return line_plot(lines, says, "age of the day when it was restated, in days", "moved, in per cent")
