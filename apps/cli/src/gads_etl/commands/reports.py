"""`gads-etl reports`: which reports there are, and what is in them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gads_etl.command_group import group_of_commands
from gads_etl.configuration_file import DEFAULT_FILE
from gads_etl.printing import Format

if TYPE_CHECKING:
    from gads_domain.report import ReportDefinition

app = group_of_commands("The packaged reports, and your own.")

_NO_BACKFILL = (
    "how things are at the moment of asking: a day on which it was not read is lost, and none can be backfilled"
)

ConfigOption = Annotated[
    Path | None, typer.Option("--config", "-c", help=f"Whose own reports count too. [{DEFAULT_FILE}, if it is there]")
]


@app.callback()
def _group() -> None:
    """The packaged reports, and your own."""


@app.command("list")
def list_(
    config: ConfigOption = None,
    format_: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TABLE,
) -> None:
    """List every report that can be named in gads.toml; your own stand before packaged ones of their name."""
    from gads_etl.printing import print_json, print_table
    from gads_reports.description import resource, versions

    rows = [
        {
            "name": report.name,
            "kind": report.kind.value,
            "title": report.title,
            "resource": resource(report),
            "restatement_days": report.restatement_days if report.kind.has_history else None,
            "versions": versions(report),
            "origin": origin,
        }
        for report, origin in _known(config)
    ]
    if format_ is Format.JSON:
        print_json(rows)
    else:
        heads = ["name", "kind", "title", "resource", "#restatement_days", "versions", "origin"]
        print_table("", heads, ([row[head.removeprefix("#")] for head in heads] for row in rows))


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="The report.")],
    config: ConfigOption = None,
    api_version: Annotated[str | None, typer.Option(metavar="vNN", help="Whose types; the newest if left out.")] = None,
    gaql: Annotated[bool, typer.Option("--gaql", help="Print its text, to begin one of your own with.")] = False,
    format_: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TABLE,
) -> None:
    """Show a report's grain, windows and columns."""
    from gads_domain.errors import UsageError
    from gads_etl.printing import print_json, print_table, say
    from gads_gaql.catalogue import latest, load
    from gads_reports.catalogue import resolve
    from gads_reports.description import describe, resource, versions

    own = [report for report, origin in _known(config) if origin != "packaged"]
    (report,) = resolve([name], own)
    if gaql:
        sys.stdout.write(report.query.rstrip() + "\n")
        return
    version = api_version or report.last_api_version or latest()
    if not report.supports(version):
        raise UsageError(f"report {name} is not there in {version}", hint=f"it is there in {versions(report)}")
    columns = describe(report, load(version))
    facts = {
        "name": report.name,
        "title": report.title,
        "kind": report.kind.value,
        "resource": resource(report),
        "grain": list(report.grain),
        "schema_version": report.schema_version,
        "restatement_days": report.restatement_days,
        "max_days_per_request": report.max_days_per_request,
        "history_days": report.history_days,
        "date_field": report.date_field,
        "row_limit": report.row_limit,
        "versions": versions(report),
    }
    if format_ is Format.JSON:
        members = ("name", "type", "field", "is_metric", "in_grain")
        print_json({**facts, "columns": [{member: getattr(c, member) for member in members} for c in columns]})
        return
    print_table(
        f"{report.name}: {report.title or resource(report)} ({version})",
        ["column", "type", "field", "role"],
        [[c.name, c.type, c.field, "metric" if c.is_metric else "grain" if c.in_grain else ""] for c in columns],
    )
    for fact, value in facts.items():
        if fact not in ("name", "title") and value not in (None, []):
            say(f"{fact}: {', '.join(value) if isinstance(value, list) else value}")
    if not report.kind.has_history:
        say(_NO_BACKFILL)


def _known(config: Path | None) -> list[tuple[ReportDefinition, str]]:
    """Every report with where it comes from, in the order of their names."""
    from gads_etl.configuration import load_configuration
    from gads_reports.catalogue import builtin

    known = {name: (report, "packaged") for name, report in builtin().items()}
    if config is not None or DEFAULT_FILE.exists():
        configuration = load_configuration(config or DEFAULT_FILE)
        for section in configuration.report_sections:
            if section.query is not None or section.file is not None:
                origin = "own, instead of the packaged one" if section.name in known else "own"
                known[section.name] = (configuration.report(section), origin)
    return [known[name] for name in sorted(known)]
