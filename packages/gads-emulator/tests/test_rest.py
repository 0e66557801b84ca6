"""The API over REST, asked with the standard library alone."""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from gads_emulator import EmulatorServer, Policy, SyntheticAgency

QUERY = (
    "SELECT campaign.id, campaign.advertising_channel_type, campaign_budget.amount_micros, segments.date, "
    "metrics.cost_micros, metrics.ctr FROM campaign WHERE segments.date = '2024-03-05' ORDER BY campaign.id"
)
Post = Callable[..., tuple[int, Any]]


def call(url: str, body: object | None = None, *, raw: bytes | None = None, **headers: str) -> tuple[int, Any]:
    data = raw if raw is not None else None if body is None else json.dumps(body).encode()
    said = {"content-type": "application/json"}
    said.update({key.replace("_", "-"): value for key, value in headers.items()})
    request = urllib.request.Request(url, data, {key: value for key, value in said.items() if value})
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


@pytest.fixture
def post(emulator: EmulatorServer, agency: SyntheticAgency) -> Post:
    def poster(method: str, query: str = QUERY, customer: str = agency.client_ids[0], **more: Any) -> tuple[int, Any]:
        url = f"{emulator.rest_url}/{more.pop('version', 'v26')}/customers/{customer}/googleAds:{method}"
        headers = {"login_customer_id": agency.login_customer_id, **more.pop("headers", {})}
        return call(url, {"query": query, **more}, **headers)

    return poster


def test_a_stream_is_a_list_of_responses_in_camel_case(post: Post, service: Any, agency: SyntheticAgency) -> None:
    status, pages = post("searchStream")
    assert status == 200
    assert [sorted(page) for page in pages] == [["fieldMask", "requestId", "results"]]
    assert pages[0]["fieldMask"].startswith("campaign.id,campaign.advertisingChannelType,campaignBudget.amountMicros")
    expected = service.search_stream(customer_id=agency.client_ids[0], query=QUERY)
    rows = [type(row).to_dict(row) for page in expected for row in page.results]
    assert [int(row["campaign"]["id"]) for row in pages[0]["results"]] == [int(row["campaign"]["id"]) for row in rows]
    first = pages[0]["results"][0]
    assert isinstance(first["campaign"]["id"], str)
    assert isinstance(first["metrics"]["costMicros"], str)
    assert isinstance(first["metrics"]["ctr"], float)
    assert first["campaign"]["advertisingChannelType"] in (
        "SEARCH",
        "DISPLAY",
        "SHOPPING",
        "VIDEO",
        "PERFORMANCE_MAX",
        "DEMAND_GEN",
    )
    assert first["campaign"]["resourceName"].startswith("customers/")


def test_a_search_has_pages(post: Post) -> None:
    query = (
        "SELECT ad_group.id, segments.date, segments.hour, metrics.impressions FROM ad_group "
        "WHERE segments.date BETWEEN '2024-01-01' AND '2024-02-10'"
    )
    _, streamed = post("searchStream", query)
    rows: list[Any] = []
    more: dict[str, Any] = {}
    pages = 0
    while True:
        status, page = post("search", query, searchSettings={"returnTotalResultsCount": True}, **more)
        assert status == 200
        rows += page["results"]
        pages += 1
        assert page["totalResultsCount"] == str(sum(len(p["results"]) for p in streamed))
        if "nextPageToken" not in page:
            break
        more = {"pageToken": page["nextPageToken"]}
    assert pages > 1
    assert rows == [row for p in streamed for row in p["results"]]


@pytest.mark.parametrize("version", ["v23", "v24", "v25", "v26"])
def test_every_version_answers(post: Post, version: str) -> None:
    status, pages = post("searchStream", "SELECT campaign.id FROM campaign", version=version)
    assert status == 200
    assert pages[0]["results"]


