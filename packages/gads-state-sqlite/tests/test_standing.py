"""What the ledger counts by itself, what is counted of all its rows, and the completeness that both are counts of."""

from __future__ import annotations

import json
import shutil
import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from time import process_time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gads_domain.account import AccountStatus
from gads_domain.completeness import Completeness, Freshness, completeness, expected_at
from gads_domain.gaps import scheduled_reason
from gads_domain.ledger_standing import LedgerStanding
from gads_domain.ports.ledger import StateReader
from gads_domain.standing import AccountFilter, GapGroup, Scope
from gads_domain.state import PartitionStatus, StateFilter
from gads_state_sqlite.adapter import ADAPTER
from gads_state_sqlite.ledger_file import create
from gads_testing.large_ledger import LargeLedger

URL = "sqlite:ledger.db"
NOW = datetime(2026, 3, 20, 10, 30, tzinfo=UTC)
TODAY = date(2026, 3, 20)
ACCOUNTS = ("1000000001", "1000000002", "1000000003", "1000000004")
REPORTS = ("ads", "budgets", "campaign")
FIRST = -12
"""How many days before today the samples begin."""

_RUN = "20260320T000000000Z-0000000{}"
_FAILURES = tuple(
    json.dumps({"code": code, "message": message, "retryable": True, "hint": ""})
    for code, message in (("api_transient", "no answer"), ("validation_failed", "a row too many"))
)


@dataclass(frozen=True)
class _Pair:
    """What is on record of a report of an account: periods, and the state of each day as one letter."""

    periods: tuple[tuple[int, int | None], ...]
    days: str


def _periods(bounds: list[int], open_: bool) -> tuple[tuple[int, int | None], ...]:
    """Ascending days as periods that do not overlap; the last one is open if it may be."""
    found: list[tuple[int, int | None]] = [
        (first, last - 1) for first, last in zip(bounds[::2], bounds[1::2], strict=False)
    ]
    if open_ and len(bounds) % 2:
        found.append((bounds[-1], None))
    return tuple(found)


_ZONES = ("Europe/Berlin", "America/Los_Angeles", "Pacific/Auckland", "", "No/Where")
# . no row, S success, H held, F failed, R failed otherwise, P pending, M marked, U unchanged, T restated
_LETTERS = "SSSSSSSSS.HFRPMUT"


def _pair(chance: Random) -> _Pair:
    periods: tuple[tuple[int, int | None], ...] = ((chance.randint(FIRST - 2, FIRST + 3), None),)
    if chance.random() < 0.4:
        days = sorted(chance.randint(FIRST - 2, 4) for _ in range(chance.randrange(6)))
        periods = _periods(days, chance.random() < 0.5)
    if chance.random() < 0.5:
        return _Pair(periods, "S" * chance.randint(9, 14))
    return _Pair(periods, "".join(chance.choices(_LETTERS, k=chance.randrange(17))))


def _scope(chance: Random) -> Scope:
    reports = tuple(chance.sample(REPORTS, chance.randint(1, 3)))
    own = {"budgets": timedelta(hours=chance.choice([0, 30]))}
    freshness = Freshness(timedelta(hours=chance.choice([0, 6, 15])), timedelta(hours=36), own)
    customers: tuple[str, ...] = chance.choice([(), (), (), ACCOUNTS[:1], (*ACCOUNTS[1:], "9999999999")])
    kept = TODAY + timedelta(days=chance.randint(-40, -26))
    return Scope("google_ads", reports, NOW, freshness, customers, lambda _report, zone: kept if zone else date.min)


