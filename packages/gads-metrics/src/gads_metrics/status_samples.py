"""What a status says, as samples."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from gads_domain.activity import Liveness, Severity
from gads_domain.completeness import Answer
from gads_domain.state import PartitionStatus
from gads_metrics.series import UNKNOWN, Sample
from gads_status.status import Status

MOST_GAPS = 100
"""How many series say what is missing by report, status and code of failure."""

MOST_EXAMPLES = 50
"""How many series name an account."""

MOST_PROCESSES = 20
"""Of how many processes there is a heartbeat."""

MOST_ALERT_RULES = 30
"""Of how many rules the open alerts are counted; those of the others together."""

OTHER = "other"
"""The value of a label in place of all those that have no series of their own."""

_DID_ALL = frozenset({"done", "replan"})


def status_samples(status: Status) -> Iterator[Sample]:
    """All that it says; what it does not know is absent or `UNKNOWN`, and a gauge that ends in `_known` is 0."""
    for answer in Answer:
        yield "answer", status.answer is answer, answer.value
    yield "expectation_known", not status.unknown
    for severity in Severity:
        yield "attention", sum(one.severity is severity for one in status.attention), severity.value
    yield from _reports(status)
    yield from _gaps(status)
    for state in ("listed", "selected", "erased"):
        yield "accounts", getattr(status.accounts, state), state
    yield "account_list_timestamp_seconds", status.accounts.drawn_at
    yield from _budget_and_what_follows(status)
    yield "activity_known", not status.activity_unknown
    if not status.activity_unknown:
        yield from _processes(status)
        yield from _rounds(status)
        yield from _alerts(status)


def _reports(status: Status) -> Iterator[Sample]:
    for one in status.reports:
        yield "missing_partitions", UNKNOWN if status.unknown and not one.missing else one.missing, one.report
        for state in ("authoritative", "failed", "held", "pending", "not_due"):
            yield "partitions", getattr(one, state), one.report, state
        yield "complete_up_to_timestamp_seconds", one.complete_up_to, one.report
        yield "complete_up_to_known", one.complete_up_to is not None, one.report
        yield "first_gap_timestamp_seconds", one.first_gap, one.report
        yield "accounts_due", one.accounts, one.report
        yield "accounts_behind", one.accounts_behind, one.report
    nearest: dict[str, datetime] = {}
    for due in status.next_due:
        nearest[due.report] = min(due.at, nearest.get(due.report, due.at))
    for report, at in nearest.items():
        yield "next_due_timestamp_seconds", at, report


def _gaps(status: Status) -> Iterator[Sample]:
    partitions: Counter[tuple[str, str, str]] = Counter()
    accounts: Counter[tuple[str, str, str]] = Counter()
    examples: list[Sample] = []
    for group in status.gaps:
        state = "held" if group.status is PartitionStatus.SUCCESS else group.status.value
        of = group.report, state, group.code or "none"
        partitions[of] += group.partitions
        accounts[of] += group.accounts
        for gap in group.examples:
            number = gap.first.customer_id
            examples.append(("gap_example_partitions", gap.days, *of, number, status.names.get(number, "")))
    shown = partitions.most_common(MOST_GAPS)
    for of, count in shown:
        yield "gap_partitions", count, *of
        yield "gap_accounts", accounts[of], *of
    yield "gap_partitions_omitted", partitions.total() - sum(count for _, count in shown)
    yield from examples[:MOST_EXAMPLES]


def _budget_and_what_follows(status: Status) -> Iterator[Sample]:
    budget, warehouse, disk, api = status.budget, status.warehouse, status.disk, status.api
    yield "quota_used_operations", budget.spent
    yield "quota_limit_operations", budget.limit
    yield "quota_due_operations", budget.forecast
    yield "quota_due_known", budget.forecast is not None
    yield "quota_daily_operations", budget.daily
    yield "rests", len(budget.rests)
    if warehouse is not None:
        yield "warehouse_known", not warehouse.unknown
        yield "warehouse_behind_changes", warehouse.behind
        yield "warehouse_last_load_timestamp_seconds", warehouse.last_load_at
    yield "ledger_size_bytes", disk.ledger_bytes
    yield "ledger_free_bytes", disk.ledger_free
    yield "sink_free_bytes", disk.sink_free
    yield "api_version_end_timestamp_seconds", api.ends_on, api.version
    yield "api_version_end_known", api.ends_on is not None, api.version


def _processes(status: Status) -> Iterator[Sample]:
    shown = [one for one in status.processes if one.lost or one.state is Liveness.ALIVE]
    counts = Counter((one.heartbeat.subcommand, "silent" if one.lost else "alive") for one in shown)
    for command in sorted({"serve", *(one.heartbeat.subcommand for one in shown)}):
        for state in ("alive", "silent"):
            yield "processes", counts[command, state], command, state
    for beat in [one.heartbeat for one in shown][:MOST_PROCESSES]:
        of = beat.process, beat.subcommand
        yield "process_heartbeat_timestamp_seconds", beat.beat_at, *of
        yield "process_heartbeat_interval_seconds", beat.interval.total_seconds(), *of
        yield "process_active_timestamp_seconds", beat.active_at, *of


def _rounds(status: Status) -> Iterator[Sample]:
    ended = [one for one in status.rounds if one.ended_at is not None]
    well = [one.ended_at for one in ended if one.ended in _DID_ALL]
    yield "rounds_total", max((one.number for one in status.rounds), default=0)
    yield "last_round_start_timestamp_seconds", max((one.started_at for one in status.rounds), default=None)
    yield "last_success_timestamp_seconds", well[0] if well else None
    yield "last_success_known", bool(well)
    for last in ended[:1]:
        yield "last_round_end_timestamp_seconds", last.ended_at
        for outcome in ("planned", "succeeded", "unchanged", "failed"):
            yield "last_round_partitions", getattr(last, outcome), outcome


def _alerts(status: Status) -> Iterator[Sample]:
    rules = Counter(one.rule for one in status.alerts)
    named = {rule for rule, _ in rules.most_common(MOST_ALERT_RULES)}
    counts = Counter((one.rule if one.rule in named else OTHER, one.severity.value) for one in status.alerts)
    for of, count in counts.items():
        yield "alerts_open", count, *of
