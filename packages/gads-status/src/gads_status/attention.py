"""What a person has to act on, worst first, each with the command to run next."""

import shlex
from collections.abc import Iterator, Mapping
from datetime import date, timedelta

from gads_domain.activity import Heartbeat, Liveness, Severity
from gads_domain.completeness import Answer
from gads_domain.control import Mark
from gads_domain.figures import ago, clock, counted, days, size
from gads_domain.gaps import NEVER_ATTEMPTED, NO_LONGER_KEPT, RETRY_ORDERED
from gads_domain.state import PartitionStatus
from gads_domain.visible_text import one_line
from gads_status.gap_summary import GapSummary, summed_up
from gads_status.status import Attention, Status

SUNSET_DAYS = 60
"""How long before its end a version of the API asks for attention."""
LAST_DAYS = 7
"""How long before it that is critical."""
LITTLE_SPACE, NO_SPACE = 2 * 1000**3, 256 * 1000**2
"""Bytes free at ledger or sink: below the first it asks for attention, below the second it is critical."""
IDLE = timedelta(hours=26)
"""After how long without a round of any process missing partitions are said to wait for nothing."""
STUCK = timedelta(hours=1)
"""After how long without an advance of its work a process that lives asks for attention."""
STALE_LOAD = timedelta(hours=26)
"""After how long without a load a warehouse that is behind asks for attention."""

_MOST_GAPS = 30
_LONGEST_REASON = 100
"""Of a reason, so that the accounts behind it are on the screen too."""
_LONGEST_TEXT = 500
_FINE = frozenset(("", "done", "stopped", "replan"))
_ACCESS = frozenset(("credentials", "api_version_gone", "storage_credentials"))


def attention_of(status: Status, *, config: str = "", reach: Mapping[str, date] | None = None) -> tuple[Attention, ...]:
    """Everything that a person has to act on, the critical first, from what else `status` says.

    `config` is the path that the commands name, none if empty. `reach` is, of each report, the first day that `serve`
    attempts by itself.
    """
    found = _Findings(status, f" --config {shlex.quote(config)}" if config else "", reach or {})
    every = [*found.storage(), *found.processes(), *found.expectations(), *found.gaps(), *found.idle(), *found.limits()]
    return tuple(sorted(every, key=lambda one: one.severity is not Severity.CRITICAL))


