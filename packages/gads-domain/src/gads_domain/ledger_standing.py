"""How things stand, of any ledger: what `gads_domain.completeness` finds, counted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, timedelta
from functools import cached_property
from types import TracebackType
from typing import Self

from gads_domain.account_days import DayRange
from gads_domain.completeness import Completeness, Expected, completeness, expected_at
from gads_domain.day_ranges import DayRanges, common, each_day, number_of, of_days, without
from gads_domain.expectations import Expectations, ListedAccount
from gads_domain.gaps import AuthoritativeDays, Gap, GapRange, Pair, scheduled_reason, with_history
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.ledger import StateReader
from gads_domain.standing import (
    EVERY_ACCOUNT,
    LATELY,
    MOST_COUNTED,
    MOST_EXAMPLES,
    MOST_GROUPS,
    AccountFilter,
    AccountGroup,
    AccountStanding,
    DayStanding,
    Drift,
    GapGroup,
    HeatMap,
    ReportStanding,
    Scope,
    Standings,
    evenly,
    in_groups,
    worst_first,
)
from gads_domain.state import PartitionStatus, StateFilter, ValidationOutcome

_A_DAY = timedelta(days=1)


@dataclass(frozen=True)
class _Moment:
    """What a scope asks of a ledger, read once."""

    ledger: StateReader
    scope: Scope
    until: date | None = None

    @cached_property
    def expectations(self) -> Expectations:
        return self.ledger.expectations(self.scope.source)

    @cached_property
    def expected(self) -> Expected:
        scope = self.scope
        return expected_at(
            self.expectations, scope.reports, scope.now, scope.freshness, until=self.until, customers=scope.customers
        )

    @cached_property
    def wanted(self) -> StateFilter:
        return StateFilter(self.scope.source, self.scope.customers, self.scope.reports)

    @cached_property
    def held(self) -> list[PartitionKey]:
        return [row.key for row in self.ledger.find(replace(self.wanted, held=True))]

    @cached_property
    def authoritative(self) -> AuthoritativeDays:
        return self.ledger.authoritative_days(self.wanted).but(self.held)

    @cached_property
    def missing(self) -> dict[Pair, DayRanges]:
        return self.expected.missing(self.authoritative.days)

    @cached_property
    def failed(self) -> list[PartitionKey]:
        return [row.key for row in self.ledger.find(replace(self.wanted, statuses=(PartitionStatus.FAILED,)))]

    def among_missing(self, keys: Sequence[PartitionKey]) -> dict[Pair, DayRanges]:
        """Those of the keys that are missing, as days of each account and report."""
        days = AuthoritativeDays.of(0, keys).days
        found = {pair: common(some, self.missing.get(pair, ())) for pair, some in days.items()}
        return {pair: some for pair, some in found.items() if some}

    def completeness(self, *, with_tries: bool) -> Completeness:
        """What is missing, each gap with its reason."""

        def rows(wanted: StateFilter) -> dict[PartitionKey, tuple[PartitionStatus, str]]:
            open_ = replace(wanted, statuses=(PartitionStatus.PENDING, PartitionStatus.FAILED))
            states = [
                *self.ledger.scheduling_states(open_),
                *self.ledger.scheduling_states(replace(wanted, held=True)),
            ]
            reasons = {one.key: (one.status, scheduled_reason(one, with_tries=with_tries)) for one in states}
            self.codes.update(
                {(one.key.report, reasons[one.key][1]): one.failure.code for one in states if one.failure}
            )
            return reasons

        found = completeness(self.expectations, self.expected, self.authoritative, rows)
        kept = with_history(found.gaps, self.scope.now, self._first_kept)
        return replace(found, gaps=tuple(kept))

    @cached_property
    def codes(self) -> dict[tuple[str, str], str]:
        """The code of each report's reasons that have one."""
        return {}

    def _first_kept(self, gap: Gap) -> date:
        return self.scope.first_kept(gap.report, self.expectations.zone_of(gap.customer_id))


