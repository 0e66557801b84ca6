"""Reads the ledger: the history of a partition, the gaps of a range; and refuses names that nothing knows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from gads_domain.account_days import report_days
from gads_domain.clock import SystemClock
from gads_domain.completeness import Completeness, completeness, expected_at
from gads_domain.documents import members_of, plain
from gads_domain.erasure import in_force, require_none_erased
from gads_domain.errors import UsageError
from gads_domain.gaps import scheduled_reason, with_history
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.ports.ledger import ListsAccounts
from gads_domain.run import RunId
from gads_domain.state import PartitionStatus, StateFilter
from gads_domain.state_row import authority_change_row, state_row
from gads_pipeline.composition import open_ledger_reader, require_sink

if TYPE_CHECKING:
    from gads_domain.account_days import DayRange
    from gads_domain.control import Mark
    from gads_domain.expectations import Expectations
    from gads_domain.gaps import Pair
    from gads_domain.ports.ledger import StateReader
    from gads_domain.state import AuthorityChange, KeyHistory, PrunedRun, RecordedAct, ValidationResult
    from gads_pipeline.configuration import Configuration


@dataclass(frozen=True, slots=True)
class PartitionHistory:
    """A partition's state, marks, validation results, authority changes and operators' acts, oldest first."""

    key: PartitionKey
    history: KeyHistory
    marks: frozenset[Mark]
    authority_changes: tuple[AuthorityChange, ...]
    acts: tuple[RecordedAct, ...]

    def to_document(self) -> dict[str, Any]:
        """The history as JSON."""
        return {
            "version": 5,
            "state": state_row(self.history.state),
            "marks": plain(sorted(self.marks)),
            "revoked": plain(sorted(self.history.revoked)),
            "accepted": plain(sorted(self.history.accepted)),
            "pruned": [_pruned_row(one) for one in self.history.pruned],
            "results": [
                {**_result_row(result), "authority": self.authority_of(result.run_id)}
                for result in self.history.results
            ],
            "authority_changes": [authority_change_row(change) for change in self.authority_changes],
            "acts": [_act_row(act) for act in self.acts],
        }

    def authority_of(self, run_id: RunId) -> str:
        """What the run is now: `authoritative`, `held`, `revoked` or `pruned`; empty if none of these."""
        state = self.history.state
        if run_id in self.history.pruned_runs:
            return "pruned"
        if run_id in self.history.revoked:
            return "revoked"
        return {state.current_run_id: "authoritative", state.held_run_id: "held"}.get(run_id, "")


def history_of(configuration: Configuration, key: PartitionKey) -> PartitionHistory:
    """Read the history of `key`; raises `UsageError` if its account or report is unknown."""
    with open_ledger_reader(configuration) as ledger:
        require_known_keys(configuration, ledger, [key])
        return PartitionHistory(
            key,
            ledger.history(key),
            frozenset(ledger.marks(key)),
            tuple(ledger.authority_changes_of(key)),
            tuple(ledger.acts(key)),
        )


def _result_row(result: ValidationResult) -> dict[str, Any]:
    return {
        **members_of(result, ("run_id", "outcome", "validated_at", "record_count", "schema_version")),
        "reason": None if result.failure is None else str(result.failure),
        "retryable": None if result.failure is None else result.failure.retryable,
        **members_of(result, ("checks", "changes", "confirmed_by", "confirmed_at")),
    }


def changes_text(changes: Mapping[str, Any] | None) -> str:
    """What a restatement changed: rows added, removed and changed, and the sums that differ."""
    if not changes:
        return ""
    signs = (("+", "rows_added"), ("-", "rows_removed"), ("~", "rows_changed"))
    rows = [f"{sign}{changes[name]}" for sign, name in signs if name in changes]
    metrics = changes.get("metrics", {})
    sums = [f"{name} {m['before']}→{m['after']}" for name, m in metrics.items() if m["before"] != m["after"]]
    return ", ".join([" ".join(rows), *sums]).strip(", ")


def _pruned_row(pruned: PrunedRun) -> dict[str, Any]:
    return {
        "run_id": plain(pruned.run_id),
        **{name: plain(getattr(pruned.act, name)) for name in ("at", "actor", "command", "reason")},
        "removed_at": plain(pruned.removed_at),
        "bytes": pruned.freed,
    }


def _act_row(recorded: RecordedAct) -> dict[str, Any]:
    return {
        "kind": recorded.kind,
        **plain(recorded.act),
        "before": recorded.before or recorded.status_before.value,
        "after": recorded.after or recorded.status_after.value,
    }


def find_completeness(
    configuration: Configuration,
    since: date | None,
    until: date | None,
    customers: Sequence[str],
    reports: Sequence[str],
) -> Completeness:
    """What is missing from `since` to `until` of the reports named or else configured; None means no bound.

    The accounts are those named, or else configured, or else those of the list that was last drawn. Raises `UsageError`
    for an account or a report that neither configuration nor ledger knows, and `SinkLostError` where nothing of what is
    authoritative is there.
    """
    require_sink(configuration)
    names = list(dict.fromkeys(reports)) or [section.name for section in configuration.report_sections]
    with open_ledger_reader(configuration) as ledger:
        accounts = tuple(customers) or not_erased(ledger, configuration.google_ads.customer_ids)
        require_known(configuration, ledger, accounts, names)
        return completeness_now(configuration, ledger, accounts, names, since=since, until=until)


def completeness_now(
    configuration: Configuration,
    ledger: StateReader,
    accounts: Sequence[str],
    names: Sequence[str],
    *,
    since: date | None = None,
    until: date | None = None,
    days: Mapping[Pair, DayRange] | None = None,
) -> Completeness:
    """What is missing now of these reports, by what `expected_at` expects; no `accounts` means all expected."""
    expectations = ledger.expectations(GOOGLE_ADS)
    now, limits = SystemClock().now(), configuration.limits
    expected = expected_at(expectations, names, now, limits, since=since, until=until, days=days, customers=accounts)

    def rows(wanted: StateFilter) -> dict[PartitionKey, tuple[PartitionStatus, str]]:
        pending_or_failed = replace(wanted, statuses=(PartitionStatus.PENDING, PartitionStatus.FAILED))
        states = [*ledger.scheduling_states(pending_or_failed), *ledger.scheduling_states(replace(wanted, held=True))]
        return {one.key: (one.status, scheduled_reason(one)) for one in states}

    wanted = StateFilter(GOOGLE_ADS, tuple(accounts), tuple(names), since, until)
    held = [row.key for row in ledger.find(replace(wanted, held=True))]
    found = completeness(expectations, expected, ledger.authoritative_days(wanted).but(held), rows)
    first_kept = first_kept_by(configuration, now)
    kept = with_history(found.gaps, now, lambda gap: first_kept(gap.report, expectations.zone_of(gap.customer_id)))
    return replace(found, gaps=tuple(kept))


def first_kept_by(configuration: Configuration, now: datetime) -> Callable[[str, str], date]:
    """Of a report and a time zone, the first day that the API still has at `now`; of a report not configured all."""
    configured = {section.name: section for section in configuration.report_sections}

    @cache
    def first_kept(report: str, zone: str) -> date:
        section = configured.get(report)
        return date.min if section is None else report_days(configuration.report(section), zone, now).first_kept

    return first_kept


def completeness_document(found: Completeness) -> dict[str, Any]:
    """The answer as JSON."""
    return {
        "answer": found.answer.value,
        "days": found.days,
        "not_due": found.not_due,
        "unknown": found.unknown or None,
        "gaps": gap_rows(found),
    }


def gap_rows(found: Completeness) -> list[dict[str, Any]]:
    """Each range of gaps as JSON, with the name of its account."""
    return [
        {
            **members_of(gap.first, ("customer_id", "report", "status", "reason")),
            "name": found.names.get(gap.first.customer_id, ""),
            "since": plain(gap.first.logical_date),
            **members_of(gap, ("until", "days")),
        }
        for gap in found.gaps
    ]


def account_list(ledger: StateReader) -> Expectations:
    """The account list as last drawn, of which nothing else is looked at."""
    return ledger.account_list(GOOGLE_ADS) if isinstance(ledger, ListsAccounts) else ledger.expectations(GOOGLE_ADS)


def names_of_accounts(ledger: StateReader) -> Mapping[str, str]:
    """The name of each account by its id, as the last list that had it gives it."""
    return {one.customer_id: one.name for one in account_list(ledger).accounts if one.name}


def require_known(
    configuration: Configuration, ledger: StateReader, customers: Iterable[str], reports: Iterable[str]
) -> None:
    """Raise `UsageError` for an account or a report that neither the configuration nor the ledger has.

    Raises `AccountErasedError` for an account that is erased.
    """
    customers = list(customers)
    require_none_erased(ledger.erasures(GOOGLE_ADS), customers)
    configured = {section.name for section in configuration.report_sections}
    for name in dict.fromkeys(reports):
        if name not in configured and name not in (recorded := ledger.reports(GOOGLE_ADS)):
            raise UsageError(
                f"no report is named {name!r} in {configuration.path} or in the ledger",
                hint=f"known reports: {', '.join(sorted({*configured, *recorded}))}",
            )
    named = configuration.google_ads.customer_ids
    for customer_id in dict.fromkeys(customers):
        if (
            customer_id not in named
            and not _has(ledger, customer_id)
            and ledger.expectations(GOOGLE_ADS).account(customer_id) is None
        ):
            raise UsageError(
                f"the ledger has no partition of customer {customer_id}, and {configuration.path} does not name it",
                hint="known customers: " + ", ".join(named[:10])
                if named
                else "`Pipeline.accounts` lists them; accounts.exclude skips one for good",
            )


def require_known_keys(configuration: Configuration, ledger: StateReader, keys: Sequence[PartitionKey]) -> None:
    """As `require_known`, of whole keys."""
    for key in keys:
        if key.source != GOOGLE_ADS:
            raise UsageError(f"{key}: there is no source {key.source!r}", hint=f"write it as {GOOGLE_ADS}/…")
    require_known(configuration, ledger, (key.customer_id for key in keys), (key.report for key in keys))


def not_erased(ledger: StateReader, customer_ids: Sequence[str]) -> tuple[str, ...]:
    """Those of the accounts that are not erased."""
    erased = in_force(ledger.erasures(GOOGLE_ADS))
    return tuple(customer_id for customer_id in customer_ids if customer_id not in erased)


def _has(ledger: StateReader, customer_id: str) -> bool:
    account = StateFilter(source=GOOGLE_ADS, customer_ids=(customer_id,))
    return any(True for _ in ledger.find(account, limit=1)) or any(True for _ in ledger.scheduling_states(account))
