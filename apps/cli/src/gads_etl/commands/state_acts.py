"""`gads-etl state retry | hold | release | mark-terminal | revoke`: what a person decides, on record."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

import typer

from gads_etl.confirming import YesOption
from gads_etl.options import DEFAULT_FILE, ConfigOption, CustomerOption, ReportOption, SinceOption, UntilOption
from gads_etl.printing import Format

KeysArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="KEY…", help="Partitions: source/customer/report/YYYY-MM-DD.", show_default=False),
]
ReasonOption = Annotated[str, typer.Option("--reason", help="Goes on record.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Say which partitions are meant, and change nothing.")]
AllOption = Annotated[bool, typer.Option("--all", help="Every partition to which it applies.")]
FormatOption = Annotated[Format, typer.Option("--format", help="How to print.")]
EventsOption = Annotated[bool, typer.Option("--json-events", help="Events on stderr as JSON lines.")]


_ACTS = {
    "retry": "Move failed partitions back to pending, lift terminal marks; the next run attempts them.",
    "hold": """Attempt nothing of these partitions until they are released.

    With --since and --until also days that were never attempted, of the accounts and reports named or configured.
    """,
    "release": "Lift holds; what was due before is due again.",
    "mark-terminal": "Give partitions up: nothing of them is attempted until `state retry` takes them up again.",
}


def _act(name: str) -> Callable[..., None]:
    """The command of an act that needs nothing but the partitions it is about."""

    def act(
        keys: KeysArgument = None,
        config: ConfigOption = DEFAULT_FILE,
        customer: CustomerOption = None,
        report: ReportOption = None,
        since: SinceOption = None,
        until: UntilOption = None,
        all_: AllOption = False,
        reason: ReasonOption = "",
        dry_run: DryRunOption = False,
        yes: YesOption = False,
        format_: FormatOption = Format.TABLE,
        events: EventsOption = False,
    ) -> None:
        from gads_etl.operating_command import Manner, SelectedDays, operate_on
        from gads_orchestrator.operator_actions import Operation

        chosen = SelectedDays(tuple(keys or ()), tuple(customer or ()), tuple(report or ()), since, until, all_)
        operate_on(Operation(name), config, chosen, reason, Manner(dry_run, yes, format_, events))

    return act


def revoke(
    run: Annotated[str, typer.Option("--run", metavar="RUN_ID", help="The run that turned out wrong.")],
    reason: Annotated[str, typer.Option("--reason", help="Goes on record.")],
    keys: KeysArgument = None,
    config: ConfigOption = DEFAULT_FILE,
    customer: CustomerOption = None,
    report: ReportOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    all_: AllOption = False,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    format_: FormatOption = Format.TABLE,
    events: EventsOption = False,
) -> None:
    """Withdraw a run for good: the newest other good run is believed instead, or without one the day is failed.

    The control plane puts the order on record; the validator carries it out before this ends.
    """
    from gads_domain.run import RunId
    from gads_etl.operating_command import Manner, SelectedDays, operate_on
    from gads_orchestrator.operator_actions import Operation

    chosen = SelectedDays(tuple(keys or ()), tuple(customer or ()), tuple(report or ()), since, until, all_)
    operate_on(Operation.REVOKE, config, chosen, reason, Manner(dry_run, yes, format_, events), RunId(run))


def add_to(app: typer.Typer) -> None:
    """Put the commands under `gads-etl state`."""
    for name, text in _ACTS.items():
        app.command(name, help=text)(_act(name))
    app.command("revoke")(revoke)
