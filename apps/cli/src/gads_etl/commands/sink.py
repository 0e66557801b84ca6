"""`gads-etl sink`: the care of the storage of raw partitions."""

from __future__ import annotations

from typing import Annotated

import typer

from gads_etl.command_group import group_of_commands
from gads_etl.options import DEFAULT_FILE, ConfigOption
from gads_etl.printing import Format

app = group_of_commands("Care for the storage of raw partitions.")


@app.callback()
def _group() -> None:
    """Care for the storage of raw partitions."""


@app.command("sweep")
def sweep(
    config: ConfigOption = DEFAULT_FILE,
    older_than_hours: Annotated[float, typer.Option(help="Only what was last touched before that many hours.")] = 48,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be removed, and remove nothing.")] = False,
    format_: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TABLE,
) -> None:
    """Remove what killed writers left behind. Nothing that is sealed, or could yet be, is ever touched."""
    from datetime import timedelta

    from gads_domain.clock import iso_utc
    from gads_domain.errors import ConfigurationError
    from gads_domain.ports.sink import SweepableSink
    from gads_etl.composition import open_sink
    from gads_etl.configuration import load_configuration
    from gads_etl.printing import print_json, print_table

    configuration = load_configuration(config)
    sink = open_sink(configuration)
    if not isinstance(sink, SweepableSink):
        raise ConfigurationError(
            f"{configuration.storage.sink} cannot be swept", hint="its adapter leaves nothing behind, or cannot tell"
        )
    found = [
        {"path": left.path, "kind": left.kind.value, "since": iso_utc(left.since), "bytes": left.size}
        for left in sink.sweep(timedelta(hours=older_than_hours), dry_run=dry_run)
    ]
    if format_ is Format.JSON:
        print_json({"removed": not dry_run, "leftovers": found})
    else:
        verb = "would be removed" if dry_run else "removed"
        print_table(f"{len(found):,} leftovers {verb}", ["path", "kind", "since", "#bytes"], map(_values, found))


def _values(row: dict[str, str | int | None]) -> list[str | int | None]:
    return list(row.values())
