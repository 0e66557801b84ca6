"""What ad groups and campaigns target: demographics, audiences, placements, locations and hours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gads_emulator.calendar_segments import DAYS_OF_WEEK
from gads_emulator.schema import Row
from gads_emulator.synthetic.activity import draw
from gads_emulator.synthetic.resource_names import resource_name

_AGES = ("18_24", "25_34", "35_44", "45_54", "55_64", "65_UP", "UNDETERMINED")
_INCOMES = ("0_50", "50_60", "60_70", "70_80", "80_90", "90_UP", "UNDETERMINED")

_Kind = tuple[str, int, Callable[[Row, int], Row]]
"""The type of the criteria, how many each parent has, and from the parent and a number to their own attributes."""


def _choice(type_name: str, attribute: str, values: Sequence[str]) -> _Kind:
    return type_name, len(values), lambda _, number: {attribute: values[number]}


def _keyword(text: str, match_type: str) -> Row:
    return {"keyword.text": text, "keyword.match_type": match_type}


def _audience(parent: Row, number: int) -> Row:
    user_list = f"{parent['customer.resource_name']}/userLists/{7_000_001 + number}"
    return {"user_list.user_list": user_list, "display_name": f"Audience {number + 1}"}


def _negative_keyword(_: Row, number: int) -> Row:
    return {**_keyword(("kostenlos", "job")[number], ("PHRASE", "EXACT")[number]), "negative": True}


def _listing_group(_: Row, number: int) -> Row:
    return {"listing_group.type": "UNIT", "listing_group.case_value.product_brand.value": f"Brand {number + 1}"}


def _ad_schedule(_: Row, number: int) -> Row:
    return {
        "ad_schedule.day_of_week": DAYS_OF_WEEK[number],
        "ad_schedule.start_hour": 6,
        "ad_schedule.start_minute": "ZERO",
        "ad_schedule.end_hour": 22,
        "ad_schedule.end_minute": "ZERO",
    }


_KINDS: Mapping[str, _Kind] = {
    "age_range": _choice("AGE_RANGE", "age_range.type", [f"AGE_RANGE_{age}" for age in _AGES]),
    "gender": _choice("GENDER", "gender.type", ("MALE", "FEMALE", "UNDETERMINED")),
    "parental_status": _choice("PARENTAL_STATUS", "parental_status.type", ("PARENT", "NOT_A_PARENT", "UNDETERMINED")),
    "income_range": _choice("INCOME_RANGE", "income_range.type", [f"INCOME_RANGE_{income}" for income in _INCOMES]),
    "audience": ("USER_LIST", 2, _audience),
    "topic": (
        "TOPIC",
        2,
        lambda _, n: {"topic.topic_constant": f"topicConstants/{11 + n}", "topic.path": (f"Topic {n + 1}",)},
    ),
    "placement": _choice("PLACEMENT", "placement.url", ("site-1.example", "site-2.example")),
    "display_keyword": ("KEYWORD", 2, lambda _, n: _keyword(f"display {n + 1}", "BROAD")),
    "negative_keyword": ("KEYWORD", 2, _negative_keyword),
    "listing_group": ("LISTING_GROUP", 3, _listing_group),
    "webpage": _choice("WEBPAGE", "webpage.criterion_name", ("Pages 1", "Pages 2")),
    "ad_schedule": ("AD_SCHEDULE", len(DAYS_OF_WEEK), _ad_schedule),
    "location": _choice(
        "LOCATION", "location.geo_target_constant", [f"geoTargetConstants/{place}" for place in (2276, 2840, 2826)]
    ),
    "language": _choice("LANGUAGE", "language.language_constant", [f"languageConstants/{n}" for n in (1000, 1001)]),
    "device": ("DEVICE", 3, lambda _, n: {"device.type": ("MOBILE", "DESKTOP", "TABLET")[n], "bid_modifier": 1.0}),
}

VIEWS: Mapping[str, str] = {
    "age_range_view": "age_range",
    "gender_view": "gender",
    "parental_status_view": "parental_status",
    "income_range_view": "income_range",
    "ad_group_audience_view": "audience",
    "campaign_audience_view": "audience",
    "topic_view": "topic",
    "managed_placement_view": "placement",
    "content_criterion_view": "placement",
    "display_keyword_view": "display_keyword",
    "product_group_view": "listing_group",
    "hotel_group_view": "listing_group",
    "webpage_view": "webpage",
    "ad_schedule_view": "ad_schedule",
    "location_view": "location",
    "ad_group_bid_modifier": "device",
    "campaign_bid_modifier": "device",
}
"""The resources whose rows are about a criterion, and its kind."""

OF_AD_GROUPS = (
    "negative_keyword", "age_range", "gender", "parental_status", "income_range",
    "audience", "topic", "placement", "webpage",
)  # fmt: skip
OF_CAMPAIGNS = ("location", "language", "device", "ad_schedule", "negative_keyword", "audience", "placement")


def count_of(kind: str) -> int:
    """Return how many criteria of a kind one ad group or campaign has."""
    return _KINDS[kind][1]


def criterion(parent: Row, kind: str, number: int, *, of_campaign: bool) -> Row:
    """Return the row of one criterion of an ad group or campaign, with the attributes of that `parent`."""
    above = "campaign" if of_campaign else "ad_group"
    prefix = f"{above}_criterion"
    type_name, _, members = _KINDS[kind]
    above_name = parent[f"{above}.resource_name"]
    criterion_id = 300_000_000_000 + draw("criterion", above_name, kind, number).below(1 << 31) * 9
    parts = {"customer_id": parent["customer.id"], f"{above}_id": parent[f"{above}.id"], "criterion_id": criterion_id}
    own = {"status": "ENABLED", "negative": False, **members(parent, number)}
    return {
        **parent,
        f"{prefix}.resource_name": resource_name(prefix, parts),
        f"{prefix}.criterion_id": criterion_id,
        f"{prefix}.{above}": above_name,
        f"{prefix}.type": type_name,
        **{f"{prefix}.{path}": value for path, value in own.items()},
    }