class LedgerStanding:
    """Implements `gads_domain.ports.standing.StandingReader` over any `StateReader`, by reading all of it."""

    def __init__(self, ledger: StateReader) -> None:
        self._ledger = ledger

    def standings(self, scope: Scope) -> Standings:
        """How each report of `scope` stands, in the order of its reports."""
        moment = _Moment(self._ledger, scope)
        unknown = moment.expected.unknown
        return Standings(tuple(_report_standing(moment, report) for report in scope.reports), unknown)

    def gap_groups(self, scope: Scope) -> tuple[GapGroup, ...]:
        """What is missing, grouped by report, status and reason, the worst first."""
        moment = _Moment(self._ledger, scope)
        grouped: dict[tuple[str, PartitionStatus, str], list[GapRange]] = {}
        for gap in moment.completeness(with_tries=False).gaps:
            grouped.setdefault((gap.first.report, gap.first.status, gap.first.reason), []).append(gap)
        return worst_first(
            GapGroup(
                report,
                status,
                reason,
                moment.codes.get((report, reason), ""),
                len({gap.first.customer_id for gap in gaps}),
                sum(gap.days for gap in gaps),
                min(gap.first.logical_date for gap in gaps),
                max(gap.until for gap in gaps),
                _examples(gaps),
            )
            for (report, status, reason), gaps in grouped.items()
        )

    def heat_map(
        self,
        scope: Scope,
        report: str,
        since: date,
        until: date,
        accounts: AccountFilter = EVERY_ACCOUNT,
        *,
        groups: int = MOST_GROUPS,
        counted: int = MOST_COUNTED,
        lately: timedelta = LATELY,
    ) -> HeatMap:
        """One report on each day from `since` to `until`, of the accounts that `accounts` selects."""
        moment = _Moment(self._ledger, replace(scope, reports=(report,)), until)
        expected, window = moment.expected, (DayRange(since, until),)
        lacking = {pair[0] for pair in expected.lacking}
        numbers = [
            customer_id
            for customer_id in sorted({pair[0] for pair in expected.days} | lacking)
            if accounts.selects(moment.expectations.account(customer_id) or ListedAccount(customer_id))
            and not (accounts.behind and not common(moment.missing.get((customer_id, report), ()), window))
        ]
        lately_done = self._lately(moment, report, since, until, numbers, lately) if len(numbers) <= counted else None
        failed, held = moment.among_missing(moment.failed), moment.among_missing(moment.held)

        def days(some: Sequence[str]) -> tuple[DayStanding, ...]:
            pairs = [(one, report) for one in some if (one, report) in expected.days]
            counts: dict[date, list[int]] = {since + n * _A_DAY: [0] * 8 for n in range((until - since).days + 1)}
            for pair in pairs:
                here, last = common(expected.days[pair], window), (DayRange(date.min, expected.last_due[pair]),)
                there = common(here, moment.authoritative.days.get(pair, ()))
                rest, due = without(here, there), common(here, last)
                parts = (
                    due,
                    common(there, last),
                    common(failed.get(pair, ()), window),
                    common(held.get(pair, ()), window),
                    without(rest, last),
                    without(there, last),
                    *((common(there, done.get(pair, ())) for done in lately_done) if lately_done else ()),
                )
                for place, part in enumerate(parts):
                    for day in each_day(part):
                        counts[day][place] += 1
            return tuple(
                DayStanding(
                    day,
                    due,
                    good,
                    bad,
                    stopped,
                    due - good - bad - stopped,
                    later,
                    early,
                    None if lately_done is None else again,
                    None if lately_done is None else same,
                )
                for day, (due, good, bad, stopped, later, early, again, same) in counts.items()
            )

        return HeatMap(
            report,
            since,
            until,
            len(numbers),
            tuple(
                AccountGroup(
                    some[0],
                    some[-1],
                    len(some),
                    days(some),
                    "" if len(some) > 1 else _name(moment.expectations, some[0]),
                    sum(one in lacking for one in some),
                )
                for some in in_groups(numbers, groups)
            ),
            days(numbers),
            expected.unknown,
        )

    def account_standing(self, scope: Scope, customer_id: str) -> AccountStanding:
        """How one account stands, whoever else is in `scope`."""
        moment = _Moment(self._ledger, replace(scope, customers=(customer_id,)))
        return AccountStanding(
            customer_id,
            moment.expectations.account(customer_id),
            tuple(_report_standing(moment, report) for report in scope.reports),
            moment.completeness(with_tries=True).gaps,
            moment.expected.unknown,
        )

    def sample(self, scope: Scope, most: int) -> tuple[str, ...]:
        """At most `most` of the accounts that are expected, spread evenly over them by customer id."""
        return evenly(sorted({pair[0] for pair in _Moment(self._ledger, scope).expected.days}), most)

    def restatement_drift(
        self, scope: Scope, report: str, since: date, until: date, customers: Sequence[str], metric: str | None = None
    ) -> tuple[Drift, ...]:
        """How far sums of these days and accounts moved, by metric and age; of all metrics without one."""
        found: dict[tuple[str, int], list[float]] = {}
        for row in self._ledger.find(StateFilter(scope.source, tuple(customers), (report,), since, until)):
            if not customers or row.attempt_count < 2:
                continue
            there = {change.to_run for change in self._ledger.authority_changes_of(row.key)}
            for result in self._ledger.history(row.key).results:
                if result.outcome is not ValidationOutcome.PASSED or result.run_id not in there or not result.changes:
                    continue
                age = (result.validated_at.astimezone(UTC).date() - row.logical_date).days
                metrics = result.changes.get("metrics")
                for name, sums in metrics.items() if isinstance(metrics, Mapping) else ():
                    before, after = sums["before"], sums["after"]
                    if metric in (None, name) and before is not None and after is not None:
                        known = found.setdefault((name, age), [0, 0.0, 0.0, 0.0])
                        for place, value in enumerate((1, before, after, abs(after - before))):
                            known[place] += value
        return tuple(Drift(name, age, int(count), *sums) for (name, age), (count, *sums) in sorted(found.items()))

    def _lately(
        self, moment: _Moment, report: str, since: date, until: date, customers: Sequence[str], lately: timedelta
    ) -> tuple[Mapping[Pair, DayRanges], Mapping[Pair, DayRanges]]:
        """The days that were restated, and those that came unchanged."""
        from_then_on = moment.scope.now - lately
        wanted = StateFilter(moment.scope.source, tuple(customers), (report,), since, until, (PartitionStatus.SUCCESS,))
        restated: dict[Pair, list[date]] = {}
        unchanged: dict[Pair, list[date]] = {}
        for row in self._ledger.find(wanted) if customers else ():
            pair = (row.customer_id, row.report)
            if row.confirmed_at is not None and row.confirmed_at >= from_then_on:
                unchanged.setdefault(pair, []).append(row.logical_date)
            if row.attempt_count > 1 and any(
                change.at >= from_then_on and change.changes_authority and None not in (change.from_run, change.to_run)
                for change in self._ledger.authority_changes_of(row.key)
            ):
                restated.setdefault(pair, []).append(row.logical_date)
        return (
            {pair: of_days(days) for pair, days in restated.items()},
            {pair: of_days(days) for pair, days in unchanged.items()},
        )

    def close(self) -> None:
        """Let go of the ledger; using it afterwards is an error."""
        self._ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _examples(gaps: Sequence[GapRange]) -> tuple[GapRange, ...]:
    earliest: dict[str, GapRange] = {}
    for gap in sorted(gaps, key=lambda gap: (gap.first.logical_date, gap.first.customer_id)):
        earliest.setdefault(gap.first.customer_id, gap)
    return tuple(earliest.values())[:MOST_EXAMPLES]


def _name(expectations: Expectations, customer_id: str) -> str:
    account = expectations.account(customer_id)
    return "" if account is None else account.name


def _report_standing(moment: _Moment, report: str) -> ReportStanding:
    expected = moment.expected
    due = {pair: days for pair, days in expected.due.items() if pair[1] == report and days}
    missing = [days for pair, days in moment.missing.items() if pair[1] == report]
    number, lacks = sum(map(number_of, due.values())), sum(map(number_of, missing))
    failed, held = (
        sum(number_of(days) for pair, days in moment.among_missing(keys).items() if pair[1] == report)
        for keys in (moment.failed, moment.held)
    )
    only = replace(expected, days={pair: days for pair, days in expected.days.items() if pair[1] == report})
    is_known = bool(moment.scope.customers) or not expected.unknown
    return ReportStanding(
        report,
        expected.complete_up_to(moment.authoritative.days, report) if is_known else None,
        len(due),
        len(missing),
        number,
        number - lacks,
        failed,
        held,
        lacks - failed - held,
        only.not_due(moment.authoritative.days),
        min((days[0].first for days in missing), default=None),
        sum(pair[1] == report for pair in expected.lacking),
    )
