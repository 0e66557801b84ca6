"""`gads-etl accounts`: the tree of accounts, and which of them are extracted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gads_etl.options import DEFAULT_FILE, ConfigOption
from gads_etl.printing import Format

if TYPE_CHECKING:
    from gads_domain.account import Account
    from gads_etl.account_selection import SelectedAccounts


def accounts(
    config: ConfigOption = DEFAULT_FILE,
    format_: Annotated[Format, typer.Option("--format", help="A tree for people, or JSON.")] = Format.TABLE,
) -> None:
    """Draw the accounts below the login customer, and say which a run asks for and why not the others."""
    from gads_etl.account_selection import select_accounts
    from gads_etl.composition import api_access
    from gads_etl.configuration import load_configuration
    from gads_etl.printing import print_json, print_rich, say

    configuration = load_configuration(config)
    with api_access(configuration) as access:
        selected = select_accounts(configuration, access, whole_tree=True)
    if format_ is Format.JSON:
        print_json([_document(account, selected) for account in selected.listed])
    else:
        for tree in _trees(selected):
            print_rich(tree)
        say(
            f"{len(selected.accounts):,} of {len(selected.listed):,} accounts are selected"
            + (f", {len(selected.refused):,} of which the API refuses" if selected.refused else "")
        )
    for pattern in selected.unmatched:
        say(f"warning: no account fits {pattern!r} of the accounts section")


def _document(account: Account, selected: SelectedAccounts) -> dict[str, Any]:
    refused = selected.refused.get(account.customer_id)
    reason = account.refusal if refused is None else refused
    return {
        "customer_id": account.customer_id,
        "name": account.name,
        "manager": account.manager,
        "parent_id": account.parent_id,
        "level": account.level,
        "status": account.status.value,
        "currency": account.currency,
        "time_zone": account.time_zone,
        "labels": list(account.labels),
        "hidden": account.hidden,
        "test_account": account.test_account,
        "selected": account.customer_id in selected.accounts,
        "skipped": selected.skipped.get(account.customer_id),
        "refusal": None if reason is None else str(reason),
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
    facts += [mark for mark, there in marks.items() if there]
    refusal = selected.refused.get(account.customer_id) or account.refusal
    if refusal is not None:
        facts.append(f"refused: {refusal.message}")
    if account.customer_id in selected.accounts:
        sign = "✗" if account.customer_id in selected.refused else "✓"
    else:
        sign = "·" if account.manager else "-"
        if not account.manager:
            facts.append(f"left out: {selected.skipped.get(account.customer_id, '')}")
    return f"{sign} " + "  ".join(fact for fact in facts if fact)