@dataclass(frozen=True)
class _Sample:
    drawn: timedelta | None
    accounts: dict[str, tuple[str, bool]]
    pairs: dict[tuple[str, str], _Pair]
    first: int

    def write(self, path: Path) -> None:
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            connection.execute("BEGIN")
            for number in range(4):
                connection.execute("INSERT INTO runs (run_id) VALUES (?)", (_RUN.format(number),))
            if self.drawn is not None:
                at = f"{NOW - self.drawn:%Y-%m-%dT%H:%M:%S}.000000Z"
                connection.execute("INSERT INTO account_lists VALUES ('google_ads', ?)", (at,))
                for customer_id, (zone, selected) in self.accounts.items():
                    left = "" if selected else "left"
                    connection.execute(
                        "INSERT INTO listed_accounts VALUES ('google_ads', ?, ?, '', ?, ?, 'ENABLED', ?, ?, ?, ?)",
                        (
                            customer_id,
                            f"Shop {customer_id[-1]}",
                            zone,
                            json.dumps(["77", customer_id[-1]]),
                            selected,
                            left,
                            at,
                            at,
                        ),
                    )
            for (customer_id, report), pair in self.pairs.items():
                for period, (first, last) in enumerate(pair.periods if self.drawn is not None else (), 1):
                    end = (None, "") if last is None else (self._day(last), "left")
                    connection.execute(
                        "INSERT INTO expectations VALUES ('google_ads', ?, ?, ?, ?, ?, ?)",
                        (customer_id, report, period, self._day(first), *end),
                    )
                key = ("google_ads", customer_id, report)
                connection.execute("INSERT INTO account_reports (source, customer_id, report) VALUES (?, ?, ?)", key)
                number = connection.execute("SELECT last_insert_rowid()").fetchone()[0]
                for offset, letter in enumerate(pair.days, FIRST):
                    self._put(connection, key, number, self._day(offset), letter)
            connection.execute("COMMIT")

    def _day(self, offset: int) -> str:
        return (TODAY + timedelta(days=offset + self.first)).isoformat()

    def _put(self, connection: sqlite3.Connection, key: tuple[str, ...], pair: int, day: str, letter: str) -> None:
        if letter == "M":
            connection.execute("INSERT INTO marks VALUES (?, ?, ?, ?, 1, 0)", (*key, day))
        status = {"F": "failed", "R": "failed", "P": "pending"}.get(letter, "success")
        if letter in ".M":
            return
        recent = int((NOW - timedelta(hours=3)).timestamp() * 1_000_000)
        current = (3, 1, 5, bytes(32)) if status == "success" else (None,) * 4
        confirmed = (4, recent) if letter == "U" else (None, None)
        connection.execute(
            "INSERT INTO partitions VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (pair, day, status, *current, 2, recent, None, 3, 4 if letter == "H" else None, *confirmed),
        )
        failure = _FAILURES[letter == "R"] if letter in "FR" else None
        outcome = "passed" if failure is None else "rejected"
        changes = json.dumps({"metrics": {"clicks": {"before": 5, "after": 7}}}) if letter == "T" else None
        for version, run in ((1, 2), (2, 3)):
            connection.execute(
                "INSERT INTO results (account_report, logical_date, version, run, outcome, validated_at, checks, "
                "failure, changes) VALUES (?, ?, ?, ?, ?, ?, '[]', ?, ?)",
                (pair, day, version, run, outcome, recent, failure, changes),
            )
        if letter == "T":
            connection.execute(
                "INSERT INTO authority_changes (account_report, logical_date, from_run, to_run, status_before, "
                "status_after, at, cause) VALUES (?, ?, 2, 3, 'success', 'success', ?, 'validate')",
                (pair, day, recent),
            )


def _sample(chance: Random) -> _Sample:
    return _Sample(
        chance.choice([None, *[timedelta(hours=1)] * 5, timedelta(hours=50)]),
        {one: (chance.choice(_ZONES), chance.random() < 0.7) for one in ACCOUNTS if chance.random() < 0.8},
        {(one, report): _pair(chance) for one in ACCOUNTS for report in REPORTS if chance.random() < 0.9},
        chance.choice([0, 0, -25]),
    )


