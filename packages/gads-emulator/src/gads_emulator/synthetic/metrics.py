"""How metrics follow from an activity: by a model, or else by the metric's name."""

from collections.abc import Callable
from functools import lru_cache
from operator import attrgetter

from gads_emulator.metrics import is_summed, ratio
from gads_emulator.schema import Field, Row, Schema
from gads_emulator.synthetic.activity import IN_HUNDREDTHS, Activity
from gads_emulator.synthetic.descriptions import TABLES
from gads_emulator.synthetic.values import known_values

Reader = Callable[[Activity], Row]
_Read = Callable[[Activity], object]
_TABLES = TABLES["metrics"]


def _member(name: str) -> _Read:
    member = attrgetter(name)
    return (lambda a: member(a) / 100) if name in IN_HUNDREDTHS else member


METRICS: dict[str, _Read] = {
    **{f"metrics.{name}": _member(member) for name, member in _TABLES["modelled"].items()},
    "metrics.interactions": lambda a: a.clicks + a.video_views,
    "metrics.search_impression_share": lambda a: round(0.1 + a.impressions % 83 / 100, 4) if a.impressions else 0.0,
    "metrics.search_budget_lost_impression_share": lambda a: round(a.impressions % 17 / 100, 4),
    "metrics.search_rank_lost_impression_share": lambda a: round(a.clicks % 29 / 100, 4),
}
"""The metrics with a model; ratios are computed from them by `gads_emulator.metrics.ratio`."""


def reader_of(schema: Schema, metrics: frozenset[str]) -> Reader:
    """Return the reader of these metrics, without those that can have no value."""
    plain: list[tuple[str, _Read]] = []
    ratios: list[tuple[str, _Read]] = []
    for path in sorted(metrics):
        modelled = METRICS.get(path)
        if modelled is not None:
            plain.append((path, modelled))
            continue
        made = _made(schema, path)
        if made is not None:
            found = schema.field(path)
            (ratios if found is not None and not is_summed(found) else plain).append((path, made))

    def read(activity: Activity) -> Row:
        row: Row = {path: of(activity) for path, of in plain}
        for path, otherwise in ratios:
            value = ratio(path, row)
            row[path] = otherwise(activity) if value is None else value
        return row

    return read


@lru_cache(maxsize=4096)
def _made(schema: Schema, path: str) -> _Read | None:
    found = schema.field(path)
    if found is None or found.repeated or found.kind in ("message", "bool"):
        return None
    if found.kind == "str":
        moment = "2024-01-31 12:00:00" if path.endswith("time") else "2024-01-31"
        return lambda _: moment
    if found.kind == "enum":
        names = known_values(found)
        return lambda a: names[a.impressions % len(names)]
    if not is_summed(found):
        if found.kind == "int":
            return lambda a: a.impressions % 100
        return lambda a: round((a.impressions * 7 + a.clicks) % 97 / 100, 4)
    return _counted(found)


def _counted(found: Field) -> _Read:
    """Return a reader that is linear in the activity, so that parts add up; an integer for an integer metric."""
    words = set(found.path.removeprefix("metrics.").split("_"))
    for rule in _TABLES["by_word"]:
        if words.intersection(rule["words"]) and rule.get("not") not in words:
            return attrgetter(rule["whole"]) if found.kind == "int" else _member(rule["fraction"])
    return attrgetter("view_through") if found.kind == "int" else _member("conversions")
