"""`gads-etl state gaps`: the days of a range that nobody may believe yet."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import TYPE_CHECKING, Annotated, Any

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

if TYPE_CHECKING:
    from gads_domain.control import SchedulingState


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
    by_report: dict[tuple[str, str], dict[date, SchedulingState]] = {}
    with open_ledger_reader(configuration) as ledger:
        require_known(configuration, ledger, customers, names)
        for scheduling in ledger.scheduling_states(wanted):
            by_report.setdefault((scheduling.key.customer_id, scheduling.key.report), {})[
                scheduling.key.logical_date
            ] = scheduling
    accounts = customers or sorted({customer_id for customer_id, _name in by_report})
    found = [
        gap
        for customer_id in accounts
        for name in names
        for gap in _gaps(customer_id, name, by_report.get((customer_id, name), {}), since, until)
    ]
    days = sum(gap["days"] for gap in found)
    if format_ is Format.JSON:
        print_json({"days": days, "gaps": found})
    else:
        print_table(
            f"{days:,} days are not success",
            ["account", "report", "since", "until", "#days", "status", "reason"],
            [list(gap.values()) for gap in found],
        )
    if found:
        raise typer.Exit(int(ExitCode.INCOMPLETE))


def _gaps(
    customer_id: str, report: str, scheduling_states: dict[date, SchedulingState], since: date, until: date
) -> Iterator[dict[str, Any]]:
    """Adjacent days that have one status and one reason."""
    pending: dict[str, Any] | None = None
    for number in range((until - since).days + 1):
        day = since + timedelta(days=number)
        what = _why(scheduling_states.get(day))
        if pending is not None and what == (pending["status"], pending["reason"]):
            pending["until"] = day.isoformat()
            pending["days"] += 1
            continue
        if pending is not None:
            yield pending
        pending = None
        if what is not None:
            names = ("customer_id", "report", "since", "until", "days", "status", "reason")
            pending = dict(zip(names, (customer_id, report, day.isoformat(), day.isoformat(), 1, *what), strict=True))
    if pending is not None:
        yield pending


def _why(scheduling: SchedulingState | None) -> tuple[str, str] | None:
    from gads_domain.control import Mark
    from gads_domain.state import PartitionStatus

    if scheduling is None:
        return PartitionStatus.PENDING.value, "never attempted"
    if scheduling.status is PartitionStatus.SUCCESS:
        return None
    reasons = [mark.value for mark in Mark if mark in scheduling.marks]
    if scheduling.failure is not None:
        reasons.append(f"{scheduling.failure} (tries: {scheduling.tries})")
    elif scheduling.last_tried_at is not None and scheduling.status is PartitionStatus.PENDING:
        reasons.append("a retry is ordered")
    return scheduling.status.value, "; ".join(reasons) or "never attempted"


def add_to(app: typer.Typer) -> None:
    """Put the command under `gads-etl state`."""
    app.command("gaps")(gaps)
