"""How segments divide a campaign's day. The parts add up to the day, but for those with shares of their own."""

from collections.abc import Iterator, Sequence
from typing import Any

from gads_emulator.calendar_segments import DERIVED
from gads_emulator.schema import Field, Row, Schema
from gads_emulator.synthetic.activity import ONE, Activity, Bounds, bounds_of, divide
from gads_emulator.synthetic.campaigns import Campaign
from gads_emulator.synthetic.descriptions import TABLES, has_pattern, parameters_of, resource_name
from gads_emulator.synthetic.resources import account_rows
from gads_emulator.synthetic.values import known_values

_TABLES = TABLES["segments"]
_DEVICE_BOUNDS = bounds_of(list(_TABLES["devices"].values()))
_HOUR_BOUNDS = bounds_of(_TABLES["hours"])
_OTHER_BOUNDS = bounds_of(_TABLES["others"])
_OWN_BOUNDS = {
    family: [(int(low * ONE), int(high * ONE)) for low, high in shares] for family, shares in _TABLES["shares"].items()
}
_MODELLED = frozenset({"segments.date", "segments.device", "segments.ad_network_type", "segments.hour", *DERIVED})

Split = tuple[tuple[str, ...], Sequence[tuple[Any, ...]], Sequence[Bounds]]
"""Paths that divide a day together, the values of each part, and the bounds of each part."""


def splits_of(schema: Schema, campaign: Campaign, segments: frozenset[str]) -> list[Split]:
    """Return how the requested segments divide a campaign's day. Dates divide nothing."""
    modelled: Sequence[tuple[str, Sequence[Any], Sequence[Bounds]]] = (
        ("segments.device", tuple(_TABLES["devices"]), _DEVICE_BOUNDS),
        ("segments.ad_network_type", campaign.network_names, campaign.network_bounds),
        ("segments.hour", range(24), _HOUR_BOUNDS),
    )
    splits: list[Split] = [
        ((path,), [(value,) for value in values], bounds) for path, values, bounds in modelled if path in segments
    ]
    families: dict[str, list[Field]] = {}
    for path in sorted(segments - _MODELLED):
        found = schema.field(path)
        if found is not None and found.kind != "message" and not found.repeated:
            rest = path.removeprefix("segments.")
            family = next((family for family in _TABLES["families"] if rest.startswith(family)), rest)
            families.setdefault(family, []).append(found)
    for family, members in families.items():
        bounds = _OWN_BOUNDS.get(family, _OTHER_BOUNDS)
        if family == "keyword." and campaign.entity.attributes["campaign.advertising_channel_type"] != "SEARCH":
            bounds = []
        values = [tuple(_value(member, campaign, n) for member in members) for n in range(len(bounds))]
        splits.append((tuple(member.path for member in members), values, bounds))
    return splits


def parts_of(whole: Activity, splits: Sequence[Split]) -> Iterator[tuple[tuple[Any, ...], Activity]]:
    """Yield each combination of values with what happened in it. A combination may come twice."""
    if not splits:
        yield (), whole
        return
    (_, values, bounds), *others = splits
    for value, part in zip(values, divide(whole, bounds), strict=True):
        for inner, activity in parts_of(part, others):
            yield (*value, *inner), activity


def chosen(splits: Sequence[Split], numbers: Iterator[int]) -> Row:
    """Return one value of each segment, as likely as its share, by random `numbers` below 2**32."""
    row: Row = {}
    for paths, values, bounds in splits:
        number = next(numbers)
        index = next(index for index, (low, high) in enumerate(bounds) if low <= number < high)
        row.update(zip(paths, values[index], strict=True))
    return row


def _value(field: Field, campaign: Campaign, number: int) -> Any:
    path = field.path
    row = campaign.entity.attributes
    if path.startswith("segments.conversion_action"):
        action = account_rows("conversion_action", row)[number]
        attribute = path.removeprefix("segments.conversion_action").removeprefix("_") or "resource_name"
        if f"conversion_action.{attribute}" in action:
            return action[f"conversion_action.{attribute}"]
    if path in _TABLES["values"]:
        return _TABLES["values"][path][number]
    if field.kind == "enum":
        names = known_values(field)
        return names[number % len(names)]
    plain = {"bool": number == 0, "int": number + 1, "float": float(number)}
    return plain[field.kind] if field.kind in plain else _text(path, row, number)


def _text(path: str, row: Row, number: int) -> str:
    last = path.rpartition(".")[2]
    if last.startswith("geo_target_"):
        return f"geoTargetConstants/{9_000_000 + sum(map(ord, last)) * 10 + number}"
    if f"customer.{last}" in row:
        return str(row[f"customer.{last}"])
    if last in ("campaign", "ad_group") and f"{last}.resource_name" in row:
        return str(row[f"{last}.resource_name"])
    if has_pattern(last):
        parts: dict[str, object] = dict.fromkeys(parameters_of(last), 7_000_001 + number)
        parts["customer_id"] = row["customer.id"]
        return resource_name(last, parts)
    if last.endswith("date"):
        return f"2024-01-0{number + 1}"
    return f"{last.replace('_', ' ').capitalize()} {number + 1}"
