"""What is wrong at a moment, by the rules of a destination: a pure function of the status and a few facts beside it."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta

from gads_alerts.condition import Condition, Evaluation, some_of
from gads_alerts.deadlines import Overdue
from gads_alerts.restatements import Movement
from gads_alerts.rules import AlertRules, Deadline, Rule
from gads_domain.account_days import LAST_TO_END, zone_named
from gads_domain.activity import Severity
from gads_domain.errors import passing_codes
from gads_domain.expectations import ListedAccount
from gads_domain.figures import days
from gads_domain.partition_key import GOOGLE_ADS
from gads_domain.standing import GapGroup
from gads_domain.state import PartitionStatus
from gads_domain.visible_text import one_line
from gads_status.gap_summary import GapSummary, summed_up
from gads_status.status import Status

_URGENT_SUNSET = timedelta(days=14)
_MUCH_BEHIND = 0.5
"""From which share of a report's accounts on its gaps are critical."""
_FEW_REPORTS = 3
"""How many reports are named one by one."""
_FINE = frozenset({"done", "stopped", "replan"})
"""How rounds end that are not broken off."""
_BROKEN_OFF = timedelta(minutes=30)
_LONG_REST = timedelta(hours=1)
_LEAST_DISK = 500_000_000
"""Bytes below which the next run may not end."""

