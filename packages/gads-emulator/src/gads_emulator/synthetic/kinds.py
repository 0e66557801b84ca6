"""What the resources of a synthetic account are like: how many there are, what they belong to and what they contain."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gads_emulator.schema import Row
from gads_emulator.synthetic.activity import draw

_SEARCHES = ("buy {}", "{} near me", "best {} 2024", "купить {}", "{} günstig", "{} 通販", "cheap {}")
_THINGS = ("bike", "lamp", "kettle", "tent", "книга", "Schuhe", "本")
_FIELD_TYPES = (
    "HEADLINE", "DESCRIPTION", "MARKETING_IMAGE", "LOGO", "YOUTUBE_VIDEO", "SITELINK", "CALLOUT", "HEADLINE",
)  # fmt: skip
_GOALS = (("PURCHASE", "WEBSITE"), ("SUBMIT_LEAD_FORM", "WEBSITE"), ("PHONE_CALL_LEAD", "CALL_FROM_ADS"))
_COUNTRIES = (2840, 2276, 2392)
_SEARCH = ("SEARCH",)
_PMAX = ("PERFORMANCE_MAX",)
_SHOPPING = ("SHOPPING", "PERFORMANCE_MAX")
_SITES = ("DISPLAY", "VIDEO", "DEMAND_GEN")

Describe = Callable[[Row, int], Row]
"""From a row with the attributes of its parent, and its number, to the resource's own attributes by relative path."""


def own_id(parent: str, part: str, number: int) -> int:
    """Return an id beyond 32 bits: the same part of the same parent has the same ids in every resource."""
    return 7_000_000_000 + draw("own id", parent, part, number).below(1 << 31) * 9 + number


@dataclass(frozen=True, slots=True)
class Kind:
    """How many rows of a resource each parent has, and what they contain."""

    count: int = 2
    level: str = ""
    """What the rows belong to: a level of `parents`, or `account`; empty to read it off the resource's name."""
    channels: tuple[str, ...] = ()
    """The campaign types that have such rows; empty for all."""
    describe: Describe = lambda _row, _number: {}
    parts: Mapping[str, Sequence[object]] = field(default_factory=dict)
    """Values for parts of the name, by number."""
    joined: str = ""
    """A resource of the same parent, whose row of the same number each row is joined to."""


def _owner_id(row: Row) -> int:
    return int(row.get("ad_group.id") or row.get("campaign.id") or 0)


def _terms(*attributes: str) -> Describe:
    def describe(row: Row, number: int) -> Row:
        thing = _THINGS[_owner_id(row) % len(_THINGS)]
        term = _SEARCHES[number % len(_SEARCHES)].format(thing) + (f" {number}" if number >= len(_SEARCHES) else "")
        return dict.fromkeys(attributes, term)

    return describe


def _page(attribute: str) -> Describe:
    return lambda row, number: {attribute: f"https://shop.example/landing/{_owner_id(row) % 97}/{number}"}


def _asset(_row: Row, number: int) -> Row:
    kind, members = (
        ("TEXT", {"text_asset.text": f"Headline {number + 1}"}),
        ("TEXT", {"text_asset.text": f"Ein Text, {number + 1} Zeilen"}),
        (
            "IMAGE",
            {
                "image_asset.full_size.url": f"https://images.example/{number}.png",
                "image_asset.full_size.width_pixels": 1200,
                "image_asset.full_size.height_pixels": 628,
                "image_asset.mime_type": "IMAGE_PNG",
                "image_asset.file_size": 10_000 + number,
            },
        ),
        ("IMAGE", {"image_asset.full_size.url": f"https://images.example/logo-{number}.png"}),
        (
            "YOUTUBE_VIDEO",
            {
                "youtube_video_asset.youtube_video_id": f"vid{number:08}",
                "youtube_video_asset.youtube_video_title": f"Film {number + 1}",
            },
        ),
        ("SITELINK", {"sitelink_asset.link_text": "Öffnungszeiten", "sitelink_asset.description1": "Every day"}),
        ("CALLOUT", {"callout_asset.callout_text": "送料無料"}),
        ("TEXT", {"text_asset.text": f"Headline {number + 1}"}),
    )[number]
    return {"type": kind, "name": f"Asset {number + 1}", "source": "ADVERTISER", **members}


