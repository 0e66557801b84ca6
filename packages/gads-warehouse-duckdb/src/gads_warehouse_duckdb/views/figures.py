"""Figures of each view: what it shows, and what the tables give for it by other statements than the view's."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import duckdb

from gads_domain.ports.warehouse import Figure, ViewFigure
from gads_warehouse_duckdb.layout import quoted
from gads_warehouse_duckdb.views.definition import ViewColumn

ROWS = "rows"
Aggregates = Mapping[str, str]
"""Figures by their names, each as an aggregate in SQL."""


@dataclass(frozen=True, slots=True)
class Given:
    """What some tables give for figures of a view: `prefix SELECT aggregates source`."""

    aggregates: Aggregates
    source: str = ""
    prefix: str = ""


@dataclass(frozen=True, slots=True)
class ViewCheck:
    """The figures of one view. What is `given` by several tables adds up; `values` are known without a query."""

    aggregates: Aggregates
    given: Sequence[Given] = ()
    values: Mapping[str, Figure] = field(default_factory=dict)


def compared(
    connection: duckdb.DuckDBPyConnection, view: str, check: ViewCheck, *, counts_only: bool
) -> Iterator[ViewFigure]:
    """Each figure as the view `view` shows it and as the tables give it; with `counts_only` the number of rows."""
    names = [ROWS] if counts_only else list(check.aggregates)
    expected: dict[str, Figure] = {}
    try:
        expected = expected_figures(connection, check, names)
        found = shown_figures(connection, view, check, names)
    except duckdb.Error as error:
        # The transaction takes no more statements.
        connection.execute("ROLLBACK")
        connection.execute("BEGIN TRANSACTION READ ONLY")
        yield ViewFigure(view, ROWS, expected.get(ROWS), str(error).splitlines()[0])
        return
    for name in names:
        yield ViewFigure(view, name, expected[name], found[name])


def expected_figures(
    connection: duckdb.DuckDBPyConnection, check: ViewCheck, names: Sequence[str]
) -> dict[str, Figure]:
    """What the tables give for these figures."""
    totals: dict[str, list[Any]] = {name: [] for name in names}
    for given in check.given:
        for name, value in _row(connection, names, given).items():
            totals[name] += [] if value is None else [value]
    return {name: _short(name, sum(some)) if some else check.values.get(name) for name, some in totals.items()}


def shown_figures(
    connection: duckdb.DuckDBPyConnection, view: str, check: ViewCheck, names: Sequence[str]
) -> dict[str, Figure]:
    """What `view`, a view or a query in parentheses, shows."""
    found = _row(connection, names, Given(check.aggregates, f"FROM {view}"))
    return {name: _short(name, value) for name, value in found.items()}


def checksum(expression: str, condition: str = "true") -> str:
    """A number for the values of `expression` that are not null, in any order."""
    return f"sum(hash({expression})::HUGEINT) FILTER (WHERE {expression} IS NOT NULL AND {condition})"


def measured(column: ViewColumn, expression: str) -> tuple[str, str]:
    """The figure of a column: the sum of a metric, or the checksum of other values."""
    if column.candidates[:1] and column.candidates[0].startswith("metrics_") and column.kind in ("BIGINT", "DOUBLE"):
        return f"sum of {column.name}", f"{'sum' if column.kind == 'BIGINT' else 'fsum'}({expression})"
    return f"checksum of {column.name}", checksum(expression)


def _row(connection: duckdb.DuckDBPyConnection, names: Sequence[str], given: Given) -> dict[str, Any]:
    wanted = {name: given.aggregates[name] for name in names if name in given.aggregates}
    if not wanted:
        return {}
    selected = ", ".join(f"{aggregate} AS {quoted(name)}" for name, aggregate in wanted.items())
    (values,) = connection.execute(f"{given.prefix} SELECT {selected} {given.source}").fetchall()
    return dict(zip(wanted, values, strict=True))


def _short(name: str, value: Any) -> Figure:
    """A checksum in twelve digits; money, which is exact, like what is divided."""
    figure: Figure = float(value) if isinstance(value, Decimal) else value
    return figure % 10**12 if name.startswith("checksum") and isinstance(figure, int) else figure
