"""The rows of all resources but those of `gads_emulator.synthetic.campaigns`.

The pattern of a resource's name says what it belongs to; `agency.toml` says how many rows it has, and what is in them.
"""

import base64
from functools import lru_cache

from gads_emulator.schema import Row
from gads_emulator.synthetic.activity import draw
from gads_emulator.synthetic.campaigns import Campaign, Entity, make_labels, parents
from gads_emulator.synthetic.descriptions import (
    TABLES,
    Kind,
    criterion_kind,
    has_pattern,
    kind_of,
    parameters_of,
    resource_name,
)

_LEVELS: dict[str, str] = TABLES["levels"]
_LINKS: dict[str, str] = TABLES["links"]
_THINGS: list[str] = TABLES["words"]["things"]


def level_of(resource: str) -> str:
    """Return what a resource belongs to: `account`, or a level of `parents`."""
    if level := kind_of(resource).level:
        return level
    if resource.startswith("ad_group_criterion_"):
        return "keyword_view"
    names = parameters_of(resource)
    if names[-1] == "campaign_group_id":
        return "account"
    return next((level for part, level in _LEVELS.items() if part in names), "account")


def entities(resource: str, campaign: Campaign) -> list[Entity]:
    """Return a campaign's rows of a resource that belongs to it; weights are shares of the campaign."""
    kind = kind_of(resource)
    if kind.channels and campaign.entity.attributes["campaign.advertising_channel_type"] not in kind.channels:
        return []
    above = parents(campaign, level_of(resource))
    if resource in ("ad_group_criterion", "campaign_criterion"):
        keywords = parents(campaign, "keyword_view") if resource == "ad_group_criterion" else []
        return [*keywords, *_criteria(above, resource.removesuffix("_criterion"))]
    made = []
    for parent in above:
        rows = _rows(resource, kind, parent.attributes)
        weights = [draw("weight", row[f"{resource}.resource_name"], n).between(0.2, 1.8) for n, row in enumerate(rows)]
        total = sum(weights)
        made += [Entity(row, parent.weight * weight / total) for row, weight in zip(rows, weights, strict=True)]
    return made


def account_rows(resource: str, owner: Row) -> list[Row]:
    """Return the rows of a resource that belongs to the account itself; empty for an unknown resource.

    `owner` is any row of the account, with its `customer` attributes.
    """
    return _account_rows(resource, tuple(_own("customer", owner).items()))


@lru_cache(maxsize=1024)
def _account_rows(resource: str, customer: tuple[tuple[str, object], ...]) -> list[Row]:
    if resource == "label":
        return make_labels(dict(customer))
    return _rows(resource, kind_of(resource), dict(customer)) if has_pattern(resource) else []


def _criteria(above: list[Entity], level: str) -> list[Entity]:
    return [
        Entity(_criterion(parent.attributes, level, name, number))
        for parent in above
        for name in TABLES["criteria_of"][level]
        for number in range(criterion_kind(name).count)
    ]


def _criterion(parent: Row, level: str, name: str, number: int) -> Row:
    """Return the row of one criterion of an ad group or campaign, with the attributes of that `parent`."""
    prefix, above_name, kind = f"{level}_criterion", parent[f"{level}.resource_name"], criterion_kind(name)
    criterion_id = 300_000_000_000 + draw("criterion", above_name, name, number).below(1 << 31) * 9
    parts = {"customer_id": parent["customer.id"], f"{level}_id": parent[f"{level}.id"], "criterion_id": criterion_id}
    own = {
        "status": "ENABLED",
        "negative": False,
        **kind.attributes({**parent, "number": number, "n": number + 1}),
        "resource_name": resource_name(prefix, parts),
        "criterion_id": criterion_id,
        level: above_name,
        "type": kind.type,
    }
    return {**parent, **{f"{prefix}.{path}": value for path, value in own.items()}}


def _rows(resource: str, kind: Kind, parent: Row) -> list[Row]:
    count = criterion_kind(kind.criterion).count if kind.criterion else kind.count
    return [_row(resource, kind, parent, number) for number in range(count)]


def _row(resource: str, kind: Kind, parent: Row, number: int) -> Row:
    if kind.criterion:
        parent = _criterion(parent, "ad_group" if "ad_group.id" in parent else "campaign", kind.criterion, number)
    row = dict(parent)
    parts: dict[str, object] = {"customer_id": parent["customer.id"]}
    levels = ("asset_group", "ad_group", "campaign", "customer")
    above = next(name for level in levels if (name := parent.get(f"{level}.resource_name")))
    for name in parameters_of(resource):
        if name == "customer_id":
            continue
        linked = _LINKS.get(name)
        if linked is not None and linked != resource:
            rows = account_rows(linked, parent)
            member = _own(linked, rows[number % len(rows)])
            row.update(member)
            parts[name] = member[f"{linked}.id"]
            row[f"{resource}.{linked}"] = member[f"{linked}.resource_name"]
            continue
        known = _known_part(name, resource, parent, kind, number)
        if known is None:
            known = _own_id(above, name, number)
            if name.endswith("_id"):
                row.setdefault(f"{resource}.id", known)
            elif not name.endswith(("fingerprint", "fp", "low", "high")):
                known = base64.urlsafe_b64encode(str(known).encode()).decode().rstrip("=")
        parts[name] = known
        if name.endswith("_id") or name in (kind.parts or ()):
            row.setdefault(f"{resource}.{name}", known)
    row[f"{resource}.resource_name"] = resource_name(resource, parts)
    for level in ("campaign", "ad_group", "asset_group"):
        if f"{level}.resource_name" in row and level != resource:
            row.setdefault(f"{resource}.{level}", row[f"{level}.resource_name"])
    row.update(kind.attributes({**row, **_variables(resource, row, above, number)}))
    if kind.joined:
        member = _own(kind.joined, _row(kind.joined, kind_of(kind.joined), parent, number))
        row.update(member)
        row[f"{resource}.{kind.joined}"] = member[f"{kind.joined}.resource_name"]
    return row


def _variables(resource: str, row: Row, above: str, number: int) -> dict[str, object]:
    owner = int(row.get("ad_group.id") or row.get("campaign.id") or 0)
    variables: dict[str, object] = {
        "number": number,
        "n": number + 1,
        "thing": _THINGS[owner % len(_THINGS)],
        "page": owner % 97,
        "minute": owner % 50,
        "end_minute": owner % 50 + 3,
    }
    if resource == "asset_group_listing_group_filter":
        own_name = row[f"{resource}.resource_name"].rpartition("~")[0]
        variables["root"] = f"{own_name}~{_own_id(above, 'listing_group_filter_id', 0)}"
    return variables


def _own_id(parent: str, part: str, number: int) -> int:
    """Return an id beyond 32 bits: the same part of the same parent has the same ids in every resource."""
    return 7_000_000_000 + draw("own id", parent, part, number).below(1 << 31) * 9 + number


def _known_part(name: str, resource: str, parent: Row, kind: Kind, number: int) -> object | None:
    """Return a part of a name that the parent or the resource's kind determines."""
    if kind.parts and name in kind.parts:
        return kind.parts[name][number]
    root = {"adgroup_id": "ad_group", "base_campaign_id": "campaign"}.get(name, name.removesuffix("_id"))
    if root == "ad":
        return parent.get("ad_group_ad.ad.id")
    if name == "criterion_id":
        return parent.get("ad_group_criterion.criterion_id", parent.get("campaign_criterion.criterion_id"))
    return None if root == resource else parent.get(f"{root}.id")


def _own(resource: str, row: Row) -> Row:
    return {path: value for path, value in row.items() if path.startswith(f"{resource}.")}
