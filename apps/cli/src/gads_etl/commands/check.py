"""`gads-etl check`: whether everything is there that a run needs."""

from dataclasses import replace
from typing import Annotated

import typer

from gads_etl.error_handling import for_operators
from gads_etl.exit_codes import exit_code_of, worst
from gads_etl.options import DEFAULT_FILE, ConfigOption, open_pipeline
from gads_terminal.table import print_rows
from gads_terminal.table_options import Table, TableOptions, columns_of

_FINDINGS = Table("subject ok message hint")


def check(
    *,
    config: ConfigOption = DEFAULT_FILE,
    offline: Annotated[bool, typer.Option("--offline", help="Do not check the API and its credentials.")] = False,
    accounts: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Ask at most this many accounts for themselves (100).")
    ] = None,
    api_version: Annotated[
        list[str] | None,
        typer.Option(metavar="vNN", help="Compare: what a change between the versions given would break, by column."),
    ] = None,
    options: Annotated[TableOptions, columns_of(_FINDINGS)],
) -> None:
    """Check configuration, reports, sink, ledger and API, and list every fault.

    Reports are checked against the fields of the API version. The API is asked as a run would ask it: it lists the
    accounts, answers for each of them (up to --accounts), and validates each report's query for one of them. Each of
    these is one operation of the daily quota, counted in the budget; --offline takes none. With --api-version, given
    once or more, only the reports are checked: in each of those versions, and what a change from one to the next would
    break.
    """
    pipeline = open_pipeline(config)
    found = list(
        pipeline.compare_api_versions(api_version)
        if api_version
        else pipeline.check(offline=offline, most_accounts=accounts)
    )
    rows = [
        {
            "subject": f.subject,
            "ok": f.ok,
            "warning": bool(f.warning),
            "message": f.message,
            "hint": for_operators(f.hint),
        }
        for f in found
    ]
    words = ["WARNING" if f.warning else "ok" if f.ok else "FAULT" for f in found]
    shown = [{**row, "ok": word} for row, word in zip(rows, words, strict=True)]
    table = _FINDINGS if any(row["hint"] for row in rows) else replace(_FINDINGS, columns="subject ok message")
    print_rows(table, shown, options, document=rows)
    if code := worst(exit_code_of(finding.error) for finding in found if finding.error is not None):
        raise typer.Exit(int(code))
