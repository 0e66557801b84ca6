"""What ad groups and campaigns are aimed at: demographics, audiences, placements, places and times."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gads_emulator.resource_names import resource_name
from gads_emulator.schema import Row
from gads_emulator.synthetic.activity import draw

_AGES = ("18_24", "25_34", "35_44", "45_54", "55_64", "65_UP", "UNDETERMINED")
_INCOMES = ("0_50", "50_60", "60_70", "70_80", "80_90", "90_UP", "UNDETERMINED")
_DAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
_TERMS = ("kostenlos", "job", "repair", "б/у", "manual")
_PLACES = (2276, 2840, 2826, 2392, 2076)

Members = Callable[[Row, int], Row]
"""From the customer's attributes and a number to a criterion's own fields."""

_KINDS: Mapping[str, tuple[str, int, Members]] = {
    "age_range": ("AGE_RANGE", len(_AGES), lambda _, n: {"age_range.type": f"AGE_RANGE_{_AGES[n]}"}),
    "gender": ("GENDER", 3, lambda _, n: {"gender.type": ("MALE", "FEMALE", "UNDETERMINED")[n]}),
    "parental_status": (
        "PARENTAL_STATUS",
        3,
        lambda _, n: {"parental_status.type": ("PARENT", "NOT_A_PARENT", "UNDETERMINED")[n]},
    ),
    "income_range": (
        "INCOME_RANGE",
        len(_INCOMES),
        lambda _, n: {"income_range.type": f"INCOME_RANGE_{_INCOMES[n]}"},
    ),
    "audience": (
        "USER_LIST",
        2,
        lambda row, n: {
            "user_list.user_list": f"{row['customer.resource_name']}/userLists/{7_000_001 + n}",
            "display_name": f"Audience {n + 1}",
        },
    ),
    "topic": (
        "TOPIC",
        2,
        lambda _, n: {"topic.topic_constant": f"topicConstants/{11 + n}", "topic.path": (f"Topic {n + 1}",)},
    ),
    "placement": ("PLACEMENT", 2, lambda _, n: {"placement.url": f"site-{n + 1}.example"}),
    "display_keyword": (
        "KEYWORD",
        2,
        lambda _, n: {"keyword.text": f"display {n + 1}", "keyword.match_type": "BROAD"},
    ),
    "negative_keyword": (
        "KEYWORD",
        2,
        lambda _, n: {"keyword.text": _TERMS[n], "keyword.match_type": ("PHRASE", "EXACT")[n], "negative": True},
    ),
    "listing_group": (
        "LISTING_GROUP",
        3,
        lambda _, n: {
            "listing_group.type": "UNIT",
            "listing_group.case_value.product_brand.value": f"Brand {n + 1}",
        },
    ),
    "webpage": ("WEBPAGE", 2, lambda _, n: {"webpage.criterion_name": f"Pages {n + 1}"}),
    "ad_schedule": (
        "AD_SCHEDULE",
        len(_DAYS),
        lambda _, n: {
            "ad_schedule.day_of_week": _DAYS[n],
            "ad_schedule.start_hour": 6,
            "ad_schedule.start_minute": "ZERO",
            "ad_schedule.end_hour": 22,
            "ad_schedule.end_minute": "ZERO",
        },
    ),
    "location": (
        "LOCATION",
        3,
        lambda _, n: {"location.geo_target_constant": f"geoTargetConstants/{_PLACES[n]}"},
    ),
    "language": ("LANGUAGE", 2, lambda _, n: {"language.language_constant": f"languageConstants/{1000 + n}"}),
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
"""The resources whose rows are about a criterion, and which."""

OF_AD_GROUPS = (
    "negative_keyword",
    "age_range",
    "gender",
    "parental_status",
    "income_range",
    "audience",
    "topic",
    "placement",
    "webpage",
)
OF_CAMPAIGNS = ("location", "language", "device", "ad_schedule", "negative_keyword", "audience", "placement")


def count_of(kind: str) -> int:
    """Return how many criteria of a kind one ad group or campaign has."""
    return _KINDS[kind][1]


def criterion(parent: Row, kind: str, number: int, *, of_campaign: bool) -> Row:
    """Return the attributes of one criterion of the ad group or campaign that `parent` is, and `parent`'s own."""
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
