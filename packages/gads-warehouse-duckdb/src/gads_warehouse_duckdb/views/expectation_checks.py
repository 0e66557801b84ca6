"""What the views of pointers and expectations must show, as the domain finds it."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import duckdb

from gads_domain.completeness import Answer, Freshness, expected_at
from gads_domain.day_ranges import DayRanges, each_day, number_of, of_days, without
from gads_domain.expectations import Expectations
from gads_domain.gaps import Pair
from gads_domain.package_data import statements_of
from gads_domain.ports.warehouse import LoadedExpectations
from gads_warehouse_duckdb.invalid_identity import VALID_POINTER
from gads_warehouse_duckdb.views.figures import ROWS, Given, ViewCheck, checksum

_EPOCH = date(1970, 1, 1)
_SUM = "coalesce(sum({} - DATE '1970-01-01'), 0)"
_SQL = statements_of("gads_warehouse_duckdb", "views/figures.sql")


def expectation_checks(
    connection: duckdb.DuckDBPyConnection, source: str, brought: LoadedExpectations | None
) -> dict[str, ViewCheck]:
    """The figures of `gaps`, `completeness` and `freshness`, at the moment of the connection's transaction."""
    loaded = brought or LoadedExpectations(Expectations(source), Freshness())
    ((now,),) = connection.execute("SELECT epoch_us(now())").fetchall()
    pointers: dict[Pair, list[date]] = {}
    found = connection.execute(
        f"SELECT customer_id, report, logical_date FROM gads.pointers WHERE {VALID_POINTER}"
    ).fetchall()
    for customer, report, day in found:
        pointers.setdefault((customer, report), []).append(day)
    held: dict[Pair, list[date]] = {}
    for key in loaded.held:
        held.setdefault((key.customer_id, key.report), []).append(key.logical_date)
    shown = {pair: of_days(days) for pair, days in pointers.items()}
    expected = expected_at(
        loaded.expectations,
        {one.report for one in loaded.expectations.expected},
        datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=now),
        loaded.freshness,
    )
    expected = replace(expected, last_due=_last_due(connection, loaded, expected.last_due))
    missing = expected.missing({pair: without(days, of_days(held.get(pair, ()))) for pair, days in shown.items()})
    days = sum(map(number_of, missing.values()))
    names = {account.customer_id: account.name for account in loaded.expectations.accounts}
    answer = Answer.INCOMPLETE if days else Answer.UNKNOWN if expected.unknown else Answer.COMPLETE
    return {
        "gaps": ViewCheck(
            {
                ROWS: "count(*)",
                "distinct customer_id": "count(DISTINCT customer_id)",
                "distinct report": "count(DISTINCT report)",
                "sum of logical_date": _SUM.format("logical_date"),
                "last account_name": "max(account_name)",
                "reasons in unknown": "count(unknown)",
            },
            values={
                ROWS: days + bool(expected.unknown),
                "distinct customer_id": len({customer for customer, _ in missing}),
                "distinct report": len({report for _, report in missing}),
                "sum of logical_date": _sum(day for ranges in missing.values() for day in each_day(ranges)),
                "last account_name": max((names[one] for one, _ in missing if one in names), default=None),
                "reasons in unknown": int(bool(expected.unknown)),
            },
        ),
        "completeness": ViewCheck(
            {
                ROWS: "count(*)",
                "answer": "any_value(answer)",
                "missing_days": "sum(missing_days)",
                "reasons in unknown": "count(unknown)",
            },
            values={
                ROWS: 1,
                "answer": answer.value,
                "missing_days": days,
                "reasons in unknown": int(bool(expected.unknown)),
            },
        ),
        "freshness": _freshness(shown, missing),
    }


def _last_due(
    connection: duckdb.DuckDBPyConnection, loaded: LoadedExpectations, pairs: Iterable[Pair]
) -> dict[Pair, date]:
    """The last day that is due, in the account's zone as DuckDB knows it: the two may know different rules."""
    asked = {
        pair: (loaded.expectations.zone_of(pair[0]), loaded.freshness.due_of(pair[1]).total_seconds()) for pair in pairs
    }
    rows = connection.execute(
        "SELECT zone, due, timezone(coalesce(name, 'Etc/GMT+12'), now() - to_seconds(due))::DATE - 1 "
        "FROM (SELECT unnest(?::VARCHAR[]) AS zone, unnest(?::DOUBLE[]) AS due) "
        "LEFT JOIN pg_timezone_names() ON name = zone",
        [list(column) for column in zip(*sorted(set(asked.values())), strict=True)] or [[], []],
    ).fetchall()
    days = {(zone, due): day for zone, due, day in rows}
    return {pair: days[one] for pair, one in asked.items()}


def _freshness(shown: Mapping[Pair, DayRanges], missing: Mapping[Pair, DayRanges]) -> ViewCheck:
    complete_until = []
    for pair, days in shown.items():
        first_gap = missing[pair][0].first if pair in missing else date.max
        complete_until += [day for day in each_day(days) if day < first_gap][-1:]
    counted = {name: f"coalesce(sum({name}), 0)" for name in ("days", "record_count")}
    of_pointers = counted | {
        f"checksum of {name}": checksum(name) for name in ("first_day", "last_day", "newest_run_id", "loaded_at")
    }
    known = {
        ROWS: "count(*)",
        "distinct customer_id": "count(DISTINCT customer_id)",
        "distinct report": "count(DISTINCT report)",
        "missing_days": "coalesce(sum(missing_days), 0)",
        "sum of complete_until": _SUM.format("complete_until"),
    }
    pairs = shown.keys() | missing.keys()
    values = {
        ROWS: len(pairs),
        "distinct customer_id": len({customer for customer, _ in pairs}),
        "distinct report": len({report for _, report in pairs}),
        "missing_days": sum(map(number_of, missing.values())),
        "sum of complete_until": _sum(complete_until),
    }
    return ViewCheck(known | of_pointers, [Given(of_pointers, _SQL["freshness"])], values)


def _sum(days: Iterable[date]) -> int:
    return sum((day - _EPOCH).days for day in days)
