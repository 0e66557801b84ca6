"""`gads-etl accounts`: the tree of accounts, and which of them are extracted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import typer

from gads_etl.exit_codes import ExitCode
from gads_etl.options import DEFAULT_FILE, ConfigOption, FormatOption, open_pipeline
from gads_etl.printing import Format, counted, print_json, print_note, print_rich

if TYPE_CHECKING:
    from gads_domain.account import Account
    from gads_pipeline.account_selection import SelectedAccounts


def accounts(config: ConfigOption = DEFAULT_FILE, format_: FormatOption = Format.TABLE) -> None:
    """Show the tree of accounts: which are extracted, and why not the others.

    The tree begins at the login customer, or at accounts.root. Listing it costs one operation for each manager. The
    exit code is 1 if the API refuses a selected account.
    """
    selected = open_pipeline(config).accounts()
    if format_ is Format.JSON:
        print_json([_document(account, selected) for account in selected.listed])
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


def _document(account: Account, selected: SelectedAccounts) -> dict[str, Any]:
    refusal = selected.refused.get(account.customer_id) or account.refusal
    return {
        **{name: getattr(account, name) for name in ("customer_id", "name", "manager", "parent_id")},
        "other_parent_ids": list(account.other_parent_ids),
        "level": account.level,
        "status": account.status.value,
        **{name: getattr(account, name) for name in ("currency", "time_zone", "labels", "hidden", "test_account")},
        "selected": account.customer_id in selected.accounts,
        "skipped": selected.skipped.get(account.customer_id),
        "refusal": None if refusal is None else str(refusal),
    }


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
    refusal = selected.refused.get(account.customer_id) or account.refusal
    if refusal is not None:
        facts.append(f"refused: {refusal.message}")
    if account.customer_id in selected.accounts:
        sign = "✗" if account.customer_id in selected.refused else "✓"
    else:
        sign = "·" if account.manager else "-"
        if not account.manager:
            facts.append(f"skipped: {selected.skipped.get(account.customer_id, '')}")
    return f"{sign} " + "  ".join(fact for fact in facts if fact)
