"""The series that a status has: their names, labels and meaning, and how values become text that a scraper reads."""

import math
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime, time

from prometheus_client import Metric
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from gads_domain.visible_text import one_line

PREFIX = "gads_etl_"

LONGEST_LABEL = 80
"""How many characters of a text from outside are the value of a label."""

SERIES: dict[str, tuple[tuple[str, ...], str]] = {
    "build_info": (("version",), "The version of gads-etl that exposes this."),
    "ledger_up": ((), "1 if the ledger could be read; if not, nothing is known of what it holds."),
    "ledger_failure": (("code",), "1 for why it could not be read; absent if it could."),
    "status_timestamp_seconds": ((), "When the ledger was read: a few seconds ago, or when the file was written."),
    "status_duration_seconds": ((), "How long reading it took."),
    "answer": (("answer",), "1 for whether all that is expected and due is authoritative."),
    "expectation_known": ((), "1 if it is known what is expected."),
    "attention": (("severity",), "What a person has to act on."),
    "missing_partitions": (
        ("report",),
        "Partitions that are due and not authoritative; NaN where none is known of and it is unknown what is expected.",
    ),
    "partitions": (
        ("report", "status"),
        "Partitions that are expected; held: rows vanished on a restatement, and a person decides.",
    ),
    "complete_up_to_timestamp_seconds": (
        ("report",),
        "00:00 UTC of the last day up to which nothing is missing; absent where the first day is.",
    ),
    "complete_up_to_known": (("report",), "1 if there is a day up to which nothing is missing."),
    "first_gap_timestamp_seconds": (("report",), "00:00 UTC of the earliest day that is due and missing."),
    "next_due_timestamp_seconds": (("report",), "When the next day is due."),
    "accounts_due": (("report",), "Accounts of which a day is expected and due."),
    "accounts_behind": (("report",), "Accounts of which a day is due and missing."),
    "gap_partitions": (
        ("report", "status", "code"),
        "Partitions that are due and missing, by the code of the failure; the largest numbers.",
    ),
    "gap_accounts": (
        ("report", "status", "code"),
        "Accounts that miss them; one that misses days for several reasons counts for each.",
    ),
    "gap_example_partitions": (
        ("report", "status", "code", "customer_id", "account"),
        "Adjacent days that an account misses: a few examples of each reason, the worst reasons first.",
    ),
    "gap_partitions_omitted": ((), "Partitions that are due and missing and in no series of gap_partitions."),
    "accounts": (("state",), "Accounts of the list that was last drawn."),
    "account_list_timestamp_seconds": ((), "When the list of accounts was last drawn."),
    "quota_used_operations": ((), "Operations of the API that count in the budget of 24 hours."),
    "quota_limit_operations": ((), "Operations that may be spent in any 24 hours; absent without a limit."),
    "quota_due_operations": ((), "Operations that all that is due now costs at most; absent if not known."),
    "quota_due_known": ((), "1 if it is known what that costs."),
    "quota_daily_operations": (
        (),
        "Operations that new days and restatements cost a day at most; absent if not known.",
    ),
    "rests": ((), "Rests of calls that the API asked for and that are not over."),
    "warehouse_known": ((), "1 if it is known where the warehouse stands; absent if none was ever loaded."),
    "warehouse_behind_changes": ((), "Changes of the ledger that are not loaded."),
    "warehouse_last_load_timestamp_seconds": ((), "When the warehouse was last loaded."),
    "ledger_size_bytes": ((), "What the ledger takes on disk; absent if not known."),
    "ledger_free_bytes": ((), "What is free where the ledger is; absent if not known."),
    "sink_free_bytes": ((), "What is free at the sink; absent if not known."),
    "api_version_end_timestamp_seconds": (("version",), "00:00 UTC of the day on which Google ends this version."),
    "api_version_end_known": (("version",), "1 if it is published when this version ends."),
    "activity_known": ((), "1 if the ledger records heartbeats, rounds and alerts."),
    "processes": (("command", "state"), "Processes that are alive, and silent ones whose place none has taken."),
    "process_heartbeat_timestamp_seconds": (("process", "command"), "When the process last said that it is alive."),
    "process_heartbeat_interval_seconds": (("process", "command"), "After how long it says so again."),
    "process_active_timestamp_seconds": (("process", "command"), "When its work last advanced; absent before it does."),
    "rounds_total": ((), "Rounds that were begun on this ledger; a round is one execution of a plan."),
    "last_round_start_timestamp_seconds": ((), "When the last round began."),
    "last_round_end_timestamp_seconds": ((), "When the last round that has ended did."),
    "last_round_partitions": (("outcome",), "Partitions of the last round that has ended."),
    "last_success_timestamp_seconds": ((), "When a round last did all of its plan."),
    "last_success_known": ((), "1 if one of the last rounds did."),
    "alerts_open": (("rule", "severity"), "Alerts that are open."),
}
"""By its name without the prefix, the labels and the meaning of each."""

Value = float | date | datetime | None
Sample = tuple[str, Value, *tuple[str, ...]]
"""A name of `SERIES`, the value, and those of the labels; None is not known, and absent."""

_MIDNIGHT = time(tzinfo=UTC)


def families(samples: Iterable[Sample]) -> Iterator[Metric]:
    """The samples, those of a name together; of two that only differ in what a label leaves out the first counts."""
    found: dict[str, GaugeMetricFamily | CounterMetricFamily] = {}
    taken: set[tuple[str, ...]] = set()
    for name, value, *texts in samples:
        of = [one_line(text, LONGEST_LABEL) for text in texts]
        if value is None or (name, *of) in taken:
            continue
        taken.add((name, *of))
        if name not in found:
            labels, meaning = SERIES[name]
            kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            found[name] = kind(PREFIX + name, meaning, labels=labels)
        found[name].add_metric(of, _number(value))
    yield from found.values()


def _number(value: float | date | datetime) -> float:
    if isinstance(value, datetime):
        return value.timestamp()
    return datetime.combine(value, _MIDNIGHT).timestamp() if isinstance(value, date) else float(value)


UNKNOWN = math.nan
"""A number that is not known, where a series that is absent would be taken for one that is well."""