def _filter(chance: Random) -> AccountFilter:
    return AccountFilter(
        chance.choice(["", "", "shop 1", "0002"]),
        chance.choice(["", "", "77", "3"]),
        chance.choice([None, None, AccountStatus.ENABLED]),
        chance.choice(["", "1000000002"]),
        chance.choice(["", "1000000003"]),
        chance.random() < 0.5,
    )


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger without rows, which each example fills a copy of."""
    path = tmp_path_factory.mktemp("ledgers") / "empty.db"
    create(path, 1)
    return path


def _found(reader: StateReader, scope: Scope) -> Completeness:
    """What `gads_domain.completeness` finds."""
    expectations = reader.expectations(scope.source)
    expected = expected_at(expectations, scope.reports, scope.now, scope.freshness, customers=scope.customers)
    wanted = StateFilter(scope.source, scope.customers, scope.reports)

    def rows(wanted: StateFilter) -> dict[Any, tuple[PartitionStatus, str]]:
        states = [*reader.scheduling_states(wanted)]
        return {
            one.key: (one.status, scheduled_reason(one))
            for one in states
            if one.status is not PartitionStatus.SUCCESS or one.held_run
        }

    held = [row.key for row in reader.find(replace(wanted, held=True))]
    return completeness(expectations, expected, reader.authoritative_days(wanted).but(held), rows)


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_counts_are_those_of_completeness(seed: int, empty: Path) -> None:
    """From a seed, since Hypothesis by itself makes ledgers of hardly any rows."""
    chance = Random(seed)
    sample, scope, shown = _sample(chance), _scope(chance), _filter(chance)
    folder = empty.parent
    shutil.copy(empty, folder / "ledger.db")
    sample.write(folder / "ledger.db")
    with ADAPTER.open_reader(URL, folder) as reader, ADAPTER.open_standing(URL, folder) as fast:
        found, counted = _found(reader, scope), LedgerStanding(reader)
        standings = counted.standings(scope)
        total = standings.total
        assert (standings.answer, standings.unknown) == (found.answer, found.unknown)
        assert (total.expected, total.missing, total.not_due) == (found.expected, found.days, found.not_due)
        assert (total.failed, total.held) == (found.failed, found.held)
        assert fast.standings(scope) == standings
        groups = counted.gap_groups(scope)
        assert sum(group.partitions for group in groups) == found.days
        _require_same_groups(fast.gap_groups(scope), groups, found)
        since, until = TODAY - timedelta(days=45), TODAY + timedelta(days=10)
        for one in standings.reports:
            days = counted.heat_map(scope, one.report, since, until).total
            for name in ("expected", "authoritative", "failed", "held", "pending"):
                assert sum(getattr(day, name) for day in days) == getattr(one, name), name
            asked = one.report, since, until, shown
            assert fast.heat_map(scope, *asked, groups=2) == counted.heat_map(scope, *asked, groups=2)
        customer_id = ACCOUNTS[0]
        assert fast.account_standing(scope, customer_id) == counted.account_standing(scope, customer_id)
        drift = (scope, scope.reports[0], since, until, ACCOUNTS)
        assert fast.restatement_drift(*drift) == counted.restatement_drift(*drift)
        assert fast.sample(scope, 2) == counted.sample(scope, 2)


def _require_same_groups(some: tuple[GapGroup, ...], others: tuple[GapGroup, ...], found: Completeness) -> None:
    """The same groups, each with examples that are gaps of as many accounts."""
    assert [replace(one, examples=()) for one in some] == [replace(one, examples=()) for one in others]
    missing = {gap.key: gap.status for gaps in found.gaps for gap in gaps}
    for one, other in zip(some, others, strict=True):
        customers = {gap.first.customer_id for gap in one.examples}
        assert 0 < len(one.examples) == len(customers) <= len(other.examples)
        for gaps in one.examples:
            assert all(missing[gap.key] is one.status and gap.report == one.report for gap in gaps)


def test_a_large_ledger_is_one_that_could_have_been_recorded(tmp_path: Path) -> None:
    large = LargeLedger(accounts=60, reports=3, days=40, now=NOW, detailed=5)
    large.write(tmp_path)
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection:
        kept = connection.execute(
            "SELECT count(*), sum(julianday(last_day) - julianday(first_day) + 1) FROM success_days"
        )
        ranges, days = kept.fetchone()
        rows = connection.execute("SELECT count(*) FROM partitions WHERE status = 'success'").fetchone()[0]
        counted = connection.execute("SELECT count(*) FROM results GROUP BY run HAVING count(*) <> 0").fetchall()
        numbers = connection.execute("SELECT results FROM runs WHERE results > 0").fetchall()
    assert days == rows
    assert ranges > 180
    assert sorted(counted) == sorted(numbers)
    with ADAPTER.open_reader(URL, tmp_path) as reader:
        total = LedgerStanding(reader).standings(Scope("google_ads", large.report_names, NOW)).total
    assert (total.expected > 6_000, total.failed > 0, total.held > 0, total.pending > 0) == (True,) * 4


def test_a_ledger_of_millions_of_partitions_is_counted_within_a_request(tmp_path: Path) -> None:
    """3,600,000 partitions: the processor's time, since on a busy machine the wall's clock says little."""
    now = datetime.now(UTC)
    large = LargeLedger(accounts=1_000, reports=40, days=90, now=now, detailed=2)
    large.write(tmp_path)
    scope = Scope("google_ads", large.report_names, now)
    report, until = large.report_names[3], now.date()
    with ADAPTER.open_standing(URL, tmp_path) as fast:
        began = process_time()
        total = fast.standings(scope).total
        assert fast.gap_groups(scope)
        counted = process_time()
        found = fast.heat_map(scope, report, until - timedelta(days=89), until)
        drawn = process_time()
    assert (total.accounts, len(found.groups)) == (1_000, 200)
    assert total.expected > 3_500_000
    assert counted - began < 1.0
    assert drawn - counted < 0.3
