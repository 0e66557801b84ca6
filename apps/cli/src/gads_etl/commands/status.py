"""`gads-etl status`: where the ledger stands, on one screen, as JSON, or as a page."""

from pathlib import Path
from typing import Annotated

import typer

from gads_etl.exit_codes import ExitCode
from gads_etl.options import DEFAULT_FILE, ConfigOption, open_pipeline
from gads_status.document import status_document
from gads_status.screen import screen
from gads_terminal.invocation import typed_for
from gads_terminal.output import Format, print_json
from gads_terminal.screen_lines import print_lines, screen_width
from gads_terminal.table_options import FormatOption


def status(
    config: ConfigOption = DEFAULT_FILE,
    format_: FormatOption = Format.TABLE,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Also write it there as a page, in one step.")
    ] = None,
) -> None:
    """Show where the ledger stands: what is complete, what is not and why, and what to do.

    Read-only, and without a call to the API. Exit code 0 if all that is expected is authoritative and nothing critical
    asks for attention, such as a daemon that fell silent; else 1, also where it is not known what is expected.
    """
    found = open_pipeline(config).status()
    if html is not None:
        from gads_status.page import write_page  # the templates' engine, which a screen does without

        write_page(found, html)
    if format_ is Format.JSON:
        print_json(status_document(found))
    else:
        width = screen_width()
        print_lines(screen(found, width, typed_for("gads-etl")), width)
    if not found.is_well:
        raise typer.Exit(int(ExitCode.INCOMPLETE))
