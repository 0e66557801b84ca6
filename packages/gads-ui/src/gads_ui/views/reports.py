"""The reports: what they ask for, their columns, and what those mean."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from gads_ui.site import Site


def index(site: Site, _request: Request) -> Response:
    """The configured reports, then those that could be configured."""
    configured = {section.name for section in site.pipeline.configuration.report_sections}
    rows = [known.to_row() for known in site.pipeline.reports()]
    commands = [
        site.commands.of("Check the configuration's reports against the API", "check"),
        site.commands.of("List them with their titles", "reports", "list"),
    ]
    values = {
        "ours": [row for row in rows if row["name"] in configured],
        "others": [row for row in rows if row["name"] not in configured],
    }
    return site.page("reports.html", "Reports", "/reports", values, commands)


def show(site: Site, request: Request) -> Response:
    """One report."""
    name = request.path_params["report"]
    known = next((one for one in site.pipeline.reports() if one.report.name == name), None)
    if known is None:
        raise HTTPException(404)
    version, columns = known.columns(site.pipeline.configuration.google_ads.api_version)
    configured = any(section.name == name for section in site.pipeline.configuration.report_sections)
    commands = [site.commands.of("The same on the terminal", "reports", "show", name)]
    if configured:
        commands += [
            site.commands.of("Extract what is missing of it", "run", report=name),
            site.commands.of("List the days that are missing", "state", "gaps", report=name),
        ]
    values = {
        "known": known,
        "facts": known.facts,
        "version": version,
        "columns": columns,
        "configured": configured,
        "cron": site.pipeline.configuration.cron_of(name) if configured else None,
        "due_hours": site.pipeline.configuration.limits.due_of(name).total_seconds() / 3600,
    }
    return site.page("report.html", f"Report {name}", "/reports", values, commands)
