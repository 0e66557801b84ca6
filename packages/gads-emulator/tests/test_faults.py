"""Faults, seen through the unpatched official client and through REST."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from google.ads.googleads.client import GoogleAdsClient
from google.ads.googleads.errors import GoogleAdsException
from google.ads.googleads.v26.errors.types.errors import GoogleAdsFailure
from google.api_core.exceptions import (
    GoogleAPICallError,
    InternalServerError,
    ResourceExhausted,
    ServiceUnavailable,
)
from google.auth.exceptions import RefreshError

from gads_domain.errors import ConfigurationError
from gads_emulator import EmulatorServer, FaultPlan, FaultRule, SyntheticAgency, trust_process_authority
from gads_emulator.fault_plan import fault_plan_as_json, fault_plan_from, read_fault_plan
from gads_emulator.faults import split_message

QUERY = (
    "SELECT ad_group.id, segments.date, segments.hour, metrics.impressions FROM ad_group "
    "WHERE segments.date BETWEEN '2024-01-01' AND '2024-02-29'"
)
SMALL = "SELECT campaign.id FROM campaign"


@pytest.fixture(scope="module")
def server(agency: SyntheticAgency) -> Iterator[EmulatorServer]:
    trust_process_authority()
    with EmulatorServer(agency) as running:
        yield running


@pytest.fixture(autouse=True)
def _no_faults_left(server: EmulatorServer) -> Iterator[None]:
    yield
    server.faults.clear()


@pytest.fixture(scope="module")
def load(server: EmulatorServer, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Any]:
    def loader() -> Any:
        path = server.write_client_configuration(tmp_path_factory.mktemp("faults"))
        return GoogleAdsClient.load_from_storage(str(path), version="v26")

    return loader


@pytest.fixture(scope="module")
def client(load: Callable[[], Any]) -> Any:
    return load()


@pytest.fixture(scope="module")
def service(client: Any) -> Any:
    return client.get_service("GoogleAdsService")


def _rows(service: Any, customer: str, query: str = QUERY) -> list[Any]:
    """Read a stream, once, without the client's own retries; what came before a failure goes with it."""
    rows: list[Any] = []
    try:
        for page in service.search_stream(customer_id=customer, query=query, retry=None):
            rows.extend(page.results)
    except Exception as error:
        error.rows = rows  # type: ignore[attr-defined]  # a test's own note
        raise
    return rows


def _failure(error: GoogleAPICallError) -> Any:
    """Read the failure of a status that the client retries, which it therefore leaves as it came."""
    found = [value for key, value in error.errors[0].trailing_metadata() if key.endswith("googleadsfailure-bin")]
    return GoogleAdsFailure.deserialize(found[0])


def _play(server: EmulatorServer, *rules: FaultRule, **plan: Any) -> None:
    server.faults.plan = FaultPlan(rules=rules, **plan)


def test_a_rule_strikes_the_first_call_only(server: EmulatorServer, service: Any, agency: SyntheticAgency) -> None:
    whole = _rows(service, agency.client_ids[0])
    _play(server, FaultRule(status="UNAVAILABLE", first=1))
    with pytest.raises(ServiceUnavailable):
        _rows(service, agency.client_ids[0])
    assert _rows(service, agency.client_ids[0]) == whole
    assert server.faults.struck() == (1,)


def test_a_rule_strikes_one_customer_only(server: EmulatorServer, service: Any, agency: SyntheticAgency) -> None:
    _play(server, FaultRule(customers=(agency.client_ids[0],), error="authorization_error.USER_PERMISSION_DENIED"))
    with pytest.raises(GoogleAdsException) as caught:
        _rows(service, agency.client_ids[0], SMALL)
    assert caught.value.failure.errors[0].error_code.authorization_error.name == "USER_PERMISSION_DENIED"
    assert _rows(service, agency.client_ids[1], SMALL)


def test_a_rule_strikes_one_resource_and_method_only(
    server: EmulatorServer, service: Any, agency: SyntheticAgency
) -> None:
    _play(server, FaultRule(resources=("ad_group",), methods=("SearchStream",), status="INTERNAL"))
    assert _rows(service, agency.client_ids[0], SMALL)
    assert list(service.search(customer_id=agency.client_ids[0], query="SELECT ad_group.id FROM ad_group"))
    with pytest.raises(GoogleAPICallError):
        _rows(service, agency.client_ids[0], "SELECT ad_group.id FROM ad_group")


