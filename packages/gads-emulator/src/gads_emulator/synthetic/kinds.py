"""What the resources of a synthetic client are like: how many there are, where they hang and what they say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from gads_emulator.resource_names import resource_name
from gads_emulator.schema import Row
from gads_emulator.synthetic.activity import draw


def own_id(above: str, part: str, number: int) -> int:
    """An id beyond 32 bits; the same part of the same parent has the same ids in every resource."""
    return 7_000_000_000 + draw("own id", above, part, number).below(1 << 31) * 9 + number


_SEARCHES = ("buy {}", "{} near me", "best {} 2024", "купить {}", "{} günstig", "{} 通販", "cheap {}")
_THINGS = ("bike", "lamp", "kettle", "tent", "книга", "Schuhe", "本")
_FIELD_TYPES = (
    "HEADLINE",
    "DESCRIPTION",
    "MARKETING_IMAGE",
    "LOGO",
    "YOUTUBE_VIDEO",
    "SITELINK",
    "CALLOUT",
    "HEADLINE",
)
_GOALS = (("PURCHASE", "WEBSITE"), ("SUBMIT_LEAD_FORM", "WEBSITE"), ("PHONE_CALL_LEAD", "CALL_FROM_ADS"))
_SEARCH = ("SEARCH",)
_PMAX = ("PERFORMANCE_MAX",)
_SITES = ("DISPLAY", "VIDEO", "DEMAND_GEN")

Describe = Callable[[Row, int], Row]
"""From the attributes of what it hangs on and a number to attributes of its own, as whole paths."""


def _nothing(_row: Row, _number: int) -> Row:
    return {}


@dataclass(frozen=True, slots=True)
class Kind:
    """How many of a resource hang on each of what is above it."""

    count: int = 2
    level: str = ""
    """Where it hangs; empty is what its name says. See `parents`; `account` is the account."""
    channels: tuple[str, ...] = ()
    """Only on campaigns of these types; empty is any."""
    describe: Describe = _nothing
    parts: Mapping[str, Sequence[object]] = field(default_factory=dict)
    """Values for parts of the name, by number."""


def _owner_id(row: Row) -> int:
    return int(row.get("ad_group.id") or row.get("campaign.id") or 0)


def _term(row: Row, number: int) -> str:
    group = _owner_id(row)
    thing = _THINGS[group % len(_THINGS)]
    return f"{_SEARCHES[number % len(_SEARCHES)].format(thing)}{'' if number < len(_SEARCHES) else f' {number}'}"


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
    own = {"type": kind, "name": f"Asset {number + 1}", "source": "ADVERTISER", **members}
    return {f"asset.{path}": value for path, value in own.items()}


def _conversion_action(row: Row, number: int) -> Row:
    own = {
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
    return {f"conversion_action.{path}": value for path, value in own.items()}


def _listing_filter(row: Row, number: int) -> Row:
    root = _filter_name(row, 0)
    own: Row = {"listing_source": "SHOPPING", "type": "SUBDIVISION" if number == 0 else "UNIT_INCLUDED"}
    if number:
        own["parent_listing_group_filter"] = root
        own["case_value.product_brand.value"] = f"Brand {number}"
    own["asset_group"] = row["asset_group.resource_name"]
    return {f"asset_group_listing_group_filter.{path}": value for path, value in own.items()}


def _filter_name(row: Row, number: int) -> str:
    parts = {
        "customer_id": row["customer.id"],
        "asset_group_id": row["asset_group.id"],
        "listing_group_filter_id": own_id(row["asset_group.resource_name"], "listing_group_filter_id", number),
    }
    return resource_name("asset_group_listing_group_filter", parts)


def _product_group(row: Row, number: int) -> Row:
    name = _filter_name(row, number)
    return {
        **_listing_filter(row, number),
        "asset_group_listing_group_filter.resource_name": name,
        "asset_group_listing_group_filter.id": own_id(
            row["asset_group.resource_name"], "listing_group_filter_id", number
        ),
        "asset_group_product_group_view.asset_group_listing_group_filter": name,
    }


def _placement(resource: str) -> Describe:
    def describe(_row: Row, number: int) -> Row:
        site = f"site-{number + 1}.example"
        own = {
            "placement": site if "group_" in resource or number else f"{site}/article",
            "display_name": f"Site {number + 1}",
            "target_url": f"https://{site}/",
            "group_placement_target_url": site,
            "placement_type": "WEBSITE",
        }
        return {f"{resource}.{path}": value for path, value in own.items()}

    return describe


def _page(resource: str, attribute: str) -> Describe:
    def describe(row: Row, number: int) -> Row:
        owner = _owner_id(row)
        return {f"{resource}.{attribute}": f"https://shop.example/landing/{owner % 97}/{number}"}

    return describe


def _geographic(resource: str) -> Describe:
    def describe(_row: Row, number: int) -> Row:
        return {
            f"{resource}.country_criterion_id": (2840, 2276, 2392)[number % 3],
            f"{resource}.location_type": "LOCATION_OF_PRESENCE" if number % 2 else "AREA_OF_INTEREST",
            f"{resource}.targeting_location": bool(number % 2),
        }

    return describe


def _texts(resource: str, *attributes: str) -> Describe:
    def describe(row: Row, number: int) -> Row:
        return {f"{resource}.{attribute}": _term(row, number) for attribute in attributes}

    return describe


def _video(_row: Row, number: int) -> Row:
    own = {"title": f"Film {number + 1}", "duration_millis": 15_000 * (number + 1), "channel_id": "UCemulator"}
    return {f"video.{path}": value for path, value in own.items()}


def _call(row: Row, number: int) -> Row:
    minute = int(row["ad_group.id"]) % 50
    own = {
        "start_call_date_time": f"2024-01-{2 + number:02} 10:{minute:02}:00",
        "end_call_date_time": f"2024-01-{2 + number:02} 10:{minute + 3:02}:00",
        "call_duration_seconds": 180,
        "call_status": "RECEIVED",
        "type": "HIGH_END_MOBILE_SEARCH",
        "call_tracking_display_location": "AD",
        "caller_country_code": "US",
        "caller_area_code": "212",
    }
    return {f"call_view.{path}": value for path, value in own.items()}


_LINKED_ASSETS = {"field_type": _FIELD_TYPES}
_GOAL_PARTS = {"category": [goal for goal, _ in _GOALS], "source": [origin for _, origin in _GOALS]}


def _goal(resource: str) -> Describe:
    return lambda _row, number: {f"{resource}.origin": _GOALS[number][1], f"{resource}.biddable": number != 1}


KINDS: Mapping[str, Kind] = {
    "asset": Kind(len(_FIELD_TYPES), describe=_asset),
    "conversion_action": Kind(3, describe=_conversion_action),
    "search_term_view": Kind(6, channels=_SEARCH, describe=_texts("search_term_view", "search_term")),
    "campaign_search_term_view": Kind(
        6, channels=(*_SEARCH, *_PMAX), describe=_texts("campaign_search_term_view", "search_term")
    ),
    "dynamic_search_ads_search_term_view": Kind(
        3, channels=_SEARCH, describe=_texts("dynamic_search_ads_search_term_view", "search_term", "headline")
    ),
    "paid_organic_search_term_view": Kind(
        3, channels=_SEARCH, describe=_texts("paid_organic_search_term_view", "search_term")
    ),
    "smart_campaign_search_term_view": Kind(
        3, channels=_SEARCH, describe=_texts("smart_campaign_search_term_view", "search_term")
    ),
    "ai_max_search_term_ad_combination_view": Kind(
        3, channels=_SEARCH, describe=_texts("ai_max_search_term_ad_combination_view", "search_term", "headline")
    ),
    "landing_page_view": Kind(2, "leaf", describe=_page("landing_page_view", "unexpanded_final_url")),
    "expanded_landing_page_view": Kind(3, "leaf", describe=_page("expanded_landing_page_view", "expanded_final_url")),
    "geographic_view": Kind(
        3,
        "leaf",
        describe=_geographic("geographic_view"),
        parts={
            "country_criterion_id": (2840, 2276, 2392),
            "location_type": ("AREA_OF_INTEREST", "LOCATION_OF_PRESENCE", "AREA_OF_INTEREST"),
        },
    ),
    "user_location_view": Kind(
        3,
        "leaf",
        describe=_geographic("user_location_view"),
        parts={"country_criterion_id": (2840, 2276, 2392), "is_targeting_location": ("false", "true", "false")},
    ),
    "matched_location_interest_view": Kind(3, "leaf", parts={"country_criterion_id": (2840, 2276, 2392)}),
    "detail_placement_view": Kind(4, channels=_SITES, describe=_placement("detail_placement_view")),
    "group_placement_view": Kind(4, channels=_SITES, describe=_placement("group_placement_view")),
    "detail_content_suitability_placement_view": Kind(
        3, "ad_group", _SITES, describe=_placement("detail_content_suitability_placement_view")
    ),
    "group_content_suitability_placement_view": Kind(
        3, "ad_group", _SITES, describe=_placement("group_content_suitability_placement_view")
    ),
    "performance_max_placement_view": Kind(
        3, "campaign", _PMAX, describe=_placement("performance_max_placement_view")
    ),
    "shopping_performance_view": Kind(1, "leaf", ("SHOPPING", "PERFORMANCE_MAX")),
    "cart_data_sales_view": Kind(1, "campaign", ("SHOPPING", "PERFORMANCE_MAX")),
    "hotel_performance_view": Kind(1, "campaign"),
    "travel_activity_performance_view": Kind(1, "campaign"),
    "product_group_view": Kind(channels=("SHOPPING",)),
    "display_keyword_view": Kind(channels=("DISPLAY",)),
    "topic_view": Kind(channels=("DISPLAY", "VIDEO")),
    "managed_placement_view": Kind(channels=("DISPLAY", "VIDEO")),
    "asset_group_listing_group_filter": Kind(3, describe=_listing_filter),
    "asset_group_product_group_view": Kind(3, describe=_product_group),
    "asset_group_asset": Kind(len(_FIELD_TYPES), parts=_LINKED_ASSETS),
    "ad_group_asset": Kind(3, parts=_LINKED_ASSETS),
    "campaign_asset": Kind(4, parts=_LINKED_ASSETS),
    "customer_asset": Kind(4, parts=_LINKED_ASSETS),
    "ad_group_ad_asset_view": Kind(4, parts=_LINKED_ASSETS),
    "channel_aggregate_asset_view": Kind(4, "campaign", parts=_LINKED_ASSETS),
    "campaign_aggregate_asset_view": Kind(4, parts=_LINKED_ASSETS),
    "final_url_expansion_asset_view": Kind(3, channels=_PMAX, parts=_LINKED_ASSETS),
    "asset_field_type_view": Kind(5, "campaign", parts=_LINKED_ASSETS),
    "distance_view": Kind(
        3, "campaign", parts={"distance_bucket": ("WITHIN_700M", "WITHIN_1KM", "WITHIN_5KM")}
    ),
    "per_store_view": Kind(2, "campaign"),
    "video": Kind(1, "ad_group_ad", ("VIDEO", "DEMAND_GEN"), describe=_video),
    "call_view": Kind(2, "ad_group", _SEARCH, describe=_call),
    "campaign_conversion_goal": Kind(3, parts=_GOAL_PARTS, describe=_goal("campaign_conversion_goal")),
    "customer_conversion_goal": Kind(3, parts=_GOAL_PARTS, describe=_goal("customer_conversion_goal")),
    "customer_user_access": Kind(3),
    "shared_criterion": Kind(
        4,
        describe=lambda _row, n: {
            "shared_criterion.type": "KEYWORD",
            "shared_criterion.keyword.text": ("free", "работа", "無料", "diy")[n],
            "shared_criterion.keyword.match_type": "PHRASE",
        },
    ),
    "shared_set": Kind(
        2,
        describe=lambda _row, n: {
            "shared_set.type": ("NEGATIVE_KEYWORDS", "NEGATIVE_PLACEMENTS")[n],
            "shared_set.name": f"List {n + 1}",
        },
    ),
    "bidding_strategy": Kind(
        2,
        describe=lambda _row, n: {
            "bidding_strategy.name": f"Portfolio {n + 1}",
            **(
                {"bidding_strategy.type": "TARGET_CPA", "bidding_strategy.target_cpa.target_cpa_micros": 5_000_000}
                if n == 0
                else {"bidding_strategy.type": "TARGET_ROAS", "bidding_strategy.target_roas.target_roas": 3.5}
            ),
        },
    ),
    "customer_negative_criterion": Kind(
        2,
        describe=lambda _row, n: {
            "customer_negative_criterion.type": "PLACEMENT",
            "customer_negative_criterion.placement.url": f"unwanted-{n + 1}.example",
        },
    ),
}  # fmt: skip
"""By resource; one that is missing is a plain `Kind()`."""
