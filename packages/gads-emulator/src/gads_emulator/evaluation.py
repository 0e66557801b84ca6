"""The evaluation of a query: an agency's rows are filtered, summed, dropped, ordered and limited."""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import islice
from typing import Any

from gads_emulator.agency import Rows
from gads_emulator.calendar_segments import DERIVED
from gads_emulator.conditions import Test
from gads_emulator.metrics import combine
from gads_emulator.query_plan import Plan
from gads_emulator.schema import Row


def evaluate(plan: Plan, source: Rows, *, drop_inactive: bool) -> Iterator[list[Any]]:
    """Yield the answer's rows as values in the order of `plan.columns`, None for unset.

    Rows stream through unless they must be summed or ordered. With `drop_inactive`, a segmented row whose selected
    metrics are all zero is dropped.
    """
    derived = [path for path in plan.request.segments if path in DERIVED]
    rows = _with_calendar(source.rows, derived) if derived else source.rows
    if plan.row_tests:
        rows = _filter(rows, plan.row_tests)
    # Rows that differ only in a segment of WHERE are summed.
    if not (source.distinct and plan.request.segments <= {column.path for column in plan.columns}):
        rows = iter(_summed(plan, rows))
    if plan.metric_tests:
        rows = _filter(rows, plan.metric_tests)
    metrics = tuple(column.path for column in plan.columns if column.is_metric)
    if drop_inactive and plan.segmented and metrics:
        rows = (row for row in rows if any(row.get(path) for path in metrics))
    if plan.orderings:
        rows = iter(_ordered(plan, rows))
    if plan.limit is not None:
        rows = islice(rows, plan.limit)
    paths = [column.path for column in plan.columns]
    return ([row.get(path) for path in paths] for row in rows)


def _with_calendar(rows: Iterator[Row], derived: list[str]) -> Iterator[Row]:
    for row in rows:
        if (text := row.get("segments.date")) is not None:
            day = date.fromisoformat(text)
            row = {**row, **{path: DERIVED[path](day) for path in derived if path not in row}}
        yield row


def _filter(rows: Iterable[Row], tests: Sequence[tuple[str, Test]]) -> Iterator[Row]:
    return (row for row in rows if all(test(row.get(path)) for path, test in tests))


def _summed(plan: Plan, rows: Iterator[Row]) -> Iterator[Row]:
    """One row for each combination of the selected fields that are not metrics, and of the resource itself."""
    dimensions = [column for column in plan.columns if not column.is_metric]
    plain = [column.path for column in dimensions if not column.repeated and column.kind != "message"]
    nested = [column.path for column in dimensions if column.repeated or column.kind == "message"]
    own_name = f"{plan.request.resource}.resource_name"
    ordered_by = [path for path, _ in plan.orderings if path not in plain and not path.startswith("metrics.")]
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        key = (row.get(own_name), *[row.get(path) for path in plain])
        if nested:
            key += tuple(json.dumps(row.get(path), sort_keys=True) for path in nested)
        groups.setdefault(key, []).append(row)
    metrics = [*(column for column in plan.columns if column.is_metric), *plan.extra_metrics]
    for group in groups.values():
        row = {path: group[0][path] for path in (*plain, *nested, *ordered_by) if path in group[0]}
        row.update({metric.path: value for metric in metrics if (value := combine(metric, group)) is not None})
        yield row


def _ordered(plan: Plan, rows: Iterator[Row]) -> list[Row]:
    """Unset comes first when ascending; equal rows keep the agency's order."""
    result = list(rows)
    for path, descending in reversed(plan.orderings):
        result.sort(key=lambda row, path=path: _sort_key(row.get(path)), reverse=descending)  # type: ignore[misc]
    return result


def _sort_key(value: Any) -> tuple[int, Any]:
    if value is None:
        return (0, 0)
    return (1, str(value) if isinstance(value, (dict, tuple)) else value)