def _conversion_action(row: Row, number: int) -> Row:
    return {
        "name": ("Purchase", "Anfrage", "Звонок")[number],
        "status": "ENABLED",
        "type": ("WEBPAGE", "WEBPAGE", "AD_CALL")[number],
        "category": _GOALS[number][0],
        "origin": _GOALS[number][1],
        "owner_customer": row["customer.resource_name"],
        "primary_for_goal": number != 1,
        "include_in_conversions_metric": number != 1,
        "click_through_lookback_window_days": 30,
        "view_through_lookback_window_days": 1,
        "counting_type": ("MANY_PER_CLICK", "ONE_PER_CLICK", "ONE_PER_CLICK")[number],
    }


def _listing_filter(row: Row, number: int) -> Row:
    if not number:
        return {"listing_source": "SHOPPING", "type": "SUBDIVISION"}
    above = row["asset_group_listing_group_filter.resource_name"].rpartition("~")[0]
    root = own_id(row["asset_group.resource_name"], "listing_group_filter_id", 0)
    return {
        "listing_source": "SHOPPING",
        "type": "UNIT_INCLUDED",
        "parent_listing_group_filter": f"{above}~{root}",
        "case_value.product_brand.value": f"Brand {number}",
    }


def _site(_row: Row, number: int) -> Row:
    site = f"site-{number + 1}.example"
    return {
        "placement": site,
        "display_name": f"Site {number + 1}",
        "target_url": f"https://{site}/",
        "group_placement_target_url": site,
        "placement_type": "WEBSITE",
    }


def _article(row: Row, number: int) -> Row:
    own = _site(row, number)
    return own if number else {**own, "placement": f"{own['placement']}/article"}


def _geographic(_row: Row, number: int) -> Row:
    return {
        "country_criterion_id": _COUNTRIES[number % 3],
        "location_type": "LOCATION_OF_PRESENCE" if number % 2 else "AREA_OF_INTEREST",
        "targeting_location": bool(number % 2),
    }


def _call(row: Row, number: int) -> Row:
    minute = int(row["ad_group.id"]) % 50
    return {
        "start_call_date_time": f"2024-01-{2 + number:02} 10:{minute:02}:00",
        "end_call_date_time": f"2024-01-{2 + number:02} 10:{minute + 3:02}:00",
        "call_duration_seconds": 180,
        "call_status": "RECEIVED",
        "type": "HIGH_END_MOBILE_SEARCH",
        "call_tracking_display_location": "AD",
        "caller_country_code": "US",
        "caller_area_code": "212",
    }


def _video(_row: Row, number: int) -> Row:
    return {"title": f"Film {number + 1}", "duration_millis": 15_000 * (number + 1), "channel_id": "UCemulator"}


def _goal(_row: Row, number: int) -> Row:
    return {"origin": _GOALS[number][1], "biddable": number != 1}


def _bidding_strategy(_row: Row, number: int) -> Row:
    goal = {"type": "TARGET_ROAS", "target_roas.target_roas": 3.5}
    if number == 0:
        goal = {"type": "TARGET_CPA", "target_cpa.target_cpa_micros": 5_000_000}
    return {"name": f"Portfolio {number + 1}", **goal}


def _shared_criterion(_row: Row, number: int) -> Row:
    text = ("free", "работа", "無料", "diy")[number]
    return {"type": "KEYWORD", "keyword.text": text, "keyword.match_type": "PHRASE"}


def _shared_set(_row: Row, number: int) -> Row:
    return {"type": ("NEGATIVE_KEYWORDS", "NEGATIVE_PLACEMENTS")[number], "name": f"List {number + 1}"}


def _negative_criterion(_row: Row, number: int) -> Row:
    return {"type": "PLACEMENT", "placement.url": f"unwanted-{number + 1}.example"}


_LINKED_ASSETS = {"field_type": _FIELD_TYPES}
_GOAL_PARTS = {"category": [goal for goal, _ in _GOALS], "source": [origin for _, origin in _GOALS]}
_INTEREST = "AREA_OF_INTEREST"
_GEOGRAPHIC_PARTS = {
    "country_criterion_id": _COUNTRIES,
    "location_type": (_INTEREST, "LOCATION_OF_PRESENCE", _INTEREST),
}
_USER_LOCATION_PARTS = {"country_criterion_id": _COUNTRIES, "is_targeting_location": ("false", "true", "false")}

