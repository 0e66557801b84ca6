"""`gads-etl sink`: maintenance of the storage of raw partitions."""

from datetime import timedelta
from typing import Annotated

import typer

from gads_domain.documents import members_of
from gads_etl.command_group import group_of_commands
from gads_etl.options import DEFAULT_FILE, ConfigOption, FormatOption, open_pipeline
from gads_etl.printing import Format, counted, print_rows

app = group_of_commands("Maintain the storage of raw partitions.")


@app.command("sweep")
def sweep(
    config: ConfigOption = DEFAULT_FILE,
    older_than_hours: Annotated[float, typer.Option(help="Only what was not touched for this long.")] = 48,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be removed; remove nothing.")] = False,
    format_: FormatOption = Format.TABLE,
) -> None:
    """Remove what killed writers left behind. Nothing that is sealed, or could yet be, is ever touched."""
    swept = open_pipeline(config).sweep_sink(timedelta(hours=older_than_hours), dry_run=dry_run)
    found = [{**members_of(left, ("path", "kind", "since")), "bytes": left.size} for left in swept]
    title = f"{counted(len(found), 'leftover')} {'would be removed' if dry_run else 'removed'}"
    document = {"removed": not dry_run, "leftovers": found}
    columns = ["path", "kind", "since", "#bytes"]
    print_rows(format_, columns, found, title, empty="nothing is left over", document=document)