_A_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the rules look at.

    - `overdue`: for each deadline, what it finds missing. A deadline that is not there could not be looked at.
    - `movements`: how restatements of the last day moved settled figures.
    - `refused`: why the API or the storage refused the credentials last; empty if they took them; None: not known.
    - `changed`: for each report whose columns are others than those on record, which.
    """

    status: Status
    overdue: Mapping[Deadline, tuple[Overdue, ...]] = field(default_factory=dict)
    movements: tuple[Movement, ...] = ()
    refused: str | None = None
    changed: Mapping[str, str] = field(default_factory=dict)


def evaluate(facts: Facts, rules: AlertRules, now: datetime) -> Evaluation:
    """The conditions that `rules` have said of `facts` at `now`, worst first."""
    found = [one for rule in Rule if rule in rules.watch for one in _LOOKS[rule](facts, rules, now)]
    least = [one for one in found if rules.least is Severity.WARNING or one.severity is Severity.CRITICAL]
    return Evaluation.of(least, _unknown(facts, rules))


def _unknown(facts: Facts, rules: AlertRules) -> Iterator[Rule]:
    """The rules that cannot tell now whether what they said still holds."""
    status = facts.status
    if any(deadline not in facts.overdue for deadline in rules.deadlines):
        yield Rule.DEADLINE
    if facts.refused is None:
        yield Rule.CREDENTIALS
    if status.activity_unknown:
        yield Rule.DAEMON
    if status.warehouse is not None and status.warehouse.unknown:
        yield Rule.WAREHOUSE
    if status.disk.ledger_free is None and status.disk.sink_free is None:
        yield Rule.DISK


def _deadlines(facts: Facts, rules: AlertRules, _now: datetime) -> Iterator[Condition]:
    for deadline in rules.deadlines:
        for one in facts.overdue.get(deadline, ()):
            yield Condition(
                Rule.DEADLINE,
                f"{one.report} by {deadline} in {one.zone}",
                Severity.CRITICAL,
                f"{one.report} of {one.day} is not complete by {deadline} in {one.zone}: "
                f"{len(one.accounts):,} of {one.of:,} accounts lack it",
                f"gads-etl state gaps --report {one.report} --since {one.day} --until {one.day}",
                some_of(one.accounts),
            )


def _gaps(facts: Facts, rules: AlertRules, now: datetime) -> Iterator[Condition]:
    status = facts.status
    if status.unknown:
        yield Condition(
            Rule.GAPS,
            "accounts",
            Severity.WARNING,
            f"it is unknown what is expected: {status.unknown}",
            "gads-etl accounts",
        )
    old = [one for one in status.gaps if one.status == PartitionStatus.PENDING and _is_old(one, rules, now)]
    yield from _missing(Rule.GAPS, old, status, "missing")


def _failures(facts: Facts, rules: AlertRules, now: datetime) -> Iterator[Condition]:
    yield from _last_round(facts, now)
    passing, gaps = passing_codes(), facts.status.gaps
    held = [one for one in gaps if one.status == PartitionStatus.SUCCESS]
    failed = [one for one in gaps if one.status == PartitionStatus.FAILED]
    lasting = [one for one in failed if one.code not in passing or _is_old(one, rules, now)]
    yield from _missing(Rule.FAILURES, held, facts.status, "held for a decision")
    yield from _missing(Rule.FAILURES, lasting, facts.status, "failed")


def _last_round(facts: Facts, now: datetime) -> Iterator[Condition]:
    """That the last round was broken off, and none has done better for a while."""
    status = facts.status
    last = next((one for one in status.rounds if one.ended_at is not None), None)
    if last is None or last.ended_at is None or last.ended in _FINE or status.budget.rests:
        return
    if now - last.ended_at >= _BROKEN_OFF:
        text = f"the last round ended early, {_when(last.ended_at)}: {last.message or last.ended}"
        yield Condition(Rule.FAILURES, "rounds", Severity.CRITICAL, text, "gads-etl check")


def _missing(rule: Rule, groups: Iterable[GapGroup], status: Status, what: str) -> Iterator[Condition]:
    """One condition for each code of failure, or reason where nothing failed, of all reports together."""
    by_cause: dict[str, list[GapSummary]] = {}
    for one in summed_up(groups):
        by_cause.setdefault(one.code or one.reason, []).append(one)
    for cause, several in by_cause.items():
        found = replace(several[0], groups=tuple(group for one in several for group in one.groups))
        accounts = max((one.accounts for one in status.reports if one.report in found.reports), default=0)
        is_much = found.accounts > 1 and found.accounts >= accounts * _MUCH_BEHIND and what != "held for a decision"
        partitions = "1 day is" if found.partitions == 1 else f"{found.partitions:,} days are"
        more = "" if len(several) == 1 else ", and others"
        is_few = len(found.reports) <= _FEW_REPORTS
        selection = "".join(f" --report {report}" for report in found.reports) if is_few else ""
        yield Condition(
            rule,
            f"{what}: {cause}",
            Severity.CRITICAL if is_much else Severity.WARNING,
            f"{', '.join(found.reports) if is_few else f'{len(found.reports)} reports'}: {partitions} {what}, "
            f"{days(found.first, found.last)}: {found.reason}{more}",
            f"gads-etl state gaps{selection} --since {found.first} --until {found.last}",
            found.named(status.names),
        )


def _is_old(group: GapGroup, rules: AlertRules, now: datetime) -> bool:
    """Whether its first day ended `rules.gap` ago in every zone."""
    end = datetime.combine(group.first + _A_DAY, time(), zone_named(LAST_TO_END))
    return end + rules.gap <= now


def _budget(facts: Facts, rules: AlertRules, now: datetime) -> Iterator[Condition]:
    budget = facts.status.budget
    if budget.limit and budget.spent >= rules.budget_share * budget.limit:
        is_spent = budget.spent >= budget.limit
        yield Condition(
            Rule.BUDGET,
            "operations",
            Severity.CRITICAL if is_spent else Severity.WARNING,
            f"{budget.spent:,} of {budget.limit:,} operations within 24 hours are spent"
            + ("; nothing more is requested until some are a day old" if is_spent else ""),
            "gads-etl plan",
        )
    # A rest of one account or report is no affair of a person: other calls go on.
    longest = max(
        (rest for rest in budget.rests if not rest.scope.customer_id and not rest.scope.report),
        key=lambda rest: rest.not_before,
        default=None,
    )
    if longest is not None and longest.not_before - now > _LONG_REST:
        yield Condition(
            Rule.BUDGET,
            "rest",
            Severity.WARNING,
            f"the API asks for a rest until {_when(longest.not_before)}: {longest.reason}",
            "gads-etl plan",
        )


def _credentials(facts: Facts, _rules: AlertRules, _now: datetime) -> Iterator[Condition]:
    if facts.refused:
        text = f"the credentials are refused: {facts.refused}"
        yield Condition(Rule.CREDENTIALS, "credentials", Severity.CRITICAL, text, "gads-etl check")


def _daemons(facts: Facts, _rules: AlertRules, _now: datetime) -> Iterator[Condition]:
    for beat in facts.status.lost_processes:
        yield Condition(
            Rule.DAEMON,
            f"{beat.subcommand} on {beat.host}, process {beat.pid}",
            Severity.CRITICAL,
            f"{beat.subcommand} on {beat.host} (pid {beat.pid}) sends no heartbeat since {_when(beat.beat_at)}"
            + (f"; it was at: {beat.doing}" if beat.doing else ""),
            "gads-etl status",
        )


def _restatements(facts: Facts, rules: AlertRules, _now: datetime) -> Iterator[Condition]:
    by_report: dict[str, list[Movement]] = {}
    for one in facts.movements:
        if one.share >= rules.restatement_share:
            by_report.setdefault(one.report, []).append(one)
    for report, found in sorted(by_report.items()):
        most = max(found, key=lambda one: one.share)
        accounts = {one.customer_id for one in found}
        moved = "from 0" if not most.before else f"by {most.share:,.0%}"
        yield Condition(
            Rule.RESTATEMENT,
            report,
            Severity.WARNING,
            f"{report}: {len(found):,} {'day' if len(found) == 1 else 'days'} of {len(accounts):,} "
            f"{'account' if len(accounts) == 1 else 'accounts'} moved by {rules.restatement_share:.0%} or more within "
            f"24 hours; most {most.metric} of {most.day}, {moved} ({most.before:,.0f} to {most.after:,.0f})",
            f"gads-etl state history {GOOGLE_ADS}/{most.customer_id}/{report}/{most.day}",
            some_of(_described(one, facts.status) for one in sorted(accounts)),
        )


def _sunsets(facts: Facts, rules: AlertRules, _now: datetime) -> Iterator[Condition]:
    api = facts.status.api
    if api.ends_on is not None and api.days_left is not None and timedelta(days=api.days_left) <= rules.sunset:
        is_near = timedelta(days=api.days_left) <= _URGENT_SUNSET
        when = f"in {api.days_left} days" if api.days_left > 0 else "already, or any day now"
        yield Condition(
            Rule.SUNSET,
            "api version",
            Severity.CRITICAL if is_near else Severity.WARNING,
            f"{api.version} of the API ends about {api.ends_on}, {when}",
            f"gads-etl check --api-version {api.version}",
        )
    for report, what in sorted(facts.changed.items()):
        yield Condition(
            Rule.SUNSET, f"columns of {report}", Severity.WARNING, one_line(f"{report}: {what}", 300), "gads-etl check"
        )


def _warehouse(facts: Facts, rules: AlertRules, now: datetime) -> Iterator[Condition]:
    found = facts.status.warehouse
    if found is None or not found.behind:
        return
    if found.last_load_at is None or now - found.last_load_at > rules.warehouse:
        since = f"the last load was {_when(found.last_load_at)}" if found.last_load_at else "it was never loaded"
        yield Condition(
            Rule.WAREHOUSE,
            "warehouse",
            Severity.WARNING,
            f"the warehouse is {found.behind:,} changes behind the ledger; {since}",
            "gads-etl warehouse load",
        )


def _disk(facts: Facts, rules: AlertRules, _now: datetime) -> Iterator[Condition]:
    disk = facts.status.disk
    for place, free in (("ledger", disk.ledger_free), ("sink", disk.sink_free)):
        if free is not None and free < rules.disk_bytes:
            yield Condition(
                Rule.DISK,
                place,
                Severity.CRITICAL if free < _LEAST_DISK else Severity.WARNING,
                f"{free / 1e9:,.1f} GB are free where the {place} is",
                "gads-etl sink prune",
            )


_LOOKS: Mapping[Rule, Callable[[Facts, AlertRules, datetime], Iterator[Condition]]] = {
    Rule.DEADLINE: _deadlines,
    Rule.GAPS: _gaps,
    Rule.FAILURES: _failures,
    Rule.BUDGET: _budget,
    Rule.CREDENTIALS: _credentials,
    Rule.DAEMON: _daemons,
    Rule.RESTATEMENT: _restatements,
    Rule.SUNSET: _sunsets,
    Rule.WAREHOUSE: _warehouse,
    Rule.DISK: _disk,
}


def _described(customer_id: str, status: Status) -> str:
    return str(ListedAccount(customer_id, status.names.get(customer_id, "")))


def _when(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
