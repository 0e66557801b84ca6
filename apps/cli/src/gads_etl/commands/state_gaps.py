"""`gads-etl state gaps`: the days of a range that are not authoritative."""

from __future__ import annotations

from typing import Annotated

import typer

from gads_etl.options import (
    DEFAULT_FILE,
    ConfigOption,
    CustomerOption,
    ReportOption,
    SinceOption,
    UntilOption,
    require_order,
)
from gads_etl.printing import Format


def gaps(
    config: ConfigOption = DEFAULT_FILE,
    since: SinceOption = None,
    until: UntilOption = None,
    customer: CustomerOption = None,
    report: ReportOption = None,
    format_: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TABLE,
) -> None:
    """List the days from --since to --until that are not success, and why; exit code 1 if there are any.

    Of the accounts named, or else configured, or else those that the ledger knows.
    """
    from gads_domain.errors import UsageError
    from gads_domain.gaps import expected_keys, find_gaps, gap_ranges, gap_reason
    from gads_domain.partition_key import GOOGLE_ADS
    from gads_domain.state import StateFilter
    from gads_etl.composition import open_ledger_reader
    from gads_etl.configuration import load_configuration
    from gads_etl.exit_codes import ExitCode
    from gads_etl.known_names import require_known
    from gads_etl.printing import print_json, print_table

    if since is None or until is None:
        raise UsageError("which days?", hint="give --since YYYY-MM-DD and --until YYYY-MM-DD, both included")
    require_order(since, until)
    configuration = load_configuration(config)
    names = list(dict.fromkeys(report or [])) or [section.name for section in configuration.report_sections]
    customers = tuple(customer or ()) or configuration.google_ads.customer_ids
    wanted = StateFilter(GOOGLE_ADS, customers, tuple(names), since, until)
    with open_ledger_reader(configuration) as ledger:
        require_known(configuration, ledger, customers, names)
        known = {state.key: state for state in ledger.scheduling_states(wanted)}
    accounts = customers or {key.customer_id for key in known}
    reasons = {
        key: gap_reason(
            state.status if state.last_tried_at else None,
            state.marks,
            f"{state.failure} (tries: {state.tries})" if state.failure else "",
        )
        for key, state in known.items()
    }
    missing = find_gaps(
        expected_keys(GOOGLE_ADS, accounts, names, since, until),
        {key: state.status for key, state in known.items()},
        reasons,
    )
    found = [
        {
            "customer_id": one.first.customer_id,
            "report": one.first.report,
            "since": one.first.logical_date.isoformat(),
            "until": one.until.isoformat(),
            "days": one.days,
            "status": one.first.status.value,
            "reason": one.first.reason,
        }
        for one in gap_ranges(missing)
    ]
    if format_ is Format.JSON:
        print_json({"days": len(missing), "gaps": found})
    else:
        print_table(
            f"{len(missing):,} days are not success",
            ["account", "report", "since", "until", "#days", "status", "reason"],
            [list(gap.values()) for gap in found],
        )
    if found:
        raise typer.Exit(int(ExitCode.INCOMPLETE))


def add_to(app: typer.Typer) -> None:
    """Put the command under `gads-etl state`."""
    app.command("gaps")(gaps)
