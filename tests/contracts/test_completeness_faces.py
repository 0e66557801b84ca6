"""The domain, the consumer and the tables give one answer about gaps, and it is that of a model that counts days."""

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gads_conformance.ledger.samples import record_one, result_of
from gads_consumer.consumer import Consumer
from gads_domain.adapters import ledger_adapter, sink_adapter
from gads_domain.clock import SystemClock
from gads_domain.completeness import Answer, Completeness, Freshness, completeness, expected_at
from gads_domain.expectations import DrawnList, Expectations, ListedAccount, after_drawing
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.ports.warehouse import LoadedExpectations, LoadMode, LoadStep, WarehousePosition
from gads_domain.state import PartitionStatus, StateFilter, ValidationOutcome
from gads_warehouse_duckdb.warehouse import DuckDbWarehouse

ZONES = {"1": "Pacific/Auckland", "2": "Europe/Berlin", "3": "America/Los_Angeles", "4": "Nowhere/Atlantis"}
REPORTS = ("campaign", "keyword")
DAYS = 6
A_DAY = timedelta(days=1)

Pair = tuple[str, str]


@dataclass
class Model:
    """Which days are expected, day by day, as contracts/expectations/v1 and the issue of each list say."""

    days: dict[Pair, set[date]] = field(default_factory=dict)
    """Every day that was ever expected; an open pair is expected on each day after its last one too."""
    open: set[Pair] = field(default_factory=set)
    selected: set[str] = field(default_factory=set)
    listed_on: dict[str, date] = field(default_factory=dict)

    def draw(self, listed: set[str], selected: set[str], firsts: dict[Pair, date], at: datetime, end: date) -> None:
        """A list: what it selects is expected from its first day to `end`, what it drops up to its last listed day."""
        for pair in self.open - firsts.keys():
            last = self.listed_on[pair[0]]
            self.days[pair] = {day for day in self.days[pair] if day <= last}
        for pair, first in firsts.items():
            span = {first + number * A_DAY for number in range(max(0, (end - first).days + 1))}
            before = self.days.setdefault(pair, set())
            last_before = max(before, default=None)
            if last_before is not None and pair not in self.open and first <= last_before + A_DAY:
                span |= {last_before + number * A_DAY for number in range((end - last_before).days + 1)}
            self.days[pair] = before | span
        self.open, self.selected = set(firsts), selected
        for customer_id in listed:
            self.listed_on[customer_id] = today(customer_id, at)


def today(customer_id: str, moment: datetime) -> date:
    zone = ZONES[customer_id]
    return moment.astimezone(UTC if zone.startswith("Nowhere") else ZoneInfo(zone)).date()


def last_due(customer_id: str, moment: datetime) -> date:
    zone = ZONES[customer_id]
    found = ZoneInfo("Etc/GMT+12" if zone.startswith("Nowhere") else zone)
    return moment.astimezone(found).date() - A_DAY