def test_a_rule_strikes_every_third_call_of_each_customer(
    server: EmulatorServer, service: Any, agency: SyntheticAgency
) -> None:
    _play(server, FaultRule(status="UNAVAILABLE", every=3, each_customer=True))
    seen: dict[str, list[bool]] = {customer: [] for customer in agency.client_ids[:2]}
    for _ in range(6):
        for customer, ends in seen.items():
            try:
                ends.append(bool(_rows(service, customer, SMALL)))
            except ServiceUnavailable:
                ends.append(False)
    assert list(seen.values()) == [[True, True, False] * 2] * 2


def test_a_probability_depends_on_the_seed_and_not_on_the_order_of_calls(
    server: EmulatorServer, service: Any, agency: SyntheticAgency
) -> None:
    def struck(order: list[tuple[str, str]]) -> set[tuple[str, str]]:
        _play(server, FaultRule(status="UNAVAILABLE", probability=0.5), seed=4)
        failed = set()
        for customer, query in order:
            try:
                _rows(service, customer, query)
            except ServiceUnavailable:
                failed.add((customer, query))
        return failed

    calls = [(customer, f"{SMALL} LIMIT {n}") for customer in agency.client_ids[:2] for n in range(1, 11)]
    first = struck(calls)
    assert 0 < len(first) < len(calls)
    assert struck(calls[::-1]) == first


@pytest.mark.parametrize(("rows", "pages"), [(1, None), (0, None), (10_001, None), (None, 1)])
def test_a_stream_is_cut_after_rows_or_pages(
    server: EmulatorServer, service: Any, agency: SyntheticAgency, rows: int | None, pages: int | None
) -> None:
    whole = _rows(service, agency.client_ids[0])
    _play(server, FaultRule(after_rows=rows, after_pages=pages))
    with pytest.raises(ServiceUnavailable) as caught:
        _rows(service, agency.client_ids[0])
    expected = rows if rows is not None else 10_000
    assert caught.value.rows == whole[:expected]  # type: ignore[attr-defined]


def test_a_shorter_stream_is_cut_at_its_end(server: EmulatorServer, service: Any, agency: SyntheticAgency) -> None:
    whole = _rows(service, agency.client_ids[0], SMALL)
    _play(server, FaultRule(after_rows=1000, error="internal_error.INTERNAL_ERROR"))
    with pytest.raises(InternalServerError) as caught:
        _rows(service, agency.client_ids[0], SMALL)
    assert caught.value.rows == whole  # type: ignore[attr-defined]


@pytest.mark.parametrize("pages", [None, 1])
def test_a_connection_breaks_in_the_middle_of_a_message(
    server: EmulatorServer, load: Callable[[], Any], agency: SyntheticAgency, pages: int | None
) -> None:
    client = load()
    service = client.get_service("GoogleAdsService")
    whole = _rows(service, agency.client_ids[0])
    _play(server, FaultRule(mid_message=True, after_pages=pages, first=1))
    with pytest.raises(ServiceUnavailable) as caught:
        _rows(service, agency.client_ids[0])
    # What the client has not taken yet when the connection goes is lost with it.
    assert caught.value.rows in ([], whole[: 10_000 * (pages or 0)])  # type: ignore[attr-defined]
    assert _rows(service, agency.client_ids[0]) == whole


def test_a_delay_is_waited_for(server: EmulatorServer, service: Any, agency: SyntheticAgency) -> None:
    _play(server, FaultRule(delay=0.3))
    start = time.monotonic()
    assert _rows(service, agency.client_ids[0], SMALL)
    assert time.monotonic() - start >= 0.3