@pytest.mark.parametrize(
    ("method", "change", "code", "error"),
    [
        ("search", {"query": "SELECT campaign.nme FROM campaign"}, 400, {"queryError": "UNRECOGNIZED_FIELD"}),
        ("searchStream", {"query": "SELECT FROM"}, 400, None),
        ("search", {"customer": "1"}, 403, {"authorizationError": "USER_PERMISSION_DENIED"}),
        ("search", {"version": "v3"}, 400, {"requestError": "UNSUPPORTED_VERSION"}),
        ("search", {"headers": {"authorization": "x"}}, 401, {"authenticationError": "OAUTH_TOKEN_INVALID"}),
    ],
)
def test_an_error_has_the_failure_in_its_details(
    post: Post, method: str, change: dict[str, Any], code: int, error: dict[str, str] | None
) -> None:
    status = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED"}[code]
    got, body = post(method, **change)
    # A stream answers with a list, also of an error.
    said = (body[0] if method == "searchStream" else body)["error"]
    assert (got, said["code"], said["status"]) == (code, code, status)
    assert said["details"][0]["@type"].endswith("errors.GoogleAdsFailure")
    assert said["details"][0]["requestId"]
    if error is not None:
        assert said["details"][0]["errors"][0]["errorCode"] == error


def test_an_unsupported_version_is_refused(post: Post) -> None:
    _, body = post("search", version="v3")
    assert body["error"]["details"][0]["errors"][0]["message"].startswith("Version v3 is deprecated.")


def test_metrics_of_a_manager_are_refused(post: Post, agency: SyntheticAgency) -> None:
    _, body = post("search", "SELECT metrics.clicks FROM customer", customer=agency.login_customer_id)
    assert body["error"]["details"][0]["errors"][0]["errorCode"] == {"queryError": "REQUESTED_METRICS_FOR_MANAGER"}


def test_an_unknown_key_of_the_body_is_refused(post: Post) -> None:
    status, body = post("search", nonsense=1)
    assert status == 400
    assert "nonsense" in body["error"]["message"]


@pytest.mark.parametrize("body", [b"{", b"[" * 200_000], ids=["cut", "nested"])
def test_a_body_that_is_not_json_is_refused(emulator: EmulatorServer, agency: SyntheticAgency, body: bytes) -> None:
    url = f"{emulator.rest_url}/v26/customers/{agency.client_ids[0]}/googleAds:search"
    assert call(url, raw=body, login_customer_id=agency.login_customer_id)[0] == 400


POST = b"POST /v26/customers/1/googleAds:search HTTP/1.1\r\n"


