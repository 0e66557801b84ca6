"""Warnings before something ends: days that leave the API's history untaken, and the version of the API."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from gads_conformance.ledger.samples import record_one, result_of
from gads_domain.expectations import DrawnList, ListedAccount
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_gaql.catalogue import sunsets, versions
from gads_pipeline.composition import open_ledger_for_control_plane, open_ledger_for_validator
from gads_pipeline.configuration import Configuration
from gads_pipeline.deadlines import warnings
from gads_pipeline.findings import Finding

CUSTOMER = "1234567890"
CONFIGURATION = f"""
[google_ads]
configuration = "google-ads.yaml"
api_version = "v26"
customer_ids = ["{CUSTOMER}"]
[storage]
sink = "file:raw"
state = "sqlite:state.db"
[[reports]]
name = "click"
"""
NOON = datetime(2026, 6, 30, 18, tzinfo=UTC)
TODAY = NOON.date()


def found(folder: Path, now: datetime, first_day: date | None = None, taken: tuple[date, ...] = ()) -> list[Finding]:
    path = folder / "gads.toml"
    path.write_text(CONFIGURATION)
    configuration = Configuration.load(path)
    with open_ledger_for_validator(configuration) as validator:
        for day in taken:
            record_one(validator, result_of(PartitionKey(GOOGLE_ADS, CUSTOMER, "click", day), 1))
    account = ListedAccount(CUSTOMER, time_zone="Europe/Berlin")
    with open_ledger_for_control_plane(configuration) as ledger:
        if first_day is not None:
            ledger.record_list(DrawnList(GOOGLE_ADS, now, (account,), {(CUSTOMER, "click"): first_day}))
        return list(warnings(configuration, ledger, now))


def test_every_packaged_version_has_a_sunset() -> None:
    assert set(sunsets()) == set(versions())


def test_a_version_is_warned_of_from_sixty_days_before_its_end(tmp_path: Path) -> None:
    noon = datetime.combine(sunsets()["v26"], NOON.timetz())
    assert not found(tmp_path, noon - timedelta(days=61))
    for before, words in ((60, "in 60 days"), (1, "in 1 days"), (0, "already")):
        (warning,) = found(tmp_path, noon - timedelta(days=before))
        assert warning.ok
        assert warning.subject == "google_ads.api_version"
        assert words in warning.message


def test_days_that_were_never_taken_are_warned_of_before_the_api_loses_them(tmp_path: Path) -> None:
    """Of 90 days of clicks the oldest quarter: those that are gone already are lost, and later ones have time."""
    (warning,) = found(tmp_path, NOON, TODAY - timedelta(days=200))
    assert warning.ok
    first, last = TODAY - timedelta(days=90), TODAY - timedelta(days=69)
    assert warning.message.startswith(f"22 days from {first} to {last} were never taken")
    assert CUSTOMER in warning.message
    assert f"from {first} to {last}" in warning.hint


def test_days_that_were_taken_are_not_warned_of(tmp_path: Path) -> None:
    days = [TODAY - timedelta(days=90 - number) for number in range(22)]
    (warning,) = found(tmp_path, NOON, days[0], tuple(days[2:20]))
    assert warning.message.startswith(f"4 days from {days[0]} to {days[-1]} were never taken")


def test_days_that_are_not_expected_are_not_warned_of(tmp_path: Path) -> None:
    assert not found(tmp_path, NOON, TODAY - timedelta(days=68))
