"""Every mutation of a view's query is found by the figures that `warehouse verify` compares."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import duckdb
import pytest

from gads_domain.clock import SystemClock
from gads_domain.metadata import ColumnSpec
from gads_domain.package_data import tables_of
from gads_domain.partition_key import GOOGLE_ADS
from gads_domain.ports.warehouse import REPORTING_VIEWS, Figure, ViewFigure
from gads_gaql.catalogue import latest, load, table_schema
from gads_gaql.parser import parse
from gads_reports.catalogue import builtin
from gads_testing.local_deployment import CAMPAIGN, key_of
from gads_testing.warehouse_deployment import WarehouseDeployment
from gads_warehouse_duckdb.definitions import Definitions
from gads_warehouse_duckdb.expected import find_expected
from gads_warehouse_duckdb.report_tables import ReportTables
from gads_warehouse_duckdb.views.checks import check_of
from gads_warehouse_duckdb.views.expectation_checks import expectation_checks
from gads_warehouse_duckdb.views.figures import ViewCheck, expected_figures, shown_figures

REPORTS = (
    "customer", "customer_client", "account", "campaign_settings", "campaign", "ad_group_settings", "ad_group",
    "ad_settings", "ad", "ad_group_criterion", "keyword", "search_term_keyword",
)  # fmt: skip
"""Those of every fixed view."""

SOURCES = tables_of("gads_warehouse_duckdb", "views/dbt_sources.toml")["source"]


OTHERS = ("campaign", "campaign__v2", "campaign__all_versions")
"""Of the views that each table has, which are made alike, these."""


@dataclass(frozen=True)
class Subject:
    """A view: its query, its columns with their types, and what the tables give for its figures."""

    query: str
    columns: dict[str, str]
    check: ViewCheck
    expected: dict[str, Figure]


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """All reports, in two schema versions that have a table each, in rows in which no two values are alike."""
    deployment = WarehouseDeployment(tmp_path_factory.mktemp("figures"))
    catalogue = load(latest())
    for place, report in enumerate(REPORTS):
        older = table_schema(parse(builtin()[report].query), catalogue).columns
        # The last metric changes its type, or the last attributes go.
        last = older[-1]
        newer = (*older[:-1], ColumnSpec(last.name, last.field, "int64")) if last.is_metric else older[:-3]
        several = int(CAMPAIGN in older)
        first_day = 1 if last.is_metric else 0
        # The first account is in all of them, on days of their own and on one together; others are in one alone.
        deployment.make_authoritative(key_of(1, first_day, report), 1, 1 + several, columns=older)
        deployment.make_authoritative(key_of(2 + place, 1, report), 1, 1 + 2 * several, columns=older)
        deployment.make_authoritative(key_of(1, 3, report), 1, 1, columns=newer, schema_version=2)
        deployment.make_authoritative(key_of(20 + place, 2, report), 1, 1, columns=newer, schema_version=2)
        if place % 4 == 0:
            deployment.load()
    deployment.clock.moment = SystemClock().now()
    deployment.list_accounts(1, 2)
    deployment.load()
    deployment.close()
    with duckdb.connect(str(deployment.path)) as opened:
        opened.execute("UPDATE gads.accounts SET name = 'Account ' || customer_id")
        opened.execute("INSERT INTO gads.held VALUES ('1', 'campaign', DATE '2024-06-02')")
        for name in ("campaign", "campaign__v2"):
            # Several rows a day a campaign, and a later day.
            opened.execute(f"INSERT INTO {name} SELECT * FROM {name}")
            opened.execute(
                f"INSERT INTO {name} SELECT * REPLACE (_logical_date + 9 AS _logical_date) FROM {name} "
                "WHERE _customer_id IN ('6', '24')"
            )
        for table in ReportTables(opened).all():
            entity = "campaign_id" if CAMPAIGN in table.columns else "_customer_id::INT"
            for column in table.columns:
                number = sum(map(ord, column.name))
                text = f"concat_ws(' ', '{table.name}', '{column.name}', _customer_id, _logical_date, rowid)"
                value = {
                    "int64": f"{number} * 1000 + {'rowid' if column.is_metric else entity}",
                    "double": f"{number} + rowid / 8",
                    "string": text,
                    "bool": f"(rowid + {number}) % 2 = 0",
                    "date32": "_logical_date + 1000",
                    "list<string>": f"[{text}]",
                }[column.type]
                if column != CAMPAIGN:
                    opened.execute(f"UPDATE {table.place} SET {column.name} = {value}")
        for name, rows in (
            ("campaign", "_customer_id = '1' AND campaign_id = 1"),
            ("campaign", "_logical_date > '2024-06-09'"),
            ("campaign__v2", "_customer_id = '1' OR _logical_date > '2024-06-09'"),
        ):
            opened.execute(f"UPDATE {name} SET campaign_name = NULL WHERE {rows}")
        yield opened


@pytest.fixture(scope="module")
def subjects(connection: duckdb.DuckDBPyConnection) -> dict[str, Subject]:
    connection.execute("BEGIN TRANSACTION")
    tables = ReportTables(connection).all()
    checks = expectation_checks(connection, GOOGLE_ADS, find_expected(connection, GOOGLE_ADS))
    found = {}
    for view in Definitions(tables).views:
        if view.schema == "google_ads" or view.name in {*REPORTING_VIEWS, *OTHERS}:
            check = checks.get(view.name) or check_of(view.schema, view.name, tables)
            assert check is not None, view.name
            columns = {name: kind for name, kind, *_ in connection.execute(f"DESCRIBE {view.query}").fetchall()}
            expected = expected_figures(connection, check, list(check.aggregates))
            found[f"{view.schema}.{view.name}"] = Subject(view.query, columns, check, expected)
    return found


def _differing(connection: duckdb.DuckDBPyConnection, query: str, subject: Subject) -> set[str]:
    """The names of the figures that differ if the view's query is `query`."""
    found = shown_figures(connection, f"({query})", subject.check, list(subject.check.aggregates))
    figures = [ViewFigure("", name, value, found[name]) for name, value in subject.expected.items()]
    return {one.name for one in figures if not one.agrees}