class TestMalformedRequests:
    """What is not HTTP gets 4xx at once, without a traceback, and the server goes on."""

    @pytest.mark.parametrize(
        ("sent", "code"),
        [
            (b"nonsense\r\n\r\n", 400),
            (b"GET / HTTP/x\r\n\r\n", 400),
            (b"GET / HTTP/1.1 more\r\n\r\n", 400),
            (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
            (b"\x16\x03\x01\x02\x00\x01\r\n\r\n", 400),
            (b"BREW /v26 HTTP/1.1\r\n\r\n", 405),
            (b"GET /\xff\xfe%ff%00 HTTP/1.1\r\nConnection: close\r\n\r\n", 404),
            (b"GET /v26/googleAdsFields/%ff%fe HTTP/1.1\r\nConnection: close\r\n\r\n", 400),
            (b"GET /" + b"a" * 70_000 + b" HTTP/1.1\r\n\r\n", 414),
            (POST + b"no colon\r\n\r\n", 400),
            (POST + b"x: " + b"a" * 70_000 + b"\r\n\r\n", 431),
            (POST + b"x: 1\r\n" * 200 + b"\r\n", 431),
            (POST + b"Content-Length: ten\r\n\r\n", 400),
            (POST + b"Content-Length: -1\r\n\r\n", 400),
            (POST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n{}", 400),
            (POST + b"Content-Length: 99999999999\r\n\r\n", 413),
            (POST + b"Content-Length: 10\r\n\r\n{}", 400),
            (POST + b"Transfer-Encoding: gzip\r\n\r\n", 400),
            (POST + b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n\r\n{}", 400),
            (POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n0\r\n\r\n", 400),
            (POST + b"Transfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n0\r\n\r\n", 400),
            (POST + b"Transfer-Encoding: chunked\r\n\r\nfffffffffff\r\n", 413),
            (POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n" + b"a: b\r\n" * 200, 431),
            (POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 403),
            (b"POST /_faults HTTP/1.1\r\nContent-Length: 2000000\r\n\r\n", 413),
            (b"POST /token HTTP/1.1\r\nContent-Length: 3\r\n\r\n\xff=\xfe", 400),
        ],
    )
    def test_the_answer_is_the_clients_fault(
        self, emulator: EmulatorServer, capfd: pytest.CaptureFixture[str], sent: bytes, code: int
    ) -> None:
        at, port = emulator.rest_url.removeprefix("http://").split(":")
        with socket.create_connection((at, int(port)), timeout=20) as connection:
            connection.sendall(sent)
            connection.shutdown(socket.SHUT_WR)
            answered = b"".join(iter(lambda: connection.recv(65_536), b""))
        head, _, body = answered.partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 %d " % code)
        assert json.loads(body)["error"]
        assert capfd.readouterr() == ("", "")

    def test_a_body_that_does_not_arrive_ends_the_request(
        self, emulator: EmulatorServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gads_emulator.http_server._Handler.timeout", 0.05)
        at, port = emulator.rest_url.removeprefix("http://").split(":")
        with socket.create_connection((at, int(port)), timeout=20) as connection:
            connection.sendall(POST + b"Content-Length: 10\r\n\r\n{}")
            assert connection.recv(12) == b"HTTP/1.1 408"


def test_an_unknown_path_is_not_found(emulator: EmulatorServer) -> None:
    assert call(f"{emulator.rest_url}/v26/customers/1/campaigns:mutate", {})[0] == 404


def test_accessible_customers_are_listed(emulator: EmulatorServer, agency: SyntheticAgency) -> None:
    status, body = call(f"{emulator.rest_url}/v26/customers:listAccessibleCustomers")
    assert (status, body) == (200, {"resourceNames": [f"customers/{agency.login_customer_id}"]})


def test_it_is_served_with_tls_too(emulator: EmulatorServer) -> None:
    context = ssl.create_default_context(cadata=emulator.ca_pem.decode())
    request = urllib.request.Request(f"{emulator.rest_tls_url}/v26/customers:listAccessibleCustomers")
    with urllib.request.urlopen(request, context=context) as response:
        assert json.load(response)["resourceNames"]


class TestAsAProxy:
    """A client whose addresses are Google's own is pointed here by the variables that it reads anyway."""

    def _connection(self, emulator: EmulatorServer, host: str) -> http.client.HTTPSConnection:
        context = ssl.create_default_context(cadata=emulator.ca_pem.decode())
        at, port = emulator.rest_url.removeprefix("http://").split(":")
        connection = http.client.HTTPSConnection(at, int(port), context=context, timeout=30)
        connection.set_tunnel(host)
        return connection

    def test_it_answers_for_google(self, emulator: EmulatorServer) -> None:
        connection = self._connection(emulator, "googleads.googleapis.com")
        for _ in range(2):
            connection.request("GET", "/v26/customers:listAccessibleCustomers")
            with connection.getresponse() as response:
                assert json.load(response)["resourceNames"]
        connection.close()

    def test_it_issues_tokens_for_google(self, emulator: EmulatorServer) -> None:
        connection = self._connection(emulator, "oauth2.googleapis.com")
        connection.request("POST", "/token", "grant_type=refresh_token&refresh_token=r")
        with connection.getresponse() as response:
            assert json.load(response)["access_token"]
        connection.close()

    def test_it_refuses_other_hosts(self, emulator: EmulatorServer) -> None:
        with pytest.raises(OSError, match="403"):
            self._connection(emulator, "elsewhere.example").connect()


class TestTokens:
    def _ask(self, url: str, form: str) -> tuple[int, Any]:
        return call(url, raw=form.encode(), content_type="application/x-www-form-urlencoded")

    def test_a_refresh_token_yields_an_access_token_that_the_api_accepts(
        self, emulator: EmulatorServer, post: Post
    ) -> None:
        status, body = self._ask(
            emulator.token_url, "grant_type=refresh_token&refresh_token=r&client_id=i&client_secret=s"
        )
        assert (status, body["token_type"]) == (200, "Bearer")
        assert post("search", headers={"authorization": f"Bearer {body['access_token']}"})[0] == 200

    def test_the_paths_of_real_endpoints_work(self, emulator: EmulatorServer) -> None:
        for path in ("/o/oauth2/token", "/oauth2/v4/token"):
            assert self._ask(emulator.rest_url + path, "grant_type=refresh_token&refresh_token=r")[0] == 200

    @pytest.mark.parametrize(
        ("form", "error"),
        [
            ("grant_type=password", "unsupported_grant_type"),
            ("grant_type=refresh_token", "invalid_request"),
            ("grant_type=refresh_token&refresh_token=bad", "invalid_grant"),
        ],
    )
    def test_invalid_token_requests_are_refused(self, agency: SyntheticAgency, form: str, error: str) -> None:
        with EmulatorServer(agency, policy=Policy(refresh_tokens=frozenset({"good"}))) as server:
            status, body = self._ask(server.token_url, form)
        assert (status, body["error"]) == (400, error)


class TestFields:
    def test_a_field_is_found_by_name(self, emulator: EmulatorServer) -> None:
        status, body = call(f"{emulator.rest_url}/v26/googleAdsFields/campaign.status")
        assert status == 200
        assert body["category"] == "ATTRIBUTE"
        assert body["dataType"] == "ENUM"
        assert {"ENABLED", "PAUSED", "REMOVED"} <= set(body["enumValues"])
        assert body["selectable"] is True

    def test_an_unknown_field_is_refused(self, emulator: EmulatorServer) -> None:
        assert call(f"{emulator.rest_url}/v26/googleAdsFields/campaign.nme")[0] == 400

    def test_the_official_client_searches(self, client: Any) -> None:
        service = client.get_service("GoogleAdsFieldService")
        query = (
            "SELECT name, category, selectable, is_repeated WHERE name LIKE 'campaign.%' AND filterable = true LIMIT 20"
        )
        found = list(service.search_google_ads_fields(query=query))
        assert len(found) == 20
        assert all(field.name.startswith("campaign.") and field.selectable for field in found)
        assert {field.category.name for field in found} == {"ATTRIBUTE"}

    def test_the_official_client_reads_all_fields_over_pages(self, client: Any) -> None:
        service = client.get_service("GoogleAdsFieldService")
        pager = service.search_google_ads_fields(request={"query": "SELECT name, data_type", "page_size": 5_000})
        names = [field.name for field in pager]
        assert len(set(names)) == len(names) == pager.total_results_count
        assert {"campaign", "campaign.id", "metrics.clicks", "segments.date"} <= set(names)

    def test_a_resource_lists_its_joined_resources(self, client: Any) -> None:
        service = client.get_service("GoogleAdsFieldService")
        field = service.get_google_ads_field(resource_name="googleAdsFields/ad_group")
        assert field.category.name == "RESOURCE"
        assert {"campaign", "customer"} <= set(field.attribute_resources)
        assert "metrics.clicks" in field.metrics
        assert not service.get_google_ads_field(resource_name="googleAdsFields/ad_group_label").metrics
