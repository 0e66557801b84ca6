"""`gads-etl check`: is everything there that a run needs?"""

from __future__ import annotations

from typing import Annotated

import typer

from gads_etl.options import DEFAULT_FILE, ConfigOption
from gads_etl.printing import Format


def check(
    config: ConfigOption = DEFAULT_FILE,
    offline: Annotated[bool, typer.Option("--offline", help="Leave the API and its credentials out.")] = False,
    api_version: Annotated[
        list[str] | None,
        typer.Option(metavar="vNN", help="Compare: what a change between the versions given would break, by column."),
    ] = None,
    format_: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TABLE,
) -> None:
    """Check configuration, reports against the API version's fields, sink, ledger and credentials; report all faults.

    Signing in costs one operation of the daily quota; --offline costs none. With --api-version, given once or more,
    only the reports are looked at, in each of those versions, and what a change from one to the next would break.
    """
    from gads_etl.checking import findings, version_findings
    from gads_etl.configuration import load_configuration
    from gads_etl.printing import print_json, print_table

    configuration = load_configuration(config)
    found = list(
        version_findings(configuration, api_version) if api_version else findings(configuration, offline=offline)
    )
    if format_ is Format.JSON:
        print_json([{"subject": f.subject, "ok": f.ok, "message": f.message, "hint": f.hint} for f in found])
    else:
        rows = [[f.subject, "ok" if f.ok else "FAULT", f.message, f.hint] for f in found]
        print_table("", ["subject", "", "finding", "hint"], rows)
    faults = [finding.exit_code for finding in found if not finding.ok]
    if faults:
        raise typer.Exit(int(max(faults)))