def test_a_slowed_stream_has_all_rows(server: EmulatorServer, service: Any, agency: SyntheticAgency) -> None:
    whole = _rows(service, agency.client_ids[0], SMALL)
    _play(server, FaultRule(drip_rows=2, drip_delay=0.02))
    start = time.monotonic()
    pages = [list(p.results) for p in service.search_stream(customer_id=agency.client_ids[0], query=SMALL)]
    assert time.monotonic() - start >= 0.02 * len(pages)
    assert [len(page) for page in pages] == [2] * (len(whole) // 2)
    assert [row for page in pages for row in page] == whole


def test_a_quota_error_has_a_retry_delay(server: EmulatorServer, service: Any, agency: SyntheticAgency) -> None:
    code = "quota_error.RESOURCE_TEMPORARILY_EXHAUSTED"
    _play(server, FaultRule(error=code, retry_delay=7, rate_scope="ACCOUNT", rate_name="Requests per account", first=1))
    with pytest.raises(ResourceExhausted) as caught:
        _rows(service, agency.client_ids[0], SMALL)
    error = _failure(caught.value).errors[0]
    assert error.error_code.quota_error.name == "RESOURCE_TEMPORARILY_EXHAUSTED"
    details = error.details.quota_error_details
    assert details.retry_delay.total_seconds() == 7
    assert (details.rate_scope.name, details.rate_name) == ("ACCOUNT", "Requests per account")


def test_the_operations_of_a_day_are_limited(agency: SyntheticAgency, tmp_path: Path) -> None:
    clock = [datetime(2024, 6, 1, 22, tzinfo=UTC)]
    plan = FaultPlan(operations_per_day=3)
    with EmulatorServer(agency, faults=plan, now=lambda: clock[0]) as running:
        client = GoogleAdsClient.load_from_storage(str(running.write_client_configuration(tmp_path)), version="v26")
        service = client.get_service("GoogleAdsService")
        for _ in range(2):
            _rows(service, agency.client_ids[0], SMALL)
        assert len(list(service.search(customer_id=agency.client_ids[0], query=QUERY))) > 10_000
        with pytest.raises(ResourceExhausted) as caught:
            _rows(service, agency.client_ids[1], SMALL)
        error = _failure(caught.value).errors[0]
        assert error.error_code.quota_error.name == "RESOURCE_EXHAUSTED"
        assert error.details.quota_error_details.retry_delay.total_seconds() == 86_401
        clock[0] = datetime(2024, 6, 2, 0, 1, tzinfo=UTC)
        with pytest.raises(ResourceExhausted):
            _rows(service, agency.client_ids[1], SMALL)
        clock[0] = datetime(2024, 6, 2, 22, 0, 1, tzinfo=UTC)
        assert _rows(service, agency.client_ids[1], SMALL)


def test_the_token_endpoint_refuses_by_rule(
    server: EmulatorServer, load: Callable[[], Any], agency: SyntheticAgency
) -> None:
    _play(server, FaultRule(methods=("Token",), oauth_error="invalid_grant", message="Account has been deleted"))
    with pytest.raises(RefreshError, match="Account has been deleted"):
        load().get_service("GoogleAdsService").search(customer_id=agency.client_ids[0], query=SMALL)


class TestOverRest:
    def _post(self, url: str, body: object) -> Any:
        headers = {"content-type": "application/json"}
        return urllib.request.urlopen(urllib.request.Request(url, json.dumps(body).encode(), headers))

    def test_another_process_sets_reads_and_clears_the_plan(self, server: EmulatorServer) -> None:
        plan = {"faults": [{"status": "UNAVAILABLE", "first": 2, "customers": [123]}]}
        with self._post(server.faults_url, plan) as response:
            assert json.load(response)["struck"] == [0]
        assert server.faults.plan == FaultPlan(rules=(FaultRule(status="UNAVAILABLE", first=2, customers=("123",)),))
        urllib.request.urlopen(urllib.request.Request(server.faults_url, method="DELETE")).close()
        assert server.faults.plan == FaultPlan()

    def test_an_invalid_plan_is_refused_and_the_old_one_stays(self, server: EmulatorServer) -> None:
        _play(server, FaultRule(status="INTERNAL"))
        before = server.faults.plan
        with pytest.raises(urllib.error.HTTPError, match="400"):
            self._post(server.faults_url, {"faults": [{"status": "NONE"}]})
        assert server.faults.plan == before

    def test_a_rest_body_breaks_off(self, server: EmulatorServer, agency: SyntheticAgency) -> None:
        _play(server, FaultRule(mid_message=True, customers=(agency.client_ids[0],)))
        url = f"{server.rest_url}/v26/customers/{agency.client_ids[0]}/googleAds:searchStream"
        headers = {"login-customer-id": agency.login_customer_id}
        request = urllib.request.Request(url, json.dumps({"query": SMALL}).encode(), headers)
        with urllib.request.urlopen(request) as response, pytest.raises(http.client.IncompleteRead):
            response.read()

    def test_an_error_after_rows_is_the_last_element(self, server: EmulatorServer, agency: SyntheticAgency) -> None:
        _play(server, FaultRule(after_rows=1, error="internal_error.INTERNAL_ERROR"))
        url = f"{server.rest_url}/v26/customers/{agency.client_ids[0]}/googleAds:searchStream"
        headers = {"login-customer-id": agency.login_customer_id}
        request = urllib.request.Request(url, json.dumps({"query": SMALL}).encode(), headers)
        with urllib.request.urlopen(request) as response:
            page, error = json.load(response)
        assert len(page["results"]) == 1
        assert error["error"]["code"] == 500


PLAN = FaultPlan(
    seed=9,
    operations_per_day=100,
    rules=(
        FaultRule(customers=("12*",), error="quota_error.RESOURCE_EXHAUSTED", retry_delay=1.5, calls=(1, 3)),
        FaultRule(methods=("Token",), oauth_error="invalid_client", probability=0.5),
        FaultRule(drip_rows=1, drip_delay=0.5, delay=2, each_customer=True, every=2),
    ),
)


def test_a_plan_is_read_back_from_json_and_toml(tmp_path: Path) -> None:
    as_json = tmp_path / "plan.json"
    as_json.write_text(json.dumps(fault_plan_as_json(PLAN)))
    assert read_fault_plan(as_json) == PLAN
    as_toml = tmp_path / "plan.toml"
    as_toml.write_text('seed = 2\n[[faults]]\nstatus = "UNAVAILABLE"\ncustomers = "1234567890"\ndelay = 1\n')
    rule = FaultRule(status="UNAVAILABLE", customers=("1234567890",), delay=1)
    assert read_fault_plan(as_toml) == FaultPlan(seed=2, rules=(rule,))


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "the plan must be a table"),
        ({"rules": []}, "unknown key 'rules'"),
        ({"faults": [1]}, "each fault must be a table"),
        ({"faults": [{"state": "UNAVAILABLE"}]}, "unknown key 'state'"),
        ({"faults": [{"status": "OK"}]}, "'OK' is not a gRPC status"),
        ({"faults": [{"error": "RESOURCE_EXHAUSTED"}]}, "not a Google Ads error"),
        ({"faults": [{"error": "quota_error.RESOURCE_EXHAUSTEDD"}]}, "not a Google Ads error"),
        ({"faults": [{"resources": ["campain"]}]}, "unknown resource 'campain'"),
        ({"faults": [{"methods": ["Mutate"]}]}, "unknown method 'Mutate'"),
        ({"faults": [{"oauth_error": "invalid_grant"}]}, "token endpoint"),
        ({"faults": [{"first": "one"}]}, "'first' has the wrong type"),
        ({"faults": [{"first": 0}]}, "first must be 1 to "),
        ({"faults": [{"delay": -1}]}, "delay must be 0 to 3600, not -1"),
        ({"faults": [{"delay": 3601}]}, "delay must be 0 to 3600"),
        ({"faults": [{"drip_rows": 1, "drip_delay": float("nan")}]}, "drip_delay must be 0 to 3600"),
        ({"faults": [{"retry_delay": float("inf"), "error": "quota_error.RESOURCE_EXHAUSTED"}]}, "retry_delay must be"),
        ({"faults": [{"every": 10**12}]}, "every must be 1 to"),
        ({"faults": [{"calls": [0]}]}, "calls must be 1 to"),
        ({"faults": [{"calls": ["x"]}]}, "'calls' has the wrong type"),
        ({"faults": [{"message": "x" * 1001}]}, "message must be 0 to 1000 characters long"),
        ({"faults": [{"customers": ["1" * 1001]}]}, "customers must be 0 to 1000 characters long"),
        ({"faults": [{"customers": ["1"] * 10_001}]}, "10001 customers, which is more than 10000"),
        ({"faults": [{}] * 1_001}, "1001 rules, which is more than 1000"),
        ({"seed": True}, "seed and operations_per_day must be integers"),
        ({"operations_per_day": -1}, "operations_per_day must be 0 to"),
        ({"faults": [{"probability": 2}]}, "probability must be 0 to 1"),
        ({"faults": [{"customers": [None]}]}, "'customers' has the wrong type"),
        ({"faults": [{"retry_delay": 1}]}, "needs an error"),
        ({"faults": [{"rate_scope": "PROJECT"}]}, "'PROJECT' is not a rate scope"),
    ],
)
def test_an_invalid_plan_is_an_error_that_says_why(document: Any, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        fault_plan_from(document)


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.toml", "x = "), ("a.json", "{"), ("b.json", None), ("c.json", "[" * 100_000), ("d.toml", "#" * 2**20 + "\n")],
    ids=["toml", "json", "missing", "nested", "long"],
)
def test_an_error_names_a_file_that_cannot_be_read(tmp_path: Path, name: str, content: str | None) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(ConfigurationError, match=name):
        read_fault_plan(tmp_path / name)


def test_messages_are_split_at_rows() -> None:
    from gads_emulator.api_versions import load_version

    version = load_version("v26")
    message = version.stream_response(request_id="r")
    message.field_mask.paths.append("campaign.id")
    for number in range(5):
        message.results.add().campaign.id = number
    encoded = message.SerializeToString()
    pieces = [version.stream_response.FromString(piece) for piece in split_message(version, encoded, 2)]
    assert [[row.campaign.id for row in piece.results] for piece in pieces] == [[0, 1], [2, 3], [4]]
    assert {piece.request_id for piece in pieces} == {"r"}
    whole = list(split_message(version, encoded, 5))
    assert whole == [encoded]
    empty = version.stream_response(request_id="r").SerializeToString()
    assert list(split_message(version, empty, 2)) == [empty]