def test_the_views_are_held_to_the_tables(connection: duckdb.DuckDBPyConnection, subjects: dict[str, Subject]) -> None:
    """W46: each view has its figures, and they agree."""
    assert {name.partition(".")[2] for name in subjects} == {*REPORTING_VIEWS, *OTHERS, *SOURCES}
    for name, subject in subjects.items():
        assert _differing(connection, subject.query, subject) == set(), name


def test_every_column_is_in_a_figure(connection: duckdb.DuckDBPyConnection, subjects: dict[str, Subject]) -> None:
    """A column that is null, or has the values of another of its type, is in a figure that names it."""
    for view, subject in subjects.items():
        counts = ", ".join(f'count("{name}")' for name in subject.columns)
        (filled,) = connection.execute(f"SELECT {counts} FROM ({subject.query})").fetchall()
        columns = {name: kind for (name, kind), count in zip(subject.columns.items(), filled, strict=True) if count}
        # The ids of rows are of no column.
        columns.pop("_fivetran_id", None)
        of_null = {name: f"NULL::{kind}" for name, kind in columns.items()}
        of_others: dict[str, str] = {}
        for kind in set(columns.values()) - {"BOOLEAN"}:
            names = [name for name, one in columns.items() if one == kind]
            if len(names) > 1:
                of_others |= {after: f'"{name}"' for name, after in pairwise([*names, names[0]])}
        for replaced in filter(None, (of_null, of_others)):
            listed = ", ".join(f'{value} AS "{name}"' for name, value in replaced.items())
            differing = _differing(connection, f"SELECT * REPLACE ({listed}) FROM ({subject.query})", subject)
            assert replaced.keys() - {figure.split()[-1] for figure in differing} == set(), view


def _mutations(view: str, query: str) -> Iterator[tuple[str, str]]:
    yield "a row is lost", f"SELECT * FROM ({query}) OFFSET 1"
    yield "rows are there twice", f"({query}) UNION ALL ({query})"
    table, pointers = r"FROM (main\.\S+)", r"FROM (gads\.pointers)\b"
    left_out, twice = r"FROM (SELECT * FROM \1 LIMIT 0)", r"FROM (SELECT * FROM \1 UNION ALL SELECT * FROM \1)"
    patterns = [(table, left_out), (pointers, left_out), (r"\bsum\(", "any_value("), (r"\bsum\(", "max(")]
    # In the others what is said twice is said once.
    once = view.endswith("_history") or view in ("reporting.accounts", "reporting.gaps", "reporting.freshness")
    patterns += [] if once else [(table, twice), (pointers, twice)]
    for pattern, replacement in patterns:
        for match in re.finditer(pattern, query):
            if replacement is twice and "), named AS (" in query[: match.start()]:
                continue
            mutated = query[: match.start()] + match.expand(replacement) + query[match.end() :]
            yield f"{replacement} at {match.start()}", mutated
    for one, other in (("arg_min(", "arg_max("), ("arg_max(", "arg_min("), ("ORDER BY _day", "ORDER BY _day DESC")):
        if one in query:
            yield f"{one} is {other}", query.replace(one, other)


def test_every_mutation_is_found(connection: duckdb.DuckDBPyConnection, subjects: dict[str, Subject]) -> None:
    """Rows, tables and pointers that are left out or read twice; another total, another order."""
    mutations = [(view, *one) for view, subject in subjects.items() for one in _mutations(view, subject.query)]
    assert len(mutations) > 150
    missed = [(view, what) for view, what, query in mutations if not _differing(connection, query, subjects[view])]
    assert not missed, missed
