"""`gads-etl accounts`: the tree of accounts, and which of them are extracted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gads_etl.command_group import CommandGroup
from gads_etl.exit_codes import ExitCode
from gads_etl.options import (
    DEFAULT_FILE,
    ConfigOption,
    DryRunOption,
    FormatOption,
    YesOption,
    confirm_above,
    customer_id,
    open_pipeline,
)
from gads_etl.printing import Format, counted, print_json, print_note, print_rich, print_rows, visible

if TYPE_CHECKING:
    from gads_domain.account import Account
    from gads_pipeline.account_selection import SelectedAccounts


app = typer.Typer(cls=CommandGroup, invoke_without_command=True, rich_markup_mode=None, add_completion=False)

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


@app.command("forget")
def forget(
    customer: Annotated[str, typer.Argument(metavar="ID", callback=customer_id, help="The account.")],
    reason: Annotated[str, typer.Option("--reason", help="Goes on record.")],
    config: ConfigOption = DEFAULT_FILE,
    dry_run: DryRunOption = False,
    yes: YesOption = False,
    format_: FormatOption = Format.TABLE,
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
    names = ("customer_id", "report", "since", "until", "was")
    rows = [
        dict(zip(names, (customer, one.report, one.first_day, one.last_day, one.closed), strict=True)) for one in found
    ]
    print_rows(format_, names, rows, f"expected no more{' (dry run)' if dry_run else ''}:")


def _trees(selected: SelectedAccounts) -> list[Any]:
    """One tree for each account without a manager above it in the list."""
    from rich.tree import Tree

    drawn: dict[str, Any] = {}
    roots = []
    for account in selected.listed:
        above = drawn.get(account.parent_id or "")
        text = _text(account, selected)
        if above is None:
            drawn[account.customer_id] = Tree(text)
            roots.append(drawn[account.customer_id])
        else:
            drawn[account.customer_id] = above.add(text)
    return roots


def _text(account: Account, selected: SelectedAccounts) -> str:
    facts = [account.customer_id, account.name, account.currency, account.time_zone]
    facts += [f"label {label}" for label in account.labels]
    marks: Mapping[str, bool] = {
        "manager": account.manager,
        account.status.value.lower(): account.status.value not in ("ENABLED", "UNKNOWN"),
        "hidden": account.hidden,
        "test account": account.test_account,
    }
    facts += [mark for mark, applies in marks.items() if applies]
    if (refusal := selected.refusal(account)) is not None:
        facts.append(f"refused: {refusal.message}")
    if account.customer_id in selected.accounts:
        sign = "✗" if account.customer_id in selected.refused else "✓"
    else:
        sign = "·" if account.manager else "-"
        if not account.manager:
            facts.append(f"skipped: {selected.skipped.get(account.customer_id, '')}")
    return visible(f"{sign} " + "  ".join(fact for fact in facts if fact))
