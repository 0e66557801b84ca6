"""Every report of the catalogue against the synthetic agency, through the official client."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from functools import cache
from importlib import resources
from typing import Any

import pytest

from gads_emulator import EmulatorServer, SyntheticAgency, SyntheticSettings, trust_process_authority
from gads_gaql.catalogue import load, versions
from gads_gaql.parser import parse
from gads_gaql.syntax import Query

TODAY = date(2024, 6, 15)
DAYS = "segments.date BETWEEN '2024-06-01' AND '2024-06-03'"
ONE_DAY = "segments.date = '2024-06-03'"
CHANGES = {
    "change_event": "change_event.change_date_time DURING LAST_14_DAYS",
    "change_status": "change_status.last_change_date_time DURING LAST_14_DAYS",
}
SOMETIMES_SET = re.compile(
    r"case_value\.|^(shared_criterion|customer_negative_criterion|bidding_strategy|campaign|change_event|change_status)\."
)
"""Members of a oneof, and what a change or a strategy has nothing to do with."""


def _reports() -> dict[str, str]:
    folder = resources.files("gads_reports") / "reports"
    return {
        entry.name.removesuffix(".gaql"): entry.read_text("utf-8")
        for entry in folder.iterdir()
        if entry.name.endswith(".gaql")
    }


def _query_of(text: str) -> tuple[Query, str]:
    """The query as it is sent, with the days and the limit that the one who runs the report adds."""
    query = parse(text)
    sent = " ".join(re.sub(r"(?m)^\s*(--|#).*$", "", text).split())
    conditions = [
        found
        for found in (
            CHANGES.get(query.resource),
            (ONE_DAY if query.resource == "click_view" else DAYS) if "segments.date" in query.field_names else None,
        )
        if found is not None
    ]
    for condition in conditions:
        sent += f" {'AND' if query.conditions else 'WHERE'} {condition}"
    return query, sent + (" LIMIT 10000" if query.resource in CHANGES and query.limit is None else "")


def _value(message: Any, path: str) -> Any:
    """The value of a path, None for unset."""
    for name in path.split("."):
        field = message.DESCRIPTOR.fields_by_name.get(name) or message.DESCRIPTOR.fields_by_name[f"{name}_"]
        if field.is_repeated:
            return tuple(str(item) for item in getattr(message, field.name)) or None
        if field.has_presence and not message.HasField(field.name):
            return None
        message = getattr(message, field.name)
    return message.SerializeToString() if hasattr(message, "DESCRIPTOR") else message


@pytest.fixture(scope="module")
def server() -> Iterator[EmulatorServer]:
    trust_process_authority()
    agency = SyntheticAgency(SyntheticSettings(seed=5, accounts=1))
    with EmulatorServer(agency, now=lambda: datetime(TODAY.year, TODAY.month, TODAY.day, 18, tzinfo=UTC)) as running:
        yield running


@pytest.fixture(scope="module")
def service_of(server: EmulatorServer, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Any]:
    from google.ads.googleads.client import GoogleAdsClient

    path = server.write_client_configuration(tmp_path_factory.mktemp("client"))

    @cache
    def service(version: str) -> Any:
        return GoogleAdsClient.load_from_storage(str(path), version=version).get_service("GoogleAdsService")

    return service


@pytest.mark.parametrize("name", sorted(_reports()))
def test_a_report_has_rows_with_values_and_no_row_twice(
    name: str, server: EmulatorServer, service_of: Callable[[str], Any]
) -> None:
    query, sent = _query_of(_reports()[name])
    # A resource that has left the API is asked of the last version that had it.
    version = next(version for version in reversed(versions()) if query.resource in load(version).resources())
    agency = server.agency
    assert isinstance(agency, SyntheticAgency)
    pages = service_of(version).search_stream(customer_id=agency.client_ids[0], query=sent)
    rows = [type(row).pb(row) for page in pages for row in page.results]
    assert rows
    dimensions = [path for path in query.field_names if not path.startswith("metrics.")]
    keys = [tuple(_value(row, path) for path in dimensions) for row in rows]
    assert len(set(keys)) == len(keys)
    unset = [path for path in query.field_names if all(_value(row, path) is None for row in rows)]
    assert [path for path in unset if not SOMETIMES_SET.search(path)] == []
