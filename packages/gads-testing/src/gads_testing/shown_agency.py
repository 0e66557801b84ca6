"""A deployment with something of everything that a page shows: good days, restated and unchanged ones, failed, held and
pending ones, an operator's act, an account that came later; by the real sink, validator and ledger, up to yesterday."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from gads_domain.errors import FailureReason
from gads_domain.expectations import DrawnList, ListedAccount
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.ports.validation import UnsealedRun
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
    path.write_text(f'[storage]\nsink = "{SINK}"\nstate = "{STATE}"\n[quota]\noperations_per_day = 15000\n{wanted}\n')
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
    for number in range(2, 6):
        deployment.seal(agency.key(RESTATED, number), later, 12 + number)
    deployment.seal(agency.key(HELD, 3), later, 0)
    deployment.validate(*(agency.key(RESTATED, number) for number in range(2, 6)), agency.key(HELD, 3))
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
    deployment.close()
    return agency
