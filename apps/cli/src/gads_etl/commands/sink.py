"""`gads-etl sink`: maintenance of the storage of raw partitions."""

from datetime import timedelta
from typing import Annotated

import typer

from gads_domain.documents import members_of
from gads_domain.figures import counted
from gads_etl.options import DEFAULT_FILE, ConfigOption, DryRunOption, open_pipeline
from gads_etl.signals import interrupted_by_sigterm
from gads_terminal.command_group import group_of_commands
from gads_terminal.progress import Progress, waiting
from gads_terminal.table import print_rows
from gads_terminal.table_options import Table, TableOptions, columns_of

app = group_of_commands("Maintain the storage of raw partitions.")

_LEFTOVERS = Table("path kind ~since #bytes", "nothing is left over")
_PRUNED = Table("report #runs #bytes", "no run is due to go")


@app.command("sweep")
def sweep(
    *,
    config: ConfigOption = DEFAULT_FILE,
    older_than_hours: Annotated[float, typer.Option(help="Only what was not touched for this long.")] = 48,
    dry_run: DryRunOption = False,
    options: Annotated[TableOptions, columns_of(_LEFTOVERS)],
) -> None:
    """Remove what killed writers left behind. Nothing that is sealed, or could yet be, is ever touched."""
    with waiting("looking for what is left over"):
        swept = open_pipeline(config).sweep_sink(timedelta(hours=older_than_hours), dry_run=dry_run)
    found = [{**members_of(left, ("path", "kind", "since")), "bytes": left.size} for left in swept]
    title = f"{counted(len(found), 'leftover')} {'would be removed' if dry_run else 'removed'}"
    document = {"removed": not dry_run, "leftovers": found}
    print_rows(_LEFTOVERS, found, options, title, document=document)


@app.command("prune")
def prune(
    *,
    config: ConfigOption = DEFAULT_FILE,
    dry_run: DryRunOption = False,
    options: Annotated[TableOptions, columns_of(_PRUNED)],
) -> None:
    """Remove runs that were superseded for longer than retention.superseded_days. Interrupted, it may be repeated.

    Never what is authoritative, held, pinned, or what a revocation of a young authority falls back to.
    """
    with interrupted_by_sigterm(), Progress("removing", "run") as progress:
        done = open_pipeline(config).prune_sink(
            dry_run=dry_run, progress=lambda runs, size: progress.at(runs, more=f"{size:,} bytes")
        )
    document = done.to_document()
    title = f"{counted(document['runs'], 'run')} {'would go' if dry_run else 'went'}, {document['bytes']:,} bytes"
    print_rows(_PRUNED, document["reports"], options, title, document=document)
