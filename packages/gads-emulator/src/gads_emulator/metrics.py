"""How metrics of several rows are combined: counts are summed, ratios computed from the sums of their parts."""

from collections.abc import Sequence
from typing import Any

from gads_domain.package_data import tables_of
from gads_emulator.schema import Field, Row

IMPRESSIONS = "metrics.impressions"

_TABLES = tables_of("gads_emulator", "api.toml")
_RATIOS: dict[str, tuple[str, str, float]] = _TABLES["ratios"]
_AVERAGED = frozenset(_TABLES["unsummed_words"]["averaged"])
_LATEST = frozenset(_TABLES["unsummed_words"]["latest"])


def parts_of(path: str) -> tuple[str, ...]:
    """Return the other metrics that combining `path` needs; none for a sum."""
    ratio = _RATIOS.get(path.removeprefix("metrics."))
    if ratio is not None:
        return f"metrics.{ratio[0]}", f"metrics.{ratio[1]}", IMPRESSIONS
    return (IMPRESSIONS,) if _is_averaged(path) else ()


def ratio(path: str, row: Row) -> float | None:
    """Compute a ratio from its parts in `row`: None if it is not a ratio or lacks a part, 0.0 for a zero divisor."""
    found = _RATIOS.get(path.removeprefix("metrics."))
    if found is None:
        return None
    above, below = row.get(f"metrics.{found[0]}"), row.get(f"metrics.{found[1]}")
    if above is None or below is None:
        return None
    return above * found[2] / below if below else 0.0


def is_summed(metric: Field) -> bool:
    """Return whether the values of several rows are summed."""
    plain = metric.kind in ("int", "float") and not metric.repeated
    return plain and not _LATEST & _words(metric.path) and not _is_averaged(metric.path)


def combine(metric: Field, rows: Sequence[Row]) -> Any:
    """Combine one metric over the rows of a group; None (unset) when no row has it.

    A single row's value stays as it is. Shares and other averages without known parts are weighted by impressions;
    of what cannot be combined (scores, texts) the last row's value is taken.
    """
    path = metric.path
    if len(rows) == 1:
        return rows[0].get(path)
    present = [row for row in rows if path in row]
    if not present:
        return None
    if metric.kind not in ("int", "float") or metric.repeated or _LATEST & _words(path):
        return present[-1][path]
    if parts_of(path):
        return _average(path, rows, present)
    return sum(row[path] for row in present)


def _average(path: str, rows: Sequence[Row], present: Sequence[Row]) -> Any:
    known = {part: [row[part] for row in rows if part in row] for part in parts_of(path)}
    made = ratio(path, {part: sum(values) for part, values in known.items() if values})
    if made is not None:
        return made
    weights = [row.get(IMPRESSIONS, 0) for row in present]
    if not any(weights):
        weights = [1] * len(present)
    value = sum(row[path] * weight for row, weight in zip(present, weights, strict=True)) / sum(weights)
    return type(present[0][path])(value)


def _is_averaged(path: str) -> bool:
    return path.removeprefix("metrics.") in _RATIOS or not _AVERAGED.isdisjoint(_words(path))


def _words(path: str) -> set[str]:
    return set(path.removeprefix("metrics.").split("_"))
