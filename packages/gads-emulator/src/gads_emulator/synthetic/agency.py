"""A synthetic agency: rows are made on request, from the seed, the account, the resource and the day."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache, partial
from typing import Any

from gads_emulator.agency import Account, RowRequest, Rows, client_rows
from gads_emulator.schema import Row, Schema
from gads_emulator.synthetic.accounts import SyntheticSettings, make_accounts
from gads_emulator.synthetic.activity import NOTHING, Activity, Bounds, activity_of, add, bounds_of, divide, known_at
from gads_emulator.synthetic.campaigns import OWN_LEVELS, Campaign, make_campaigns, parents
from gads_emulator.synthetic.descriptions import has_pattern
from gads_emulator.synthetic.events import change_events, change_statuses, clicks
from gads_emulator.synthetic.metrics import reader_of
from gads_emulator.synthetic.resources import account_rows, entities, level_of
from gads_emulator.synthetic.segments import Split, parts_of, splits_of
from gads_emulator.synthetic.values import missing_values, within
from gads_gaql.selection import can_have_metrics

_DATE = "segments.date"
_KEPT_ACCOUNTS = 512

_Known = Callable[[Campaign, date], Activity]
"""From a campaign and a day to the activity that is known today."""


class SyntheticAgency:
    """A manager, a nested manager and clients, with campaigns and their resources for each day of a range.

    Sums agree: the campaigns of an account add up to the account, the resources of all ad groups of a campaign add up
    to the campaign, and the parts of segments add up to the day, but for keywords and types of clicks, as in the API.
    Some ad groups are idle, and campaigns that ended, ad groups and ads are removed. An attribute without a model has a
    value of its type.
    """

    drops_rows_without_activity = True

    def __init__(self, settings: SyntheticSettings | None = None) -> None:
        self.settings = settings or SyntheticSettings()
        self.accounts: Mapping[str, Account] = make_accounts(self.settings)
        self.login_customer_id: str = next(iter(self.accounts))
        self.keeps_everything: bool = self.settings.keeps_everything
        self.changes_with_time: bool = self.settings.restated_for > 0
        self._campaigns = lru_cache(maxsize=_KEPT_ACCOUNTS)(partial(make_campaigns, self.settings))

    @property
    def client_ids(self) -> tuple[str, ...]:
        """The enabled client accounts, in the order of creation."""
        return tuple(a.customer_id for a in self.accounts.values() if not a.manager and a.status == "ENABLED")

    def rows(self, schema: Schema, customer_id: str, request: RowRequest) -> Rows:
        """Return a resource's rows: by day, then in the account's order."""
        account = self.accounts[customer_id]
        resource = request.resource
        if resource == "customer_client":
            return Rows(_completed(schema, request, client_rows(self.accounts, customer_id)))
        if account.manager:
            own = [account.attributes()] if resource == "customer" else []
            return Rows(_completed(schema, request, iter(own)))
        campaigns = self._campaigns(account)
        if resource in ("change_event", "change_status"):
            return Rows(self._changes(account, campaigns, request), distinct=True)
        if resource == "click_view":
            return Rows(self._clicks(schema, account, campaigns, request), distinct=_DATE in request.segments)
        return self._measured(schema, request, _groups(resource, account, campaigns))

    def _measured(self, schema: Schema, request: RowRequest, groups: "list[_Group]") -> Rows:
        groups = [_Group(g.campaigns, list(_completed(schema, request, iter(g.rows))), g.bounds) for g in groups]
        resource = request.resource
        if not can_have_metrics(resource) or not (request.segments or request.metrics):
            return Rows(dict(row) for group in groups for row in group.rows)
        own_name = f"{resource}.resource_name"
        names = [row.get(own_name) for group in groups for row in group.rows]
        distinct = _DATE in request.segments and len(set(names)) == len(names)
        return Rows(self._by_day(schema, request, groups), distinct)

    def _by_day(self, schema: Schema, request: RowRequest, groups: "list[_Group]") -> Iterator[Row]:
        read = reader_of(schema, request.metrics)
        if not request.segments:
            # Without segments, an entity has a row even if nothing happened.
            for group in groups:
                for row in group.rows:
                    yield {**row, **read(NOTHING)}
        known = partial(self._known, request)
        for group in groups:
            group.splits = [splits_of(schema, campaign, request.segments) for campaign in group.campaigns]
        for day in self._days(request):
            day_text = day.isoformat()
            for group in groups:
                for row, part, activity in group.on(day, known):
                    yield {**row, _DATE: day_text, **part, **read(activity)}

    def _days(self, request: RowRequest) -> Iterator[date]:
        first = max(request.first or self.settings.first, self.settings.first)
        last = min(request.last or self.settings.last, self.settings.last)
        if self.settings.restated_for and request.today is not None:
            last = min(last, request.today)
        return (first + timedelta(days=offset) for offset in range((last - first).days + 1))

    def _known(self, request: RowRequest, campaign: Campaign, day: date) -> Activity:
        whole = activity_of(campaign.profile, day)
        if not self.settings.restated_for or request.today is None:
            return whole
        return known_at(whole, campaign.profile, day, (request.today - day).days, self.settings.restated_for)

    def _clicks(
        self, schema: Schema, account: Account, campaigns: list[Campaign], request: RowRequest
    ) -> Iterator[Row]:
        known = partial(self._known, request)
        wanted = [path for path in request.fields if not path.startswith(("metrics.", "segments."))]
        for day in self._days(request):
            for campaign in campaigns:
                groups = parents(campaign, "ad_group")
                if not groups:
                    continue
                splits = splits_of(schema, campaign, request.segments)
                shares = divide(known(campaign, day), bounds_of([group.weight for group in groups]))
                for group, share in zip(groups, shares, strict=True):
                    for row in clicks(account.customer_id, group.attributes, day, share, splits):
                        yield {**row, **missing_values(schema, wanted, row)}

    def _changes(self, account: Account, campaigns: list[Campaign], request: RowRequest) -> Iterator[Row]:
        today = request.today or self.settings.last
        last = min(request.last or today, today)
        if request.resource == "change_event":
            return change_events(account, campaigns, request.first or last - timedelta(days=30), last)
        return change_statuses(account, campaigns, request.first or date.min, last, today)


@dataclass
class _Group:
    """Entities that share the activity of some campaigns, each within bounds by its weight."""

    campaigns: list[Campaign]
    rows: list[Row]
    bounds: list[Bounds]
    splits: list[list[Split]] = field(default_factory=list)

    def on(self, day: date, known: _Known) -> Iterator[tuple[Row, Row, Activity]]:
        """Yield each entity that had activity, with the values of its segments and the activity."""
        parts: dict[tuple[Any, ...], Activity] = {}
        for campaign, splits in zip(self.campaigns, self.splits, strict=True):
            whole = known(campaign, day)
            if whole is NOTHING:
                continue
            for values, activity in parts_of(whole, splits):
                before = parts.get(values)
                parts[values] = activity if before is None else add(before, activity)
        names = [path for paths, _, _ in self.splits[0] for path in paths] if self.splits else []
        for values, activity in parts.items():
            segment_values = dict(zip(names, values, strict=True))
            shares = divide(activity, self.bounds) if len(self.rows) > 1 else [activity]
            for row, share in zip(self.rows, shares, strict=True):
                if any(share):
                    yield row, segment_values, share


def _groups(resource: str, account: Account, campaigns: list[Campaign]) -> list[_Group]:
    if resource == "customer":
        return [_Group(campaigns, [account.attributes()], bounds_of([1]))]
    if resource not in OWN_LEVELS and not has_pattern(resource):
        return []
    if resource not in OWN_LEVELS and level_of(resource) == "account":
        rows = account_rows(resource, account.attributes())
        return [_Group(campaigns, rows, bounds_of([1 + index % 3 for index in range(len(rows))]))] if rows else []
    level = OWN_LEVELS.get(resource)
    groups = []
    for campaign in campaigns:
        found = entities(resource, campaign) if level is None else parents(campaign, level)
        if found:
            weights = bounds_of([entity.weight for entity in found])
            groups.append(_Group([campaign], [entity.attributes for entity in found], weights))
    return groups


def _completed(schema: Schema, request: RowRequest, rows: Iterator[Row]) -> Iterator[Row]:
    """Yield rows with only the requested attributes, each with a value."""
    wanted = [path for path in request.fields if not path.startswith(("metrics.", "segments."))]
    fields = {path: field for path in wanted if (field := schema.field(path)) is not None}
    for row in rows:
        cut = {path: row[path] for path in wanted if path in row}
        for path, value in cut.items():
            # An id is an integer here, but a text or an int32 in some fields.
            if type(value) is int:
                cut[path] = str(value) if fields[path].kind == "str" else within(fields[path], value)
        if len(cut) < len(wanted):
            cut.update(missing_values(schema, wanted, row))
        yield cut
