"""The events of a synthetic account: clicks, and changes of its settings."""

import base64
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from itertools import count

from gads_emulator.agency import Account
from gads_emulator.schema import Row
from gads_emulator.synthetic.activity import Activity, draw
from gads_emulator.synthetic.campaigns import Campaign
from gads_emulator.synthetic.descriptions import TABLES
from gads_emulator.synthetic.segments import Split, chosen
from gads_gaql.history import HISTORY_OF_RESOURCE

_CHANGES_A_DAY = 5


def clicks(customer_id: str, row: Row, day: date, activity: Activity, splits: Sequence[Split]) -> Iterator[Row]:
    """Yield a `click_view` row for each click of an ad group's day, with a value of each segment."""
    group_id, day_text = row["ad_group.id"], day.isoformat()
    for number in range(activity.clicks):
        numbers = draw("click", group_id, day_text, number)
        segments = chosen(splits, (draw("segment", group_id, day_text, number, n).below(1 << 32) for n in count(1)))
        gclid = "Cj0K" + base64.urlsafe_b64encode(f"{group_id}.{day_text}.{number}".encode()).decode().rstrip("=")
        city = 1_000_000 + numbers.below(90_000)
        place = {
            "country": f"geoTargetConstants/{2840 + numbers.below(9)}",
            "region": f"geoTargetConstants/{20_000 + city % 900}",
            "metro": f"geoTargetConstants/{200_000 + city % 500}",
            "city": f"geoTargetConstants/{city}",
            "most_specific": f"geoTargetConstants/{city}",
        }
        yield {
            **row,
            **segments,
            "segments.date": day_text,
            "click_view.resource_name": f"customers/{customer_id}/clickViews/{day_text}~{gclid}",
            "click_view.gclid": gclid,
            "click_view.page_number": 1 + numbers.below(3),
            **{f"click_view.location_of_presence.{name}": value for name, value in place.items()},
            "metrics.clicks": 1,
        }


def change_events(account: Account, campaigns: Sequence[Campaign], first: date, last: date) -> Iterator[Row]:
    """Yield the changes of each day, oldest first."""
    for offset in range((last - first).days + 1):
        day = first + timedelta(days=offset)
        numbers = draw("changes", account.customer_id, day.toordinal())
        seconds = sorted(numbers.below(86_400) for _ in range(numbers.below(_CHANGES_A_DAY + 1)))
        for index, second in enumerate(seconds):
            yield _change(account, campaigns, day, second, index)


def change_statuses(
    account: Account, campaigns: Sequence[Campaign], first: date, last: date, today: date
) -> Iterator[Row]:
    """Yield the last change in the past 90 days of each resource, if it is in the range."""
    latest: dict[str, Row] = {}
    for event in change_events(account, campaigns, HISTORY_OF_RESOURCE["change_status"].first_kept(today), today):
        latest[event["change_event.change_resource_name"]] = event
    for event in latest.values():
        moment = event["change_event.change_date_time"]
        if not first.isoformat() <= moment[:10] <= last.isoformat():
            continue
        kind = event["change_event.change_resource_type"]
        name = event["change_event.change_resource_name"]
        change_id = draw("status", name).below(1 << 31)
        row = {
            **account.attributes(),
            "change_status.resource_name": f"customers/{account.customer_id}/changeStatus/{change_id}",
            "change_status.last_change_date_time": moment,
            "change_status.resource_type": kind,
            "change_status.resource_status": "CHANGED",
            f"change_status.{kind.lower()}": name,
        }
        for level in ("campaign", "ad_group"):
            if event.get(f"change_event.{level}"):
                row[f"change_status.{level}"] = event[f"change_event.{level}"]
        yield row


def _change(account: Account, campaigns: Sequence[Campaign], day: date, second: int, index: int) -> Row:
    numbers = draw("change", account.customer_id, day.toordinal(), index)
    campaign = numbers.choose(campaigns).entity
    kind = numbers.choose(("CAMPAIGN", "CAMPAIGN", "AD_GROUP", "CAMPAIGN_BUDGET"))
    groups = campaign.below.get("ad_group", [])
    if kind == "AD_GROUP" and not groups:
        kind = "CAMPAIGN"
    attributes = (numbers.choose(groups) if kind == "AD_GROUP" else campaign).attributes
    root = kind.lower()
    name = attributes[f"{root}.resource_name"]
    field, old, new = "status", "PAUSED", "ENABLED"
    if kind == "CAMPAIGN_BUDGET":
        amount = (1 + numbers.below(90)) * 1_000_000
        field, old, new = "amount_micros", str(amount), str(amount + 1_000_000)
    moment = f"{day.isoformat()} {second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
    micros = (day.toordinal() - date(1970, 1, 1).toordinal()) * 86_400_000_000 + second * 1_000_000
    row = {
        **account.attributes(),
        "change_event.resource_name": f"customers/{account.customer_id}/changeEvents/{micros}~{index}~0",
        "change_event.change_date_time": f"{moment}.{numbers.below(1_000_000):06}",
        "change_event.change_resource_type": kind,
        "change_event.change_resource_name": name,
        "change_event.resource_change_operation": "UPDATE",
        "change_event.changed_fields": field,
        "change_event.client_type": numbers.choose(TABLES["words"]["clients"]),
        "change_event.user_email": f"{numbers.choose(TABLES['words']['users'])}@agency.example",
        "change_event.old_resource": {root: {"resource_name": name, field: old}},
        "change_event.new_resource": {root: {"resource_name": name, field: new}},
    }
    if kind != "CAMPAIGN_BUDGET":
        row["change_event.campaign"] = attributes["campaign.resource_name"]
    if kind == "AD_GROUP":
        row["change_event.ad_group"] = name
    return row
