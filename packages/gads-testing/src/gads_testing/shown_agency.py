"""A deployment with something of everything that a page shows, up to yesterday, by the real sink, validator and ledger:

good days, restated and unchanged ones, failed, held and pending ones, an act, an account that came later, processes,
rounds, alerts, and what was spent.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from gads_domain.activity import AlertState, Heartbeat, Round, Severity
from gads_domain.adapters import ledger_adapter
from gads_domain.errors import FailureReason
from gads_domain.expectations import DrawnList, ListedAccount
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.ports.activity import ActivityLedgerAdapter
from gads_domain.ports.validation import UnsealedRun
from gads_domain.quota import CallScope, RestAsked, RestReach
from gads_domain.run import RunId
from gads_domain.state import Confirmation, OperatorAct
from gads_pipeline import Pipeline
from gads_testing.local_deployment import SINK, STATE, LocalDeployment

NAMES = {
    1001: "Alpine Outfitters",
    1002: "Bergblick Hotels",
    1003: "Café Lumière",
    1004: "Dörfler Maschinenbau",
    1005: "Espresso & Söhne",
    1006: "Fjord Reisen",
}
REPORTS = ("campaign", "ad_group")
DAYS = 30
LIMIT = 15_000

FAILED, HELD, PENDING, RESTATED = 1004, 1003, 1006, 1001
"""The accounts with a day of such a state; the failed and the pending one lack yesterday."""


class _Now:
    """The present, but later with each look, so that what is recorded has an order."""

    def __init__(self, days_ago: int = 0) -> None:
        self.moment = datetime.now(UTC) - timedelta(days=days_ago)

    def now(self) -> datetime:
        self.moment += timedelta(milliseconds=5)
        return self.moment


@dataclass(frozen=True)
class ShownAgency:
    """A pipeline over the deployment, and the days that it has."""

    pipeline: Pipeline
    yesterday: date

    def key(self, customer: int, days_ago: int = 1, report: str = "campaign") -> PartitionKey:
        return PartitionKey(GOOGLE_ADS, str(customer), report, self.yesterday - timedelta(days=days_ago - 1))


def shown_agency(
    base: Path,
    *,
    days: int = DAYS,
    names: Mapping[int, str] = NAMES,
    reports: Iterable[str] = REPORTS,
    error: str = "UNAVAILABLE: the service is not available",
) -> ShownAgency:
    """Make it in `base`; `error` is what the API answered for the account that failed."""
    reports = tuple(reports)
    path = base / "gads.toml"
    wanted = "\n".join(f'[[reports]]\nname = "{name}"' for name in reports)
    path.write_text(f'[storage]\nsink = "{SINK}"\nstate = "{STATE}"\n[quota]\noperations_per_day = {LIMIT}\n{wanted}\n')
    before, clock = _Now(days_ago=2), _Now()
    deployment = LocalDeployment(base, before)
    today = datetime.now(UTC).date()
    agency = ShownAgency(Pipeline.open(path), today - timedelta(days=1))
    first = {customer: today - timedelta(days=days) for customer in names}
    first[1005] = today - timedelta(days=days // 2)
    listed = tuple(ListedAccount(str(one), name, "EUR", "Etc/UTC", selected=True) for one, name in names.items())
    first_days = {(str(customer), report): first[customer] for customer in names for report in reports}
    deployment.control_plane.record_list(DrawnList(GOOGLE_ADS, clock.now(), listed, first_days))

    missing = {agency.key(FAILED, 1), agency.key(FAILED, 2), agency.key(PENDING, 1), agency.key(PENDING, 1, "ad_group")}
    keys = [
        PartitionKey(GOOGLE_ADS, str(customer), report, first[customer] + timedelta(days=number))
        for customer in names
        for report in reports
        for number in range((today - first[customer]).days)
    ]
    run = RunId.compose(before.now(), b"\x00\x00\x00\x01")
    good = [key for key in keys if key not in missing]
    for key in good:
        deployment.seal(key, run, 12)
    deployment.validate(*good)
    # What follows happened this morning.
    deployment.validator._clock = deployment.clock = clock
    later = RunId.compose(clock.now(), b"\x00\x00\x00\x02")
    restated = [agency.key(RESTATED, number) for number in range(2, 6)]
    for number, key in enumerate(restated):
        deployment.seal(key, later, 16 - number)
    deployment.seal(agency.key(HELD, 3), later, 0)
    deployment.validate(*restated, agency.key(HELD, 3))
    same = [agency.key(1002, number) for number in range(1, 12)]
    contents = deployment.ledger.histories(same)
    deployment.ledger.confirm(
        [
            Confirmation(key, run, later, found.results[0].content_sha256 or "", clock.now())
            for key, found in zip(same, contents, strict=True)
        ]
    )
    for number in (2, 1):
        key = agency.key(FAILED, number)
        for attempt in range(3):
            failed = RunId.compose(clock.now(), bytes([0, 0, 1, attempt]))
            reason = FailureReason("api_transient", error, retryable=True, hint="retry it later")
            deployment.validator.validate([key], unsealed={key: UnsealedRun(failed, reason)})
    act = OperatorAct(clock.now(), "ops@example", "gads-etl state retry", "the API is back")
    deployment.control_plane.retry([agency.key(FAILED, 1)], act)
    failed = RunId.compose(clock.now(), b"\x00\x00\x02\x00")
    reason = FailureReason("api_transient", error, retryable=True, hint="retry it later")
    deployment.validator.validate(
        [agency.key(FAILED, 1)], unsealed={agency.key(FAILED, 1): UnsealedRun(failed, reason)}
    )
    _spend(deployment, clock.now())
    deployment.close()
    _be_active(base, clock.now())
    return agency


def _spend(deployment: LocalDeployment, now: datetime) -> None:
    """What a day of rounds spends, and a rest that the API asked for."""
    call = CallScope("default", str(FAILED), "campaign")
    for hour in range(23, -1, -1):
        spent = 600 if hour in (8, 9) else 60 + 7 * (hour % 5)
        deployment.control_plane.spend(call, spent, LIMIT, None, now - timedelta(hours=hour))
    asked = RestAsked(RestReach.REPORT, timedelta(hours=1), "RESOURCE_EXHAUSTED: too many requests for this query")
    deployment.control_plane.rest(CallScope("default", str(FAILED), "ad_group"), asked, now)


def _be_active(base: Path, now: datetime) -> None:
    """One process serves, another one went silent; a round has failures, one was stopped early; an alert is open."""

    def beat(host: str, pid: int, ago: timedelta, doing: str) -> Heartbeat:
        at = now - ago
        started = now - timedelta(days=2)
        name = f"{host}:{pid}:0"
        return Heartbeat(name, host, pid, "gads-etl serve", "0.1.0", started, at, timedelta(seconds=30), doing, at)

    alive = beat("etl-1", 4211, timedelta(seconds=4), "idle until 12:00 UTC")
    silent = beat("etl-2", 882, timedelta(minutes=4), "a round: 120 of 300 partitions")
    rounds = [
        Round(
            alive.process,
            alive.command,
            RunId.compose(now - timedelta(hours=hour), bytes([0, 0, 3, hour])).value,
            now - timedelta(hours=hour),
            planned=300,
            ended_at=now - timedelta(hours=hour) + timedelta(minutes=4, seconds=hour),
            ended="source" if hour == 5 else "done",
            succeeded=180 if hour == 5 else 300 - 2 * (hour == 1),
            unchanged=170 if hour == 5 else 284,
            failed=2 * (hour == 1),
            deferred=120 if hour == 5 else 0,
            rows=48_000 + 311 * hour,
            operations=60 + hour,
            message="the API could not be reached within 600 s" if hour == 5 else "",
        )
        for hour in range(12, 0, -1)
    ]
    adapter = ledger_adapter(STATE)
    assert isinstance(adapter, ActivityLedgerAdapter)
    with adapter.open_activity(STATE, base) as activity:
        activity.record(silent, [Round(silent.process, silent.command, "", now - timedelta(minutes=6), planned=300)])
        activity.record(alive, rounds)
        text = "campaign of yesterday is not complete: 2 of 6 accounts miss it"
        raised = now - timedelta(minutes=40)
        activity.claim_alert(AlertState("deadline", "campaign", raised, text, Severity.CRITICAL))
        activity.alert_delivered("deadline", "campaign", raised + timedelta(seconds=2))
        gone = AlertState("failures", "ad_group", now - timedelta(days=1), "ad_group failed 3 times", Severity.WARNING)
        activity.claim_alert(gone)
        activity.alert_delivered("failures", "ad_group", now - timedelta(days=1))
        activity.resolve_alert("failures", "ad_group", now - timedelta(hours=20))
