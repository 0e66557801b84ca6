"""Reads where the ledger stands, all of it from the ledger and the disk: no call to the API, and nothing is written."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version
from math import ceil
from pathlib import Path
from threading import TIMEOUT_MAX
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from gads_domain.account_days import LAST_TO_END, end_of, last_complete_day, report_days, usable_zone, zone_named
from gads_domain.activity import Liveness, lost
from gads_domain.bounded_call import BoundedCall
from gads_domain.clock import SystemClock
from gads_domain.completeness import Answer
from gads_domain.erasure import in_force
from gads_domain.errors import ConfigurationError, GadsError
from gads_domain.local_path import path_of
from gads_domain.partition_key import GOOGLE_ADS
from gads_gaql.catalogue import sunsets
from gads_orchestrator.plan import daily_operations
from gads_pipeline.composition import (
    api_version_of,
    open_activity_reader,
    open_ledger_reader,
    require_sink,
    warehouse_of,
)
from gads_pipeline.ledger_queries import account_list
from gads_pipeline.standings import StandingQuery
from gads_status.attention import attention_of
from gads_status.status import (
    AccountsStanding,
    ApiStanding,
    BudgetStanding,
    DiskStanding,
    NextDue,
    ProcessStanding,
    Status,
    WarehouseStanding,
)

if TYPE_CHECKING:
    from gads_domain.activity import AlertState, Heartbeat, Round
    from gads_domain.expectations import Expectations
    from gads_domain.ports.ledger import StateReader
    from gads_domain.report import ReportDefinition
    from gads_domain.standing import GapGroup, Standings
    from gads_pipeline.configuration import Configuration

DEFAULT_FILE = Path("gads.toml")
"""The configuration that the command line takes when none is named."""

MOST_GAPS = 500
"""How many groups of gaps a status has; the worst come first."""
LAST_ROUNDS = 10
MOST_PROCESSES = 20
MOST_ALERTS = 100

_SECONDS = 5.0
"""How long the sink and the warehouse have to answer; a status is needed most while one of them does not."""
_A_DAY = timedelta(days=1)
_LOADED_AT = "SELECT max(loaded_at) FROM gads.state"


def read_status(configuration: Configuration) -> Status:
    """Where the ledger stands now; raises what a ledger raises that is there and cannot be read."""
    now = SystemClock().now()
    sink = BoundedCall(lambda: require_sink(configuration), _SECONDS)
    warehouse = BoundedCall(lambda: _warehouse(configuration), _SECONDS)
    # The ledger counts for a second or two if it is large; all else is read meanwhile.
    counts = BoundedCall(StandingQuery(configuration).standings_and_gaps, TIMEOUT_MAX)
    for call in (counts, sink, warehouse):
        call.begin()
    with open_ledger_reader(configuration) as ledger:
        listed, ledger_id, erased = account_list(ledger), ledger.ledger_id(), ledger.erasures(GOOGLE_ADS)
        definitions, why_not = _definitions(configuration)
        budget = _budget(configuration, ledger, now)
    activity, disk, next_due = (
        _read_activity(configuration, now),
        _disk(configuration),
        _next_due(configuration, listed, now),
    )
    standings, groups = counts()
    gaps = groups[:MOST_GAPS]
    if why_not or standings.unknown:
        budget = replace(budget, unknown=why_not or standings.unknown)
    else:
        forecast, daily = _operations(configuration, standings, definitions)
        budget = replace(budget, forecast=forecast, daily=daily)
    disk = replace(disk, sink_fault=_fault_of(sink))
    unknown = standings.unknown or disk.sink_fault
    answer = Answer.UNKNOWN if unknown and standings.answer is Answer.COMPLETE else standings.answer
    status = Status(
        at=now,
        source=GOOGLE_ADS,
        ledger_id=ledger_id,
        version=version("gads-pipeline"),
        answer=answer,
        unknown=unknown,
        attention=(),
        accounts=AccountsStanding(
            len(listed.accounts), len(listed.selected), len(in_force(erased)), listed.drawn_at, standings.unknown
        ),
        reports=tuple(replace(one, complete_up_to=None) if unknown else one for one in standings.reports),
        gaps=gaps,
        next_due=next_due,
        budget=budget,
        api=_api(configuration, now),
        disk=disk,
        warehouse=_answer_of(warehouse, configuration),
        processes=activity.processes,
        rounds=activity.rounds,
        alerts=activity.alerts,
        activity_unknown=activity.unknown,
        names=_names(gaps, listed),
    )
    config = "" if configuration.path == DEFAULT_FILE else str(configuration.path)
    reach = {one.name: _reach(configuration, one, now) for one in definitions}
    return replace(status, attention=attention_of(status, config=config, reach=reach))


def _names(gaps: Sequence[GapGroup], listed: Expectations) -> dict[str, str]:
    numbers = {one.first.customer_id for group in gaps for one in group.examples}
    found = ((number, listed.account(number)) for number in sorted(numbers))
    return {number: account.name for number, account in found if account is not None and account.name}


def _next_due(configuration: Configuration, listed: Expectations, now: datetime) -> tuple[NextDue, ...]:
    """The next day of each report, by when it is due."""
    zones = Counter(usable_zone(account.time_zone) for account in listed.selected)
    found = []
    for section in configuration.report_sections:
        due = configuration.limits.due_of(section.name)
        days = ((zone, last_complete_day(zone, now - due) + _A_DAY) for zone in zones)
        counts: Counter[tuple[datetime, date]] = Counter()
        for zone, day in days:
            counts[end_of(day, zone_named(zone)) + due, day] += zones[zone]
        if counts:
            at, day = min(counts)
            found.append(NextDue(section.name, day, at, counts[at, day]))
    return tuple(sorted(found, key=lambda one: (one.at, one.report)))


def _definitions(configuration: Configuration) -> tuple[tuple[ReportDefinition, ...], str]:
    try:
        return configuration.reports(), ""
    except GadsError as error:
        return (), error.message


def _reach(configuration: Configuration, report: ReportDefinition, now: datetime) -> date:
    """The first day that `serve` attempts by itself if it never was."""
    first = report_days(report, LAST_TO_END, now).window.first
    return min(first, configuration.run.backfill_since or first)


def _budget(configuration: Configuration, ledger: StateReader, now: datetime) -> BudgetStanding:
    quota = configuration.quota
    spent, rests = ledger.spent(quota.name, now), tuple(ledger.rests(quota.name, now))
    if quota.limit is None:
        return BudgetStanding(quota.name, None, spent.count, rests=rests)
    more_at, more = spent.free_from(quota.limit) or (None, 0)
    return BudgetStanding(quota.name, quota.limit, spent.count, spent.left(quota.limit), more_at, more, rests=rests)


def _operations(
    configuration: Configuration, standings: Standings, definitions: Sequence[ReportDefinition]
) -> tuple[int, int]:
    """What is missing costs so many at least, one for each account and report; and any day so many at most."""
    most, missing, daily = configuration.extraction.max_days_per_request, 0, 0
    for definition, one in zip(definitions, standings.reports, strict=True):
        days = min(most, definition.max_days_per_request or most)
        missing += max(one.accounts_behind, ceil(one.missing / days))
        daily += one.accounts * daily_operations([definition], most)
    return missing, daily


@dataclass(frozen=True, slots=True)
class _Activity:
    processes: tuple[ProcessStanding, ...] = ()
    rounds: tuple[Round, ...] = ()
    alerts: tuple[AlertState, ...] = ()
    unknown: str = ""


def _read_activity(configuration: Configuration, now: datetime) -> _Activity:
    reader = open_activity_reader(configuration)
    if reader is None:
        return _Activity(unknown="this kind of ledger records no heartbeats and no rounds")
    with reader:
        if not reader.has_activity():
            return _Activity(unknown="no process has put a heartbeat on record yet")
        beats, rounds = reader.heartbeats(), reader.rounds(LAST_ROUNDS)
        alerts = reader.alerts(open_only=True, limit=MOST_ALERTS)
    return _Activity(_processes(beats, now), tuple(rounds), tuple(alerts))


def _processes(beats: Sequence[Heartbeat], now: datetime) -> tuple[ProcessStanding, ...]:
    """Those that are alive, those that are lost, and others, each newest first."""
    gone = {one.process for one in lost(beats, now)}
    found = [ProcessStanding(one, one.liveness(now), one.process in gone) for one in beats]
    return tuple(sorted(found, key=lambda one: (one.state is not Liveness.ALIVE, not one.lost)))[:MOST_PROCESSES]


def _api(configuration: Configuration, now: datetime) -> ApiStanding:
    name = api_version_of(configuration)
    ends = sunsets().get(name)
    return ApiStanding(name, ends, None if ends is None else (ends - now.date()).days)


def _disk(configuration: Configuration) -> DiskStanding:
    ledger, why = _local(configuration.storage.state, configuration.base)
    sink, why_not = _local(configuration.storage.sink, configuration.base)
    return DiskStanding(
        None if ledger is None else sum(_bytes(Path(f"{ledger}{end}")) for end in ("", "-wal")),
        None if ledger is None else _free(ledger),
        why,
        None if sink is None else _free(sink),
        why_not,
    )


def _local(url: str, base: Path) -> tuple[Path | None, str]:
    """The path that a URL names if its folder is on this machine; or else why that is not known."""
    try:
        path = path_of(url, base)
    except ConfigurationError:
        path = None
    if path is None or not path.parent.is_dir():
        return None, f"{url.partition(':')[0]}: is no folder or file of this machine"
    return path, ""


def _bytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _free(path: Path) -> int | None:
    try:
        return shutil.disk_usage(path if path.exists() else path.parent).free
    except OSError:
        return None


def _warehouse(configuration: Configuration) -> WarehouseStanding | None:
    url, shown = configuration.warehouse.url, without_secrets(configuration.warehouse.url)
    path, _ = _local(url, configuration.base)
    if path is not None and not path.exists():
        return None
    with open_ledger_reader(configuration) as ledger, warehouse_of(configuration) as warehouse:
        at, ledger_id, position = warehouse.position(), ledger.ledger_id(), ledger.position()
        load = warehouse.full_load() if at is None else None
        if load is not None:
            text = f"a load of everything is under way: {load.done:,} partitions done, {load.remaining:,} to do"
            return WarehouseStanding(shown, unknown=text)
        if at is None:
            return WarehouseStanding(shown, 0, position)
        if at.ledger_id != ledger_id:
            return WarehouseStanding(shown, unknown="it was loaded from another ledger")
        ((loaded,),) = warehouse.query(_LOADED_AT).rows
    last = loaded.replace(tzinfo=UTC) if isinstance(loaded, datetime) else None
    return WarehouseStanding(shown, at.position, max(position - at.position, 0), last)


def _answer_of(ask: BoundedCall[WarehouseStanding | None], configuration: Configuration) -> WarehouseStanding | None:
    try:
        return ask()
    except Exception as error:  # whatever an engine has to say, the rest of a status is known
        text = error.message if isinstance(error, GadsError) else f"{type(error).__name__}: {error}"
        return WarehouseStanding(without_secrets(configuration.warehouse.url), unknown=text)


def _fault_of(ask: BoundedCall[None]) -> str:
    try:
        ask()
    except GadsError as error:
        return error.message
    return ""


def without_secrets(url: str) -> str:
    """A URL without user, password and query."""
    scheme, _, rest = url.partition(":")
    if not rest.startswith("//"):
        return f"{scheme}:{rest.partition('?')[0]}"
    parts = urlsplit(url)
    return f"{scheme}://{parts.hostname or ''}{parts.path}"
