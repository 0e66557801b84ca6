"""All other resources of a synthetic account: the pattern of a resource's name says what it belongs to."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from functools import lru_cache

from gads_emulator.schema import Row
from gads_emulator.synthetic.activity import draw
from gads_emulator.synthetic.campaigns import Campaign, Entity, make_labels, parents
from gads_emulator.synthetic.criteria import OF_AD_GROUPS, OF_CAMPAIGNS, VIEWS, count_of, criterion
from gads_emulator.synthetic.kinds import KINDS, Kind, own_id
from gads_emulator.synthetic.resource_names import has_pattern, parameters_of, resource_name

_LEVELS = (
    ("ad_id", "ad_group_ad"),
    ("asset_group_id", "asset_group"),
    ("ad_group_id", "ad_group"),
    ("adgroup_id", "ad_group"),
    ("campaign_id", "campaign"),
    ("base_campaign_id", "campaign"),
)
_LINKS = {
    "asset_id": "asset",
    "label_id": "label",
    "shared_set_id": "shared_set",
    "bidding_strategy_id": "bidding_strategy",
    "asset_set_id": "asset_set",
    "customizer_attribute_id": "customizer_attribute",
    "user_list_id": "user_list",
    "lift_measurement_configuration_id": "lift_measurement_config",
    "trial_id": "experiment",
}
_ABOVE_KEYWORDS = "ad_group_criterion_"
_ROOTS = {"ad_group_id": "ad_group", "adgroup_id": "ad_group", "base_campaign_id": "campaign"}


def level_of(resource: str) -> str:
    """Return what a resource belongs to: `account`, or a level of `parents`."""
    kind = KINDS.get(resource)
    if kind is not None and kind.level:
        return kind.level
    if resource.startswith(_ABOVE_KEYWORDS):
        return "keyword_view"
    names = parameters_of(resource)
    if names[-1] == "campaign_group_id":
        return "account"
    return next((level for part, level in _LEVELS if part in names), "account")


def entities(resource: str, campaign: Campaign) -> list[Entity]:
    """Return a campaign's rows of a resource that belongs to it; weights are shares of the campaign."""
    kind = KINDS.get(resource, Kind())
    if kind.channels and campaign.entity.attributes["campaign.advertising_channel_type"] not in kind.channels:
        return []
    above = parents(campaign, level_of(resource))
    if resource == "ad_group_criterion":
        return [*parents(campaign, "keyword_view"), *_criteria(above, OF_AD_GROUPS, of_campaign=False)]
    if resource == "campaign_criterion":
        return _criteria(above, OF_CAMPAIGNS, of_campaign=True)
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
    return _rows(resource, KINDS.get(resource, Kind()), dict(customer)) if has_pattern(resource) else []


def _criteria(above: list[Entity], kinds: Sequence[str], *, of_campaign: bool) -> list[Entity]:
    return [
        Entity(criterion(parent.attributes, kind, number, of_campaign=of_campaign))
        for parent in above
        for kind in kinds
        for number in range(count_of(kind))
    ]


def _rows(resource: str, kind: Kind, parent: Row) -> list[Row]:
    count = count_of(VIEWS[resource]) if resource in VIEWS else kind.count
    return [_row(resource, kind, parent, number) for number in range(count)]


def _row(resource: str, kind: Kind, parent: Row, number: int) -> Row:
    if resource in VIEWS:
        parent = criterion(parent, VIEWS[resource], number, of_campaign="ad_group.id" not in parent)
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
            known = own_id(above, name, number)
            if name.endswith("_id"):
                row.setdefault(f"{resource}.id", known)
            elif not name.endswith(("fingerprint", "fp", "low", "high")):
                known = _encoded(str(known))
        parts[name] = known
        if name.endswith("_id") or name in kind.parts:
            row.setdefault(f"{resource}.{name}", known)
    row[f"{resource}.resource_name"] = resource_name(resource, parts)
    for level in ("campaign", "ad_group", "asset_group"):
        if f"{level}.resource_name" in row and level != resource:
            row.setdefault(f"{resource}.{level}", row[f"{level}.resource_name"])
    row.update({f"{resource}.{path}": value for path, value in kind.describe(row, number).items()})
    if kind.joined:
        member = _own(kind.joined, _row(kind.joined, KINDS[kind.joined], parent, number))
        row.update(member)
        row[f"{resource}.{kind.joined}"] = member[f"{kind.joined}.resource_name"]
    return row


def _known_part(name: str, resource: str, parent: Row, kind: Kind, number: int) -> object | None:
    """Return a part of a name that the parent or the resource's kind determines."""
    if name in kind.parts:
        return kind.parts[name][number]
    root = _ROOTS.get(name, name.removesuffix("_id"))
    if root == "ad":
        return parent.get("ad_group_ad.ad.id")
    if name == "criterion_id":
        return parent.get("ad_group_criterion.criterion_id", parent.get("campaign_criterion.criterion_id"))
    return None if root == resource else parent.get(f"{root}.id")


def _own(resource: str, row: Row) -> Row:
    return {path: value for path, value in row.items() if path.startswith(f"{resource}.")}


def _encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")