@st.composite
def histories(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Each day's list (or none), and the days that are authoritative or failed after it."""
    events = []
    for _ in range(DAYS):
        listed = draw(st.sets(st.sampled_from(sorted(ZONES))))
        events.append(
            {
                "draws": draw(st.sampled_from((True, True, False))),
                "listed": listed,
                "selected": {one for one in listed if draw(st.sampled_from((True, True, True, False)))},
                "reports": draw(st.sets(st.sampled_from(REPORTS))),
                "back": draw(st.integers(-1, 3)),
                "outcomes": draw(
                    st.dictionaries(
                        st.tuples(st.sampled_from(sorted(ZONES)), st.sampled_from(REPORTS), st.integers(0, 3)),
                        st.sampled_from((True, True, True, False)),
                        max_size=24,
                    )
                ),
            }
        )
    return events


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(histories(), st.booleans(), st.booleans(), st.dictionaries(st.sampled_from(REPORTS), st.integers(-1, 3)))
def test_the_three_faces_say_what_a_model_says(
    events: list[dict[str, Any]], fresh: bool, whole: bool, later: dict[str, int]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        check(Path(folder), events, fresh=fresh, whole=whole, later=later)


def check(folder: Path, events: list[dict[str, Any]], *, fresh: bool, whole: bool, later: dict[str, int]) -> None:
    """`later` is by how many half days a report is due later than the others."""
    now = SystemClock().now()
    # No zone's midnight is near `now - due`, so that the tables, whose clock goes on, see the same days as due.
    due = timedelta(hours=6) + (now - now.replace(minute=22, second=0, microsecond=0)) % timedelta(hours=1)
    own = {
        report: max(due + number * timedelta(hours=12), due % timedelta(hours=1)) for report, number in later.items()
    }
    freshness = Freshness(due, timedelta(days=300) if fresh else timedelta(0), own)
    adapter, url = ledger_adapter("sqlite:x"), "sqlite:ledger.db"
    model, authoritative = Model(), dict[PartitionKey, bool]()
    expectations, run = Expectations(GOOGLE_ADS), 0
    end = now.date() + 3 * A_DAY
    with (
        adapter.open_for_control_plane(url, folder) as control,
        adapter.open_for_validator(url, folder) as validator,
    ):
        for number, event in enumerate(events):
            at = now - (DAYS - number) * A_DAY
            if event["draws"]:
                accounts = tuple(
                    ListedAccount(one, f"Account {one}", time_zone=ZONES[one], selected=one in event["selected"])
                    for one in sorted(event["listed"])
                )
                firsts = {
                    (one, report): today(one, at) - event["back"] * A_DAY
                    for one in event["selected"]
                    for report in event["reports"]
                }
                drawn = DrawnList(GOOGLE_ADS, at, accounts, firsts)
                expectations = after_drawing(expectations, drawn)
                model.draw(event["listed"], event["selected"], firsts, at, end)
                control.record_list(drawn)
            if not expectations.accounts:
                continue  # what is inferred from rows without a list is tested elsewhere
            asked = dict(event["outcomes"])
            if whole:
                asked |= {(*pair, back): True for pair in model.days for back in range(DAYS + 4)}
            for (customer_id, report, back), passed in asked.items():
                key = PartitionKey(GOOGLE_ADS, customer_id, report, today(customer_id, at) - back * A_DAY)
                run += 1
                record_one(
                    validator,
                    result_of(key, run, ValidationOutcome.PASSED if passed else ValidationOutcome.REJECTED),
                )
                authoritative[key] = authoritative.get(key, False) or passed
        expectations = control.expectations(GOOGLE_ADS)
    reports = sorted({report for _, report in model.days}) or ["campaign"]
    expected_days = {
        PartitionKey(GOOGLE_ADS, *pair, day)
        for pair, days in model.days.items()
        for day in days
        if day <= last_due(pair[0], now - own.get(pair[1], due))
    }
    gaps = sorted(key for key in expected_days if not authoritative.get(key))
    still = {report for _, report in model.open}
    known = bool(
        expectations.drawn_at and fresh and model.selected
        and all((one, report) in model.days for one in model.selected for report in still)
    )  # fmt: skip
    answer = Answer.INCOMPLETE if gaps else Answer.COMPLETE if known else Answer.UNKNOWN
    if not model.days:
        return
    for found_gaps, found_answer in faces(folder, expectations, reports, freshness, now):
        assert found_gaps == gaps
        assert found_answer is answer


def faces(
    folder: Path, expectations: Expectations, reports: list[str], freshness: Freshness, now: datetime
) -> Iterator[tuple[list[PartitionKey], Answer]]:
    """The gaps and the answer of the domain, the consumer and the tables."""

    def keys(found: Completeness) -> list[PartitionKey]:
        return [gap.key for gaps in found.gaps for gap in gaps]

    class Now:
        def now(self) -> datetime:
            return now

    url = "sqlite:ledger.db"
    sink = sink_adapter("file:raw").open_reader("file:raw", folder)
    with Consumer(ledger_adapter(url).open_reader(url, folder), sink, clock=Now(), freshness=freshness) as consumer:
        ledger = consumer._ledger
        expected = expected_at(expectations, reports, now, freshness)
        rows = {state.key: (state.status, "") for state in ledger.find(StateFilter(GOOGLE_ADS))}
        found = completeness(
            expectations,
            expected,
            ledger.authoritative_days(StateFilter(GOOGLE_ADS)),
            lambda _: {key: row for key, row in rows.items() if row[0] is not PartitionStatus.SUCCESS},
        )
        yield keys(found), found.answer
        ready = consumer.ready(reports)
        yield [gap.key for gap in ready.gaps], ready.answer
        with DuckDbWarehouse(folder / "tables.duckdb") as warehouse:
            loaded = LoadedExpectations(consumer.expectations(), freshness)
            at = WarehousePosition("ledger", 1, "cursor")
            warehouse.apply(LoadStep(LoadMode.RECONCILE, GOOGLE_ADS, None, at, now, (), (), expected=loaded))
            pointers = [
                (key.customer_id, key.report, key.logical_date)
                for key, (status, _) in rows.items()
                if status is PartitionStatus.SUCCESS
            ]
            with duckdb.connect(str(warehouse.path)) as connection:
                connection.executemany(
                    "INSERT INTO gads.pointers (customer_id, report, logical_date) VALUES (?, ?, ?)",
                    pointers or [("0", "none", date(2024, 1, 1))],
                )
                missing = connection.execute(
                    "SELECT customer_id, report, logical_date FROM reporting.gaps WHERE unknown IS NULL ORDER BY ALL"
                ).fetchall()
                ((answer,),) = connection.execute("SELECT answer FROM reporting.completeness").fetchall()
        yield sorted(PartitionKey(GOOGLE_ADS, *row) for row in missing), Answer(answer)