KINDS: Mapping[str, Kind] = {
    "asset": Kind(len(_FIELD_TYPES), describe=_asset),
    "conversion_action": Kind(3, describe=_conversion_action),
    "search_term_view": Kind(6, channels=_SEARCH, describe=_terms("search_term")),
    "campaign_search_term_view": Kind(6, channels=(*_SEARCH, *_PMAX), describe=_terms("search_term")),
    "dynamic_search_ads_search_term_view": Kind(3, channels=_SEARCH, describe=_terms("search_term", "headline")),
    "paid_organic_search_term_view": Kind(3, channels=_SEARCH, describe=_terms("search_term")),
    "smart_campaign_search_term_view": Kind(3, channels=_SEARCH, describe=_terms("search_term")),
    "ai_max_search_term_ad_combination_view": Kind(3, channels=_SEARCH, describe=_terms("search_term", "headline")),
    "landing_page_view": Kind(2, "leaf", describe=_page("unexpanded_final_url")),
    "expanded_landing_page_view": Kind(3, "leaf", describe=_page("expanded_final_url")),
    "geographic_view": Kind(3, "leaf", describe=_geographic, parts=_GEOGRAPHIC_PARTS),
    "user_location_view": Kind(3, "leaf", describe=_geographic, parts=_USER_LOCATION_PARTS),
    "matched_location_interest_view": Kind(3, "leaf", parts={"country_criterion_id": _COUNTRIES}),
    "detail_placement_view": Kind(4, channels=_SITES, describe=_article),
    "group_placement_view": Kind(4, channels=_SITES, describe=_site),
    "detail_content_suitability_placement_view": Kind(3, "ad_group", _SITES, describe=_article),
    "group_content_suitability_placement_view": Kind(3, "ad_group", _SITES, describe=_site),
    "performance_max_placement_view": Kind(3, "campaign", _PMAX, describe=_article),
    "shopping_performance_view": Kind(1, "leaf", _SHOPPING),
    "cart_data_sales_view": Kind(1, "campaign", _SHOPPING),
    "hotel_performance_view": Kind(1, "campaign"),
    "travel_activity_performance_view": Kind(1, "campaign"),
    "product_group_view": Kind(channels=("SHOPPING",)),
    "display_keyword_view": Kind(channels=("DISPLAY",)),
    "topic_view": Kind(channels=("DISPLAY", "VIDEO")),
    "managed_placement_view": Kind(channels=("DISPLAY", "VIDEO")),
    "asset_group_listing_group_filter": Kind(3, describe=_listing_filter),
    "asset_group_product_group_view": Kind(3, joined="asset_group_listing_group_filter"),
    "asset_group_asset": Kind(len(_FIELD_TYPES), parts=_LINKED_ASSETS),
    "ad_group_asset": Kind(3, parts=_LINKED_ASSETS),
    "campaign_asset": Kind(4, parts=_LINKED_ASSETS),
    "customer_asset": Kind(4, parts=_LINKED_ASSETS),
    "ad_group_ad_asset_view": Kind(4, parts=_LINKED_ASSETS),
    "channel_aggregate_asset_view": Kind(4, "campaign", parts=_LINKED_ASSETS),
    "campaign_aggregate_asset_view": Kind(4, parts=_LINKED_ASSETS),
    "final_url_expansion_asset_view": Kind(3, channels=_PMAX, parts=_LINKED_ASSETS),
    "asset_field_type_view": Kind(5, "campaign", parts=_LINKED_ASSETS),
    "distance_view": Kind(3, "campaign", parts={"distance_bucket": ("WITHIN_700M", "WITHIN_1KM", "WITHIN_5KM")}),
    "per_store_view": Kind(2, "campaign"),
    "video": Kind(1, "ad_group_ad", ("VIDEO", "DEMAND_GEN"), describe=_video),
    "call_view": Kind(2, "ad_group", _SEARCH, describe=_call),
    "campaign_conversion_goal": Kind(3, parts=_GOAL_PARTS, describe=_goal),
    "customer_conversion_goal": Kind(3, parts=_GOAL_PARTS, describe=_goal),
    "customer_user_access": Kind(3),
    "shared_criterion": Kind(4, describe=_shared_criterion),
    "shared_set": Kind(2, describe=_shared_set),
    "bidding_strategy": Kind(2, describe=_bidding_strategy),
    "customer_negative_criterion": Kind(2, describe=_negative_criterion),
}
"""By resource; a resource that is not here is a plain `Kind()`."""
