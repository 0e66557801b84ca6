"""`gads-etl accounts`: the tree of accounts, and which of them are extracted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from gads_domain.figures import counted
from gads_domain.visible_text import visible
from gads_etl.exit_codes import ExitCode
from gads_etl.options import (
    DEFAULT_FILE,
    ConfigOption,
    DryRunOption,
    YesOption,
    confirm_above,
    customer_id,
    open_pipeline,
)
from gads_terminal.command_group import CommandGroup
from gads_terminal.output import Format, print_json, print_note
from gads_terminal.progress import waiting
from gads_terminal.table import print_rich, print_rows
from gads_terminal.table_options import FormatOption, Table, TableOptions, columns_of

if TYPE_CHECKING:
    from gads_pipeline.account_selection import SelectedAccounts


app = typer.Typer(cls=CommandGroup, invoke_without_command=True, rich_markup_mode=None, add_completion=False)

_EXPECTED = Table("customer_id report since until was")
_ERASED = Table("what #gone #left")
_MANY = 100
"""How many partitions are forgotten without confirmation."""


@app.callback()
def accounts(context: typer.Context, config: ConfigOption = DEFAULT_FILE, format_: FormatOption = Format.TABLE) -> None:
    """Show the tree of accounts: which are extracted, and why not the others.

    The tree begins at the login customer, or at accounts.root. Listing it costs one operation for each manager. The
    exit code is 1 if the API refuses a selected account.
    """
    if context.invoked_subcommand is not None:
        return
    selected = open_pipeline(config).accounts()
    if format_ is Format.JSON:
        print_json(selected.to_document())
    else:
        for tree in _trees(selected):
            print_rich(tree)
        print_note(
            f"{len(selected.accounts):,} of {counted(len(selected.listed), 'account')} are selected"
            + (f", {len(selected.refused):,} of which the API refuses" if selected.refused else "")
        )
    for pattern in selected.unmatched:
        print_note(f"warning: no account matches {pattern!r} of the accounts section")
    if selected.refused or any(account.refusal for account in selected.accounts.values()):
        raise typer.Exit(int(ExitCode.INCOMPLETE))


AccountArgument = Annotated[str, typer.Argument(metavar="ID", callback=customer_id, help="The account.")]
ReasonOption = Annotated[str, typer.Option("--reason", help="Goes on record.")]


@app.command("forget")
def forget(
    customer: AccountArgument,
    reason: ReasonOption,
    options: Annotated[TableOptions, columns_of(_EXPECTED)],
    config: ConfigOption = DEFAULT_FILE,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
) -> None:
    """Expect nothing any more of an account that no list has, such as a mistaken number.

    What is authoritative stays. A list that selects the account makes it expected again.
    """
    pipeline = open_pipeline(config)
    found = pipeline.forget_account(customer, reason, dry_run=True)
    days = sum((one.last_day - one.first_day).days + 1 for one in found if one.last_day is not None)
    if not dry_run:
        confirm_above(_MANY, days, f"{counted(days, 'expected day')} of {customer}", yes)
        pipeline.forget_account(customer, reason)
    rows = [
        dict(zip(_EXPECTED.names, (customer, one.report, one.first_day, one.last_day, one.closed), strict=True))
        for one in found
    ]
    print_rows(_EXPECTED, rows, options, f"expected no more{' (dry run)' if dry_run else ''}:")


@app.command("erase")
def erase(
    customer: AccountArgument,
    reason: ReasonOption,
    options: Annotated[TableOptions, columns_of(_ERASED)],
    config: ConfigOption = DEFAULT_FILE,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
) -> None:
    """Erase all that is kept of an account, for good: raw partitions, rows of the ledger and of the warehouse.

    Runs refuse the account until it is readmitted. Killed at any moment, the same command goes on and ends with the
    receipt.
    """
    pipeline = open_pipeline(config)
    receipt = pipeline.erase_account(customer, reason, dry_run=True)
    if not dry_run:
        confirm_above(0, receipt.left.count, f"all that is kept of {customer}, for good", yes)
        with waiting(f"erasing {customer}"):
            receipt = pipeline.erase_account(customer, reason, progress=print_note)
    title = f"account {customer} {'would be erased; nothing was changed' if dry_run else 'is erased'}:"
    print_rows(_ERASED, receipt.rows(), options, title, document=receipt.to_document())


@app.command("readmit")
def readmit(customer: AccountArgument, reason: ReasonOption, config: ConfigOption = DEFAULT_FILE) -> None:
    """Take an erased account up again: it begins from nothing."""
    print_note(f"readmitted: {open_pipeline(config).readmit_account(customer, reason)}")


def _trees(selected: SelectedAccounts) -> list[Any]:
    """One tree for each account without a manager above it in the list."""
    from rich.tree import Tree

    drawn: dict[str, Any] = {}
    roots = []
    for account in selected.listed:
        above = drawn.get(account.parent_id or "")
        text = visible(selected.described(account))
        if above is None:
            drawn[account.customer_id] = Tree(text)
            roots.append(drawn[account.customer_id])
        else:
            drawn[account.customer_id] = above.add(text)
    return roots