class _Findings:
    def __init__(self, status: Status, config: str, reach: Mapping[str, date]) -> None:
        self._status, self._config, self._reach, self._now = status, config, reach, status.at

    def _of(self, severity: Severity, code: str, subject: str, text: str, command: str = "") -> Attention:
        next_ = f"gads-etl {command}{self._config}" if command else ""
        return Attention(severity, one_line(subject, 100), one_line(text, _LONGEST_TEXT), next_, code)

    def storage(self) -> Iterator[Attention]:
        disk = self._status.disk
        if disk.sink_fault:
            yield self._of(Severity.CRITICAL, "sink", "sink", disk.sink_fault, "check --offline")
        for name, free in (("ledger", disk.ledger_free), ("sink", disk.sink_free)):
            if free is not None and free < LITTLE_SPACE:
                severity = Severity.CRITICAL if free < NO_SPACE else Severity.WARNING
                text = f"{size(free)} are free where the {name} is"
                yield self._of(severity, "disk", name, text, "sink prune --dry-run" if name == "sink" else "")

    def processes(self) -> Iterator[Attention]:
        for beat in self._status.lost_processes:
            is_daemon = beat.subcommand == "serve"
            severity = Severity.CRITICAL if is_daemon else Severity.WARNING
            command = "serve" if is_daemon else ""
            yield self._of(severity, "silent", described(beat), silence(beat, self._status), command)
        for beat in (one.heartbeat for one in self._status.processes if one.state is Liveness.ALIVE):
            if beat.active_at is not None and self._now - beat.active_at > STUCK:
                text = f"it is alive, and its work has not advanced since {clock(beat.active_at, self._now)} UTC"
                yield self._of(Severity.WARNING, "stuck", described(beat), text, "state leases")
        rounds = self._status.rounds
        if rounds and rounds[0].ended not in _FINE:
            last = rounds[0]
            subject = f"round {last.number}"
            when = clock(last.ended_at or last.started_at, self._now)
            text = f"it ended early at {when} UTC: {last.message or last.ended}"
            # A budget that is spent and a rest that the API asks for pass by themselves.
            waits = self._status.budget.left == 0 or bool(self._status.budget.rests)
            severity, command = (Severity.WARNING, "plan") if waits else (Severity.CRITICAL, "check")
            yield self._of(severity, "round", subject, text, command)

    def idle(self) -> Iterator[Attention]:
        rounds = self._status.rounds
        is_idle = not self._is_alive and (not rounds or self._now - rounds[0].started_at > IDLE)
        waits = any(group.status == PartitionStatus.PENDING for group in self._status.gaps)
        if is_idle and waits and not self._status.activity_unknown:
            last_one = (
                f"the last round began {ago(rounds[0].started_at, self._now)}" if rounds else "no round is on record"
            )
            yield self._of(Severity.WARNING, "idle", "nothing runs", f"no process is at work, and {last_one}", "serve")

    @property
    def _is_alive(self) -> bool:
        return any(one.state is Liveness.ALIVE for one in self._status.processes)

    def expectations(self) -> Iterator[Attention]:
        status = self._status
        if status.ledger_id is None:
            text = "there is no ledger: nothing was extracted yet, or it is lost or elsewhere"
            yield self._of(Severity.WARNING, "no_ledger", "ledger", text, "check")
        elif status.unknown and status.unknown != status.disk.sink_fault:
            text = f"it is not known what is expected: {status.unknown}"
            yield self._of(Severity.WARNING, "unknown", "accounts", text, "accounts")

    def gaps(self) -> Iterator[Attention]:
        found = [one for one in summed_up(self._status.gaps) if self._needs_a_person(one)]
        for one in found[:_MOST_GAPS]:
            yield self._of(Severity.WARNING, "gaps", gap_subject(one), self._gap_text(one), gap_command(one))
        if more := found[_MOST_GAPS:]:
            missing = counted(sum(one.partitions for one in more), "partition")
            text = f"{missing} are missing for {len(more):,} more reasons"
            yield self._of(Severity.WARNING, "gaps", "more gaps", text, "state gaps")

    def _needs_a_person(self, one: GapSummary) -> bool:
        if one.status is PartitionStatus.PENDING and one.reason == NEVER_ATTEMPTED:
            return any(group.first < self._reach.get(group.report, group.first) for group in one.groups)
        return one.reason not in (NO_LONGER_KEPT, RETRY_ORDERED)

    def _gap_text(self, one: GapSummary) -> str:
        text = gap_text(one, self._status.names)
        return f"{text}; serve does not go back so far" if one.reason == NEVER_ATTEMPTED else text

    def limits(self) -> Iterator[Attention]:
        budget, warehouse, api = self._status.budget, self._status.warehouse, self._status.api
        if budget.left == 0 and self._status.answer is not Answer.COMPLETE:
            when = (
                ""
                if budget.more_at is None
                else f"; {budget.more:,} are free from {clock(budget.more_at, self._now)} UTC on"
            )
            text = f"all of {budget.limit or 0:,} operations within 24 hours are spent{when}"
            yield self._of(Severity.WARNING, "budget", f"budget {budget.name}", text, "plan")
        if warehouse is not None and warehouse.behind and self._is_stale:
            text = f"it is {counted(warehouse.behind, 'change')} behind the ledger"
            yield self._of(Severity.WARNING, "warehouse", "warehouse", text, "warehouse load")
        if api.days_left is not None and api.days_left <= SUNSET_DAYS:
            severity = Severity.CRITICAL if api.days_left <= LAST_DAYS else Severity.WARNING
            when = f"in {counted(api.days_left, 'day')}" if api.days_left > 0 else "already, or any day now"
            text = f"version {api.version} of the API ends about {api.ends_on}, {when}: raise google_ads.api_version"
            yield self._of(severity, "api_version", "API", text, "check")

    @property
    def _is_stale(self) -> bool:
        loaded = None if self._status.warehouse is None else self._status.warehouse.last_load_at
        return loaded is None or self._now - loaded > STALE_LOAD


def described(beat: Heartbeat) -> str:
    """A process in a few words: `serve on etl-1 (4711)`."""
    return one_line(f"{beat.subcommand} on {beat.host} ({beat.pid})", 60)


def silence(beat: Heartbeat, status: Status) -> str:
    """Since when no heartbeat came, and what the process did then."""
    doing = f"; it was at: {one_line(beat.doing, 100)}" if beat.doing else ""
    return f"no heartbeat since {clock(beat.beat_at, status.at)} UTC, {ago(beat.beat_at, status.at)}{doing}"


def gap_subject(one: GapSummary) -> str:
    """The report, or how many of them."""
    return one.reports[0] if len(one.reports) == 1 else counted(len(one.reports), "report")


def gap_text(one: GapSummary, names: Mapping[str, str]) -> str:
    """How many partitions are what and why, of which accounts and days."""
    state = {PartitionStatus.FAILED: "failed", PartitionStatus.SUCCESS: "held", PartitionStatus.PENDING: "pending"}
    return (
        f"{counted(one.partitions, 'partition')} {state[one.status]}, {days(one.first, one.last)}: "
        f"{one_line(one.reason, _LONGEST_REASON)}; {one.named(names)}"
    )


def gap_command(one: GapSummary) -> str:
    """What to run next about it, without the name of the program."""
    marks = set(one.reason.split("; ")) & set(Mark)
    reports = "".join(f" --report {report}" for report in one.reports) if len(one.reports) <= 3 else ""
    selection = f"{reports} --since {one.first} --until {one.last}"
    if Mark.HELD in marks:
        return f"state release{selection} --dry-run"
    if Mark.TERMINAL in marks:
        return f"state retry{selection} --dry-run"
    if one.code in _ACCESS:
        return "check"
    if one.status is PartitionStatus.PENDING:
        return f"backfill{selection} --dry-run"
    if one.example is not None:
        return f"state history {one.example.first.key}"
    return f"state gaps{selection}"
