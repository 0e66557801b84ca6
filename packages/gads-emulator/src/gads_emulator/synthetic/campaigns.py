"""The campaigns of a synthetic account with their ad groups, ads, keywords and asset groups, without metrics."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from gads_emulator.agency import Account
from gads_emulator.schema import Row
from gads_emulator.synthetic.accounts import SyntheticSettings
from gads_emulator.synthetic.activity import Bounds, Profile, bounds_of, draw
from gads_emulator.synthetic.descriptions import TABLES, describer


@dataclass(frozen=True)
class _Channel:
    """A campaign type; see `channels` in `agency.toml`."""

    name: str
    weekday: Sequence[float]
    click_rate: float
    cost_per_click: float
    networks: Mapping[str, float]
    video_rate: float = 0.0
    ad_group_type: str | None = None


_CHANNELS = [_Channel(**channel) for channel in TABLES["channels"]]
_THEMES: list[str] = TABLES["words"]["themes"]
_LABELS: list[tuple[str, str]] = TABLES["words"]["labels"]
_ASSET_GROUPS = 2
"""Asset groups of a Performance Max campaign, which has no ad groups."""
_EVERY_REMOVED = 6
"""Of so many campaigns of an account the last has ended and is removed, with every second ad group and ad in it."""
_EVERY_IDLE = 3
"""Of so many ad groups of every second campaign the last has never had an impression."""
_DESCRIBERS = {name: describer(entity["attributes"]) for name, entity in TABLES["entities"].items()}


@dataclass(frozen=True)
class Entity:
    """A row of attributes with its weight among the entities of its parent."""

    attributes: Row
    weight: float = 1.0
    below: dict[str, list["Entity"]] = field(default_factory=dict)


@dataclass(frozen=True)
class Campaign:
    """One campaign: its profile, its entity (ad groups in `below["ad_group"]`) and its networks."""

    profile: Profile
    entity: Entity
    network_names: tuple[str, ...]
    network_bounds: tuple[Bounds, ...]


def make_campaigns(settings: SyntheticSettings, account: Account) -> list[Campaign]:
    """Return the campaigns of an account."""
    return [_campaign(settings, account, number) for number in range(settings.campaigns)]


def label_names(owner: Row) -> list[str]:
    """Return the resource names of the labels of the account that the row `owner` belongs to."""
    customer_id = str(owner["customer.id"])
    return [f"customers/{customer_id}/labels/{_id('label', customer_id, n)}" for n in range(len(_LABELS))]


def make_labels(customer: Row) -> list[Row]:
    """Return the labels of an account, given its `customer` attributes."""
    variables = [
        {"resource_name": own_name, "id": int(own_name.rpartition("/")[2]), "name": name, "color": color}
        for own_name, (name, color) in zip(label_names(customer), _LABELS, strict=True)
    ]
    return [{**customer, **_DESCRIBERS["label"](label)} for label in variables]


def _campaign(settings: SyntheticSettings, account: Account, number: int) -> Campaign:
    key = f"{settings.seed}/{account.customer_id}/{number}"
    numbers = draw("campaign", key)
    channel = _CHANNELS[number % len(_CHANNELS)]
    days = (settings.last - settings.first).days
    late = numbers.below(4) == 0 and number > 0
    removed = number % _EVERY_REMOVED == _EVERY_REMOVED - 1
    early_end = (numbers.below(5) == 0 and number > 0) or removed
    first = settings.first + timedelta(days=days // 3 if late else 0)
    last = settings.last - timedelta(days=days // 4 if early_end else 0)
    profile = Profile(
        key=key,
        impressions=200 * 10 ** numbers.between(0, 1.5),
        click_rate=channel.click_rate * numbers.between(0.6, 1.5),
        cost_per_click=channel.cost_per_click * numbers.between(0.5, 2),
        conversion_rate=numbers.between(0.01, 0.08),
        value_per_conversion=numbers.between(15, 120),
        video_rate=channel.video_rate,
        weekday=channel.weekday,
        first=first,
        last=last,
        quiet_days=0.02 if number % 5 else 0.15,
    )
    campaign_id, amount = _id("campaign", key), profile.impressions * profile.click_rate * profile.cost_per_click * 1.5
    variables: Row = {
        **account.attributes(),
        "number": number,
        "n": number + 1,
        "id": campaign_id,
        "budget_id": _id("budget", key),
        "theme": _THEMES[number % len(_THEMES)],
        "channel": channel.name,
        "channel_title": channel.name.title().replace("_", " "),
        "status": "REMOVED" if removed else "PAUSED" if early_end else "ENABLED",
        "first": first.isoformat(),
        "score": round(0.4 + campaign_id % 60 / 100, 2),
        "amount": max(int(amount) // 10_000 * 10_000, 1_000_000),
    }
    attributes = {**account.attributes(), **_DESCRIBERS["campaign"](variables)}
    if number % 2:
        attributes["campaign.maximize_conversions.target_cpa_micros"] = 10_000 * (500 + campaign_id % 2_000)
    else:
        attributes["campaign.target_spend.cpc_bid_ceiling_micros"] = 10_000 * (50 + campaign_id % 300)
    entity = Entity(attributes)
    if channel.ad_group_type is None:
        entity.below["asset_group"] = [
            _entity("asset_group", attributes, n, ("asset group", key, n), (key, "asset group", n))
            for n in range(_ASSET_GROUPS)
        ]
    else:
        entity.below["ad_group"] = [
            _ad_group(settings, attributes, f"{key}/{n}", channel, n, number % 2 == 0 and n % _EVERY_IDLE == 2)
            for n in range(settings.ad_groups)
        ]
    return Campaign(profile, entity, tuple(channel.networks), tuple(bounds_of(list(channel.networks.values()))))


def _ad_group(
    settings: SyntheticSettings, campaign: Row, key: str, channel: _Channel, number: int, idle: bool
) -> Entity:
    group = _entity("ad_group", campaign, number, ("ad group", key), (key,), ad_group_type=channel.ad_group_type)
    if idle:
        group = replace(group, weight=0.0)
    below = {"ad_group_ad": ("ad", settings.ads)}
    if channel.name == "SEARCH":
        below["keyword_view"] = ("keyword", settings.keywords)
    for level, (name, count) in below.items():
        group.below[level] = [_entity(level, group.attributes, n, (name, key, n), (key, name, n)) for n in range(count)]
    return group


def _entity(
    level: str, parent: Row, number: int, id_key: Sequence[object], weight_key: Sequence[object], **more: object
) -> Entity:
    own_id = _id(*id_key)
    variables = {
        **parent,
        **more,
        "id": own_id,
        "number": number,
        "n": number + 1,
        "theme": _THEMES[(own_id + number) % len(_THEMES)],
        "page": own_id % 97,
        "bid": 10_000 * (10 + own_id % 200),
        "status": "REMOVED" if parent["campaign.status"] == "REMOVED" and number % 2 else "ENABLED",
    }
    low, high = TABLES["entities"][level]["weight"]
    return Entity({**parent, **_DESCRIBERS[level](variables)}, draw("weight", *weight_key).between(low, high))


def _id(*key: object) -> int:
    return 5_000_000_000 + draw("id", *key).below(1 << 31) * 9


def parents(campaign: Campaign, level: str) -> list[Entity]:
    """Return the entities of a campaign at a level; a weight is the share of the campaign.

    Levels: `campaign`, `ad_group`, `asset_group`, `ad_group_ad`, `keyword_view`, and `leaf`: the ad groups, or the
    campaign if it has none.
    """
    groups = campaign.entity.below.get("ad_group", [])
    if level == "campaign" or (level == "leaf" and not groups):
        return [campaign.entity]
    if level in ("ad_group", "leaf"):
        return groups
    if level == "asset_group":
        return campaign.entity.below.get("asset_group", [])
    return [
        Entity(entity.attributes, group.weight * entity.weight / total)
        for group in groups
        if (total := sum(other.weight for other in group.below.get(level, [])))
        for entity in group.below.get(level, [])
    ]


OWN_LEVELS: Mapping[str, str] = TABLES["own_levels"]
"""The resources of this module, with their levels; `gads_emulator.synthetic.resources` has all others."""
