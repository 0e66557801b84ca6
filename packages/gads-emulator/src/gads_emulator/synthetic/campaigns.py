"""The campaigns of a synthetic account with their ad groups, ads, keywords and asset groups, without metrics."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from gads_emulator.agency import Account
from gads_emulator.schema import Row
from gads_emulator.synthetic.accounts import SyntheticSettings
from gads_emulator.synthetic.activity import Profile, bounds_of, draw


@dataclass(frozen=True)
class _Channel:
    """A campaign type: its weekdays (Monday to Sunday), rates of impressions, and networks with their weights."""

    name: str
    ad_group_type: str | None
    """None for a campaign that has asset groups instead of ad groups."""
    weekday: tuple[float, ...]
    click_rate: float
    cost_per_click: float
    """In micros."""
    video_rate: float
    networks: Mapping[str, float]


_CHANNELS = (
    _Channel(
        "SEARCH", "SEARCH_STANDARD", (1.1, 1.15, 1.1, 1.05, 0.95, 0.8, 0.85),
        0.06, 900_000.0, 0.0, {"SEARCH": 0.82, "SEARCH_PARTNERS": 0.18},
    ),
    _Channel(
        "PERFORMANCE_MAX", None, (1.0, 1.0, 1.0, 1.0, 1.05, 0.95, 1.0),
        0.02, 500_000.0, 0.02, {"MIXED": 1.0},
    ),
    _Channel(
        "DISPLAY", "DISPLAY_STANDARD", (0.9, 0.9, 0.95, 1.0, 1.0, 1.1, 1.15),
        0.006, 300_000.0, 0.0, {"CONTENT": 1.0},
    ),
    _Channel(
        "SHOPPING", "SHOPPING_PRODUCT_ADS", (0.9, 0.9, 0.95, 0.95, 1.0, 1.1, 1.2),
        0.012, 400_000.0, 0.0, {"SEARCH": 0.9, "SEARCH_PARTNERS": 0.1},
    ),
    _Channel(
        "VIDEO", "VIDEO_TRUE_VIEW_IN_STREAM", (0.85, 0.85, 0.9, 0.95, 1.1, 1.2, 1.15),
        0.004, 250_000.0, 0.25, {"YOUTUBE": 1.0},
    ),
    _Channel(
        "DEMAND_GEN", "UNSPECIFIED", (0.95, 0.95, 1.0, 1.0, 1.05, 1.05, 1.0),
        0.009, 350_000.0, 0.1, {"YOUTUBE": 0.55, "GMAIL": 0.2, "CONTENT": 0.25},
    ),
)  # fmt: skip
_THEMES = ("Brand", "Generic", "Sommer-Aktion", "Распродажа", "新規顧客", "Été", "Retargeting", "Clearance", "Local")
_WORDS = ("buy online", "near me", "günstig kaufen", "best price", "отзывы", "reviews", "送料無料", "sale", "delivery")
_ASSET_GROUPS = 2
"""Asset groups of a Performance Max campaign, which has no ad groups."""
_LABELS = (("Seasonal", "#E993EB"), ("Évergreen", "#8BCBD2"), ("Тест", "#8266C9"))


@dataclass(frozen=True)
class Entity:
    """A row of attributes with its weight among the entities of its parent."""

    attributes: Row
    weight: float = 1.0
    below: dict[str, list[Entity]] = field(default_factory=dict)


@dataclass(frozen=True)
class Campaign:
    """One campaign: its profile, its entity (ad groups in `below["ad_group"]`) and its networks."""

    profile: Profile
    entity: Entity
    network_names: tuple[str, ...]
    network_bounds: tuple[int, ...]


def make_campaigns(settings: SyntheticSettings, account: Account) -> list[Campaign]:
    """Return the campaigns of an account."""
    return [_campaign(settings, account, number) for number in range(settings.campaigns)]


def label_names(owner: Row) -> list[str]:
    """Return the resource names of the labels of the account that the row `owner` belongs to."""
    customer_id = str(owner["customer.id"])
    return [f"customers/{customer_id}/labels/{_id('label', customer_id, n)}" for n in range(len(_LABELS))]


def make_labels(customer: Row) -> list[Row]:
    """Return the labels of an account, given its `customer` attributes."""
    return [
        {
            **customer,
            "label.resource_name": resource_name,
            "label.id": int(resource_name.rpartition("/")[2]),
            "label.name": name,
            "label.status": "ENABLED",
            "label.text_label.background_color": color,
            "label.text_label.description": f"{name} campaigns",
        }
        for resource_name, (name, color) in zip(label_names(customer), _LABELS, strict=True)
    ]


def _campaign(settings: SyntheticSettings, account: Account, number: int) -> Campaign:
    key = f"{settings.seed}/{account.customer_id}/{number}"
    numbers = draw("campaign", key)
    channel = _CHANNELS[number % len(_CHANNELS)]
    days = (settings.last - settings.first).days
    late = numbers.below(4) == 0 and number > 0
    early_end = numbers.below(5) == 0 and number > 0
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
    attributes = _campaign_attributes(account, number, key, profile, channel.name, paused=early_end)
    entity = Entity(attributes)
    if channel.ad_group_type is None:
        entity.below["asset_group"] = [_asset_group(attributes, key, n) for n in range(_ASSET_GROUPS)]
    else:
        entity.below["ad_group"] = [_ad_group(settings, attributes, key, channel, n) for n in range(settings.ad_groups)]
    return Campaign(profile, entity, tuple(channel.networks), tuple(bounds_of(list(channel.networks.values()))))


def _campaign_attributes(
    account: Account, number: int, key: str, profile: Profile, channel: str, *, paused: bool
) -> Row:
    owner = f"customers/{account.customer_id}"
    campaign_id, budget_id = _id("campaign", key), _id("budget", key)
    amount = int(profile.impressions * profile.click_rate * profile.cost_per_click * 1.5) // 10_000 * 10_000
    name = f"{_THEMES[number % len(_THEMES)]} | {channel.title().replace('_', ' ')} {number + 1}"
    return {
        **account.attributes(),
        "campaign.resource_name": f"{owner}/campaigns/{campaign_id}",
        "campaign.id": campaign_id,
        "campaign.name": name,
        "campaign.status": "PAUSED" if paused else "ENABLED",
        "campaign.serving_status": "SERVING",
        "campaign.advertising_channel_type": channel,
        "campaign.bidding_strategy_type": "MAXIMIZE_CONVERSIONS" if number % 2 else "TARGET_SPEND",
        **(
            {"campaign.maximize_conversions.target_cpa_micros": 10_000 * (500 + campaign_id % 2_000)}
            if number % 2
            else {"campaign.target_spend.cpc_bid_ceiling_micros": 10_000 * (50 + campaign_id % 300)}
        ),
        "campaign.start_date": profile.first.isoformat(),
        "campaign.start_date_time": f"{profile.first.isoformat()} 00:00:00",
        "campaign.campaign_budget": f"{owner}/campaignBudgets/{budget_id}",
        "campaign.payment_mode": "CLICKS",
        "campaign.experiment_type": "BASE",
        "campaign.optimization_score": round(0.4 + campaign_id % 60 / 100, 2),
        "campaign_budget.resource_name": f"{owner}/campaignBudgets/{budget_id}",
        "campaign_budget.id": budget_id,
        "campaign_budget.name": f"Budget {number + 1}",
        "campaign_budget.amount_micros": max(amount, 1_000_000),
        "campaign_budget.delivery_method": "STANDARD",
        "campaign_budget.explicitly_shared": False,
        "campaign_budget.period": "DAILY",
        "campaign_budget.status": "ENABLED",
        "campaign_budget.type": "STANDARD",
        "campaign_budget.reference_count": 1,
    }


def _ad_group(settings: SyntheticSettings, campaign: Row, key: str, channel: _Channel, number: int) -> Entity:
    key = f"{key}/{number}"
    owner = campaign["customer.resource_name"]
    group_id = _id("ad group", key)
    attributes = {
        **campaign,
        "ad_group.resource_name": f"{owner}/adGroups/{group_id}",
        "ad_group.id": group_id,
        "ad_group.name": f"{_THEMES[(group_id + number) % len(_THEMES)]} – {number + 1}",
        "ad_group.status": "ENABLED",
        "ad_group.type": channel.ad_group_type,
        "ad_group.campaign": campaign["campaign.resource_name"],
        "ad_group.cpc_bid_micros": 10_000 * (10 + group_id % 200),
    }
    weight = draw("weight", key).between(0.2, 1.8)
    entity = Entity(attributes, weight)
    entity.below["ad_group_ad"] = [_ad(attributes, key, n) for n in range(settings.ads)]
    if channel.name == "SEARCH":
        entity.below["keyword_view"] = [_keyword(attributes, key, n) for n in range(settings.keywords)]
    return entity


def _asset_group(campaign: Row, key: str, number: int) -> Entity:
    group_id = _id("asset group", key, number)
    attributes = {
        **campaign,
        "asset_group.resource_name": f"{campaign['customer.resource_name']}/assetGroups/{group_id}",
        "asset_group.id": group_id,
        "asset_group.name": f"{_THEMES[(group_id + number) % len(_THEMES)]} assets {number + 1}",
        "asset_group.campaign": campaign["campaign.resource_name"],
        "asset_group.status": "ENABLED",
        "asset_group.primary_status": "ELIGIBLE",
        "asset_group.ad_strength": ("GOOD", "EXCELLENT")[number % 2],
        "asset_group.final_urls": (f"https://shop.example/landing/{group_id % 97}",),
    }
    return Entity(attributes, draw("weight", key, "asset group", number).between(0.4, 1.6))


def _ad(ad_group: Row, key: str, number: int) -> Entity:
    ad_id = _id("ad", key, number)
    owner, group_id = ad_group["customer.resource_name"], ad_group["ad_group.id"]
    attributes = {
        **ad_group,
        "ad_group_ad.resource_name": f"{owner}/adGroupAds/{group_id}~{ad_id}",
        "ad_group_ad.ad_group": ad_group["ad_group.resource_name"],
        "ad_group_ad.status": "ENABLED",
        "ad_group_ad.ad_strength": ("POOR", "AVERAGE", "GOOD", "EXCELLENT")[ad_id % 4],
        "ad_group_ad.policy_summary.approval_status": "APPROVED",
        "ad_group_ad.policy_summary.review_status": "REVIEWED",
        "ad_group_ad.ad.resource_name": f"{owner}/ads/{ad_id}",
        "ad_group_ad.ad.id": ad_id,
        "ad_group_ad.ad.name": f"Ad {number + 1}",
        "ad_group_ad.ad.type": "RESPONSIVE_SEARCH_AD",
        "ad_group_ad.ad.final_urls": (f"https://shop.example/landing/{ad_id % 97}",),
    }
    return Entity(attributes, draw("weight", key, "ad", number).between(0.3, 1.7))


def _keyword(ad_group: Row, key: str, number: int) -> Entity:
    criterion_id = _id("keyword", key, number)
    owner, group_id = ad_group["customer.resource_name"], ad_group["ad_group.id"]
    attributes = {
        **ad_group,
        "keyword_view.resource_name": f"{owner}/keywordViews/{group_id}~{criterion_id}",
        "ad_group_criterion.resource_name": f"{owner}/adGroupCriteria/{group_id}~{criterion_id}",
        "ad_group_criterion.criterion_id": criterion_id,
        "ad_group_criterion.ad_group": ad_group["ad_group.resource_name"],
        "ad_group_criterion.status": "ENABLED",
        "ad_group_criterion.type": "KEYWORD",
        "ad_group_criterion.negative": False,
        "ad_group_criterion.keyword.text": f"{_WORDS[criterion_id % len(_WORDS)]} {number + 1}",
        "ad_group_criterion.keyword.match_type": ("EXACT", "PHRASE", "BROAD")[criterion_id % 3],
        "ad_group_criterion.quality_info.quality_score": 1 + criterion_id % 10,
    }
    return Entity(attributes, draw("weight", key, "keyword", number).between(0.1, 1.9))


def _id(*key: object) -> int:
    return 5_000_000_000 + draw("id", *key).below(1 << 31) * 9


def parents(campaign: Campaign, level: str) -> list[Entity]:
    """Return the entities of a campaign at a level; a weight is the share of the campaign.

    Levels: `campaign`, `ad_group`, `asset_group`, `ad_group_ad`, `keyword_view`, and `leaf`: the ad groups, or the
    campaign if it has none.
    """
    if level == "campaign":
        return [campaign.entity]
    groups = campaign.entity.below.get("ad_group", [])
    if level == "ad_group" or (level == "leaf" and groups):
        return groups
    if level == "leaf":
        return [campaign.entity]
    if level == "asset_group":
        return campaign.entity.below.get("asset_group", [])
    return [
        Entity(entity.attributes, group.weight * entity.weight / total)
        for group in groups
        if (total := sum(other.weight for other in group.below.get(level, [])))
        for entity in group.below.get(level, [])
    ]


OWN_LEVELS: Mapping[str, str] = {
    "campaign": "campaign",
    "campaign_budget": "campaign",
    "ad_group": "ad_group",
    "asset_group": "asset_group",
    "ad_group_ad": "ad_group_ad",
    "keyword_view": "keyword_view",
}
"""The resources of this module, with their levels; `gads_emulator.synthetic.resources` has all others."""
