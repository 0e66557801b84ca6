"""`gads-etl demo`: the whole pipeline on a synthetic agency, without credentials."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated

import typer

from gads_etl.printing import Format

_SEED = 7
_ACCOUNTS = 3
_DAYS = (date(2024, 5, 1), date(2024, 5, 14))
_AGENCY_DAYS = (date(2024, 1, 1), date(2024, 12, 31))


def demo(
    dir_: Annotated[Path, typer.Option("--dir", help="Folder of the demo; gets a gads.toml.")] = Path("gads-demo"),
    sink: Annotated[str, typer.Option(help="URL of the raw partitions.")] = "file:raw",
    state: Annotated[str, typer.Option(help="URL of the ledger.")] = "sqlite:state.db",
    format_: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TABLE,
) -> None:
    """Extract 3 accounts, 3 reports, 14 days from a local Google Ads API into DIR, validate them, load a warehouse."""
    from gads_domain.adapters import sink_adapter, warehouse_adapter
    from gads_domain.errors import ConfigurationError
    from gads_emulator import SyntheticAgency
    from gads_etl import template
    from gads_etl.composition import new_run
    from gads_etl.configuration import load_configuration
    from gads_etl.embedded_emulator import synthetic_settings
    from gads_etl.execution import execute_run
    from gads_etl.printing import print_json, say
    from gads_etl.run_report import print_run, run_document
    from gads_etl.run_wish import RunOptions
    from gads_etl.warehouse_access import print_sample, show_sample
    from gads_gaql.catalogue import latest

    path = dir_ / "gads.toml"
    if not path.exists():
        agency = SyntheticAgency(
            synthetic_settings(
                {"seed": _SEED, "accounts": _ACCOUNTS, "first": _AGENCY_DAYS[0], "last": _AGENCY_DAYS[1]}
            )
        )
        text = template.demo(sink, state, latest(), agency.client_ids, _SEED, _AGENCY_DAYS)
        try:
            dir_.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise ConfigurationError(f"cannot write {path}: {error.strerror}", hint="name another --dir") from None
    configuration = load_configuration(path)
    sink_adapter(configuration.storage.sink)  # an extra that is missing is named before anything is extracted
    warehouse_adapter(configuration.warehouse.url)
    options = RunOptions(*_DAYS)
    say("A local Google Ads API is started; the official client talks to it over TLS.")
    result = execute_run(configuration, options, new_run("gads-etl demo"))
    sample = None if result.exit_code else show_sample(configuration)
    if format_ is Format.JSON:
        folder = {"folder": str(dir_.absolute()), "configuration": str(path)}
        print_json({**run_document(result), **folder, "warehouse": sample})
    else:
        print_run(result)
        say("")
        if sample is not None:
            print_sample(sample)
            say("")
        say(f"Everything is in {dir_.absolute()}: sealed partitions, the ledger, tables, and {path.name}. Next:")
        for command in (
            f"state inspect --config {path} --limit 5",
            f"run --config {path} --since 2024-05-01 --until 2024-05-31 --dry-run",
            f"run --config {path} --since 2024-05-15 --until 2024-05-31",
            f"run --config {path} --since 2024-05-01 --until 2024-05-03 --reprocess",
            f"validate --config {path} --recheck",
            f"warehouse load --config {path}",
        ):
            say(f"  gads-etl {command}")
    if result.exit_code:
        raise typer.Exit(int(result.exit_code))
