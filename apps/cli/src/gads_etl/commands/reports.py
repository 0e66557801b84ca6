"""`gads-etl reports`: the reports that can be named, and their columns."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gads_domain.errors import UsageError
from gads_etl.options import DEFAULT_FILE, open_pipeline
from gads_terminal.command_group import group_of_commands
from gads_terminal.output import Format, print_note
from gads_terminal.table import print_rows
from gads_terminal.table_options import Table, TableOptions, columns_of

if TYPE_CHECKING:
    from gads_pipeline.reports import KnownReport

app = group_of_commands("The packaged reports, and your own.")

_REPORTS = Table("name kind title -resource -#restatement_days -versions -origin")
_COLUMNS = Table("name type -field is_metric in_grain")
_NO_BACKFILL = "a snapshot report holds how things are when it is extracted: a day that was missed cannot be backfilled"

ConfigOption = Annotated[
    Path | None,
    typer.Option("--config", "-c", help=f"A configuration whose own reports count too. [{DEFAULT_FILE}, if it exists]"),
]


@app.command("list")
def list_(*, config: ConfigOption = None, options: Annotated[TableOptions, columns_of(_REPORTS)]) -> None:
    """List every report that gads.toml can name; your own take the place of packaged ones of the same name."""
    print_rows(_REPORTS, [known.to_row() for known in _known(config)], options)


@app.command("show")
def show(
    name: Annotated[str, typer.Argument(help="The report.")],
    options: Annotated[TableOptions, columns_of(_COLUMNS)],
    config: ConfigOption = None,
    api_version: Annotated[
        str | None, typer.Option(metavar="vNN", help="The version whose types are shown; by default the newest.")
    ] = None,
    gaql: Annotated[bool, typer.Option("--gaql", help="Print its text, to start your own from.")] = False,
) -> None:
    """Show a report's grain, windows and columns."""
    from gads_gaql.catalogue import latest, load
    from gads_reports.catalogue import resolve
    from gads_reports.description import describe, facts_of, versions

    (report,) = resolve([name], [known.report for known in _known(config)])
    if gaql:
        sys.stdout.write(report.query.rstrip() + "\n")
        return
    version = api_version or report.last_api_version or latest()
    if not report.supports(version):
        raise UsageError(f"report {name} does not exist in {version}", hint=f"it exists in {versions(report)}")
    columns = list(map(asdict, describe(report, load(version))))
    facts = facts_of(report)
    title = f"{report.name}: {report.title or facts['resource']} ({version})"
    print_rows(_COLUMNS, columns, options, title, document={**facts, "columns": columns})
    if options.format_ is Format.JSON:
        return
    for fact, value in facts.items():
        if fact not in ("name", "title") and value not in (None, []):
            print_note(f"{fact}: {', '.join(value) if isinstance(value, list) else value}")
    if not report.kind.has_history:
        print_note(_NO_BACKFILL)


def _known(config: Path | None) -> tuple[KnownReport, ...]:
    from gads_pipeline.reports import known_reports

    if config is None and not DEFAULT_FILE.exists():
        return known_reports(None)
    return open_pipeline(config or DEFAULT_FILE).reports()
