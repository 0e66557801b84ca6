"""Whether the names that were typed are any that there are: a slip of the pen must not silently match nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from gads_domain.errors import UsageError
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.state import StateFilter

if TYPE_CHECKING:
    from gads_domain.ports.ledger import StateReader
    from gads_etl.configuration import Configuration


def require_known(
    configuration: Configuration, ledger: StateReader, customers: Iterable[str], reports: Iterable[str]
) -> None:
    """Raise `UsageError` for an account or a report that neither the configuration nor the ledger has."""
    configured = {section.name for section in configuration.report_sections}
    for name in dict.fromkeys(reports):
        if name not in configured and name not in (judged := ledger.reports(GOOGLE_ADS)):
            raise UsageError(
                f"no report is named {name!r} in {configuration.path} or in the ledger",
                hint=f"reports there: {', '.join(sorted({*configured, *judged}))}",
            )
    named = configuration.google_ads.customer_ids
    for customer_id in dict.fromkeys(customers):
        if customer_id not in named and not _has(ledger, customer_id):
            raise UsageError(
                f"the ledger has nothing of customer {customer_id}, and {configuration.path} does not name it",
                hint="name one that is there: " + ", ".join(named[:10])
                if named
                else "gads-etl accounts lists them; accounts.exclude leaves one out that was never asked",
            )


def require_known_keys(configuration: Configuration, ledger: StateReader, keys: Iterable[PartitionKey]) -> None:
    """As `require_known`, of whole keys."""
    chosen = list(keys)
    for key in chosen:
        if key.source != GOOGLE_ADS:
            raise UsageError(f"{key}: there is no source {key.source!r}", hint=f"write it as {GOOGLE_ADS}/…")
    require_known(configuration, ledger, (key.customer_id for key in chosen), (key.report for key in chosen))


def _has(ledger: StateReader, customer_id: str) -> bool:
    """Whether any partition of the account has a row or a mark."""
    account = StateFilter(source=GOOGLE_ADS, customer_ids=(customer_id,))
    return any(True for _ in ledger.find(account, limit=1)) or any(True for _ in ledger.scheduling_states(account))
