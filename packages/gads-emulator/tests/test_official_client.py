"""The unpatched official client against the emulator, over TLS."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from google.ads.googleads.client import GoogleAdsClient
from google.ads.googleads.errors import GoogleAdsException
from google.api_core.exceptions import ResourceExhausted, ServiceUnavailable
from grpc import StatusCode

from gads_emulator import ApiFailureError, Call, EmulatorServer, Policy, Selection, SyntheticAgency

MANY = (
    "SELECT ad_group_ad.ad.id, segments.date, segments.device, metrics.clicks, metrics.impressions FROM ad_group_ad "
    "WHERE segments.date BETWEEN '2024-01-01' AND '2024-06-30'"
)


@pytest.fixture
def customer(agency: SyntheticAgency) -> str:
    return agency.client_ids[0]


@pytest.fixture
def failure_of(service: Any, customer: str) -> Callable[..., GoogleAdsException]:
    def call(query: str, customer_id: str = customer, use: Any = service) -> GoogleAdsException:
        with pytest.raises(GoogleAdsException) as caught:
            list(use.search_stream(customer_id=customer_id, query=query))
        return caught.value

    return call


def _load(server: EmulatorServer, folder: Path, **changes: str) -> Any:
    """Load a client from storage, with lines of its configuration replaced."""
    path = server.write_client_configuration(folder)
    lines = [line for line in path.read_text().splitlines() if line.partition(":")[0] not in changes and line[0] != "#"]
    lines += [f"{key}: {value}" for key, value in changes.items() if value]
    path.write_text("\n".join(lines))
    return GoogleAdsClient.load_from_storage(str(path), version="v26")


def test_a_stream_has_only_the_selected_fields(service: Any, customer: str) -> None:
    pages = list(
        service.search_stream(
            customer_id=customer,
            query="SELECT campaign.name, metrics.clicks FROM campaign WHERE segments.date = '2024-03-05'",
        )
    )
    assert [list(page.field_mask.paths) for page in pages] == [["campaign.name", "metrics.clicks"]]
    assert pages[0].request_id
    for row in pages[0].results:
        message = type(row).pb(row)
        said = {f"{top.name}.{field.name}" for top, value in message.ListFields() for field, _ in value.ListFields()}
        assert said == {"campaign.resource_name", "campaign.name", "metrics.clicks"}


def test_every_page_but_the_last_has_ten_thousand_rows(service: Any, customer: str) -> None:
    pages = list(service.search_stream(customer_id=customer, query=MANY))
    assert [len(page.results) for page in pages[:-1]] == [10_000] * (len(pages) - 1)
    assert len(pages) > 1
    assert len({page.request_id for page in pages}) == 1


def test_a_search_has_pages_and_the_rows_of_the_stream(client: Any, service: Any, customer: str) -> None:
    streamed = [row for page in service.search_stream(customer_id=customer, query=MANY) for row in page.results]
    pager = service.search(customer_id=customer, query=MANY)
    paged, sizes = [], []
    for page in pager.pages:
        sizes.append(len(page.results))
        paged.extend(page.results)
    assert sizes[0] == 10_000
    assert len(sizes) > 1
    assert paged == streamed


def test_search_counts_all_rows_when_asked(client: Any, service: Any, customer: str) -> None:
    request = client.get_type("SearchGoogleAdsRequest")
    request.customer_id, request.query = customer, MANY
    request.search_settings.return_total_results_count = True
    first = next(iter(service.search(request=request).pages))
    assert first.total_results_count == sum(
        len(page.results) for page in service.search_stream(customer_id=customer, query=MANY)
    )


@pytest.mark.parametrize("token", ["nonsense", "WzEsICJ4Il0="])
def test_a_page_token_of_another_query_is_refused(service: Any, client: Any, customer: str, token: str) -> None:
    request = client.get_type("SearchGoogleAdsRequest")
    request.customer_id, request.query, request.page_token = customer, MANY, token
    with pytest.raises(GoogleAdsException) as caught:
        service.search(request=request)
    assert caught.value.failure.errors[0].error_code.request_error.name == "INVALID_PAGE_TOKEN"


def test_a_page_size_is_refused(service: Any, client: Any, customer: str) -> None:
    request = client.get_type("SearchGoogleAdsRequest")
    request.customer_id, request.query, request.page_size = customer, MANY, 5
    with pytest.raises(GoogleAdsException) as caught:
        service.search(request=request)
    assert caught.value.failure.errors[0].error_code.request_error.name == "PAGE_SIZE_NOT_SUPPORTED"


def test_metrics_are_summed_over_segments_that_are_not_selected(service: Any, customer: str) -> None:
    where = "FROM campaign WHERE segments.date BETWEEN '2024-02-01' AND '2024-02-29'"
    metrics = "metrics.clicks, metrics.impressions, metrics.cost_micros"
    fine = f"SELECT campaign.id, segments.date, segments.device, segments.ad_network_type, {metrics} {where}"
    expected: dict[int, list[int]] = defaultdict(lambda: [0, 0, 0])
    for page in service.search_stream(customer_id=customer, query=fine):
        for row in page.results:
            total = expected[row.campaign.id]
            total[0] += row.metrics.clicks
            total[1] += row.metrics.impressions
            total[2] += row.metrics.cost_micros
    coarse = {
        row.campaign.id: [row.metrics.clicks, row.metrics.impressions, row.metrics.cost_micros, row.metrics.ctr]
        for page in service.search_stream(
            customer_id=customer, query=f"SELECT campaign.id, {metrics}, metrics.ctr {where}"
        )
        for row in page.results
    }
    assert len(coarse) > 3
    assert {key: value[:3] for key, value in coarse.items()} == expected
    for clicks, impressions, _, ctr in coarse.values():
        assert ctr == pytest.approx(clicks / impressions)


@pytest.mark.parametrize("version", ["v23", "v24", "v25", "v26"])
def test_every_version_of_the_client_is_served(
    emulator: EmulatorServer, customer: str, tmp_path: Path, version: str
) -> None:
    configuration = emulator.write_client_configuration(tmp_path)
    service = GoogleAdsClient.load_from_storage(str(configuration), version=version).get_service("GoogleAdsService")
    pages = service.search_stream(customer_id=customer, query="SELECT campaign.id, campaign.name FROM campaign")
    assert len([row for page in pages for row in page.results]) == 6


def test_accessible_customers_are_those_without_a_manager(client: Any, agency: SyntheticAgency) -> None:
    found = client.get_service("CustomerService").list_accessible_customers()
    assert list(found.resource_names) == [f"customers/{agency.login_customer_id}"]


def test_customer_client_has_the_tree_of_accounts(service: Any, agency: SyntheticAgency) -> None:
    query = "SELECT customer_client.id, customer_client.level, customer_client.manager FROM customer_client"
    pages = service.search_stream(customer_id=agency.login_customer_id, query=query)
    found = [row.customer_client for page in pages for row in page.results]
    assert {str(client.id) for client in found} == set(agency.accounts)
    assert {client.level for client in found} == {0, 1, 2}
    assert [client.manager for client in found].count(True) == 2


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT campaign.nam FROM campaign", "UNRECOGNIZED_FIELD"),
        ("SELECT campaign FROM campaign", "PROHIBITED_FIELD_IN_SELECT_CLAUSE"),
        ("SELECT campaign.id FROM campaing", "BAD_RESOURCE_TYPE_IN_FROM_CLAUSE"),
        ("campaign.id FROM campaign", "EXPECTED_SELECT"),
        ("SELECT campaign.id", "EXPECTED_FROM"),
        ("SELECT campaign.id FROM campaign WHERE", "UNEXPECTED_END_OF_QUERY"),
        ("SELECT campaign.id FROM campaign WHERE campaign.id ! 5", "UNEXPECTED_INPUT"),
        ("SELECT campaign.id FROM campaign LIMIT 0", "BAD_LIMIT_VALUE"),
        ("SELECT campaign.id FROM campaign WHERE campaign.name = 'a\\q'", "BAD_ESCAPE_SEQUENCE"),
        ("SELECT campaign.id FROM campaign WHERE campaign.status = 'RUNNING'", "BAD_ENUM_CONSTANT"),
        ("SELECT campaign.id FROM campaign WHERE campaign.id = 'x'", "BAD_VALUE"),
        ("SELECT campaign.id FROM campaign WHERE campaign.id LIKE 'x'", "OPERATOR_FIELD_MISMATCH"),
        ("SELECT campaign.id FROM campaign PARAMETERS nothing = true", "BAD_PARAMETER_NAME"),
        ("SELECT campaign.id, segments.date FROM campaign", "EXPECTED_FILTERS_ON_DATE_RANGE"),
        (
            "SELECT campaign.id, segments.date FROM campaign WHERE segments.date >= '2024-01-01'",
            "EXPECTED_FILTERS_ON_DATE_RANGE",
        ),
        (
            "SELECT campaign.id FROM campaign WHERE segments.date BETWEEN '2024-02-01' AND '2024-01-01'",
            "DATE_RANGE_TOO_NARROW",
        ),
        ("SELECT campaign.id FROM campaign WHERE segments.date = '2024-02-31'", "INVALID_DATE_FORMAT"),
        (
            "SELECT campaign.id FROM campaign WHERE segments.device = 'MOBILE'",
            "EXPECTED_REFERENCED_FIELD_IN_SELECT_CLAUSE",
        ),
        ("SELECT campaign.id FROM campaign WHERE segments.date >= '2024-01-01'", "EXPECTED_FILTERS_ON_DATE_RANGE"),
        (
            "SELECT campaign.id FROM campaign ORDER BY metrics.clicks",
            "EXPECTED_REFERENCED_FIELD_IN_SELECT_CLAUSE",
        ),
        ("SELECT campaign.id FROM campaign ORDER BY customer.id", "EXPECTED_REFERENCED_FIELD_IN_SELECT_CLAUSE"),
        ("SELECT campaign.id FROM campaign ORDER BY campaign.labels", "PROHIBITED_FIELD_IN_ORDER_BY_CLAUSE"),
    ],
)
def test_an_invalid_query_is_refused_with_its_error(
    failure_of: Callable[..., GoogleAdsException], query: str, code: str
) -> None:
    error = failure_of(query)
    assert error.error.code() is StatusCode.INVALID_ARGUMENT
    assert [found.error_code.query_error.name for found in error.failure.errors] == [code]
    assert error.request_id
    assert error.request_id == error.failure.request_id


def test_an_unknown_customer_is_denied(failure_of: Callable[..., GoogleAdsException]) -> None:
    error = failure_of("SELECT campaign.id FROM campaign", "1111111111")
    assert error.error.code() is StatusCode.PERMISSION_DENIED
    assert error.failure.errors[0].error_code.authorization_error.name == "USER_PERMISSION_DENIED"


def test_metrics_of_a_manager_are_refused(
    failure_of: Callable[..., GoogleAdsException], agency: SyntheticAgency
) -> None:
    error = failure_of("SELECT metrics.clicks FROM customer", agency.login_customer_id)
    assert error.failure.errors[0].error_code.query_error.name == "REQUESTED_METRICS_FOR_MANAGER"


def test_a_disabled_account_is_refused(failure_of: Callable[..., GoogleAdsException], agency: SyntheticAgency) -> None:
    (disabled,) = [a.customer_id for a in agency.accounts.values() if a.status != "ENABLED"]
    error = failure_of("SELECT customer.id FROM customer", disabled)
    assert error.error.code() is StatusCode.PERMISSION_DENIED
    assert error.failure.errors[0].error_code.authorization_error.name == "CUSTOMER_NOT_ENABLED"


def test_a_client_is_reached_only_through_its_managers(
    emulator: EmulatorServer,
    agency: SyntheticAgency,
    failure_of: Callable[..., GoogleAdsException],
    tmp_path: Path,
) -> None:
    first, second = agency.client_ids[:2]
    for login in ("", second, "2222222222"):
        use = _load(emulator, tmp_path, login_customer_id=login).get_service("GoogleAdsService")
        error = failure_of("SELECT customer.id FROM customer", first, use)
        assert error.failure.errors[0].error_code.authorization_error.name == "USER_PERMISSION_DENIED"


@pytest.mark.parametrize("developer_token", [None, "any"])
def test_a_developer_token_is_neither_needed_nor_checked(
    emulator: EmulatorServer, agency: SyntheticAgency, tmp_path: Path, developer_token: str | None
) -> None:
    change = {} if developer_token is None else {"developer_token": developer_token}
    service = _load(emulator, tmp_path, **change).get_service("GoogleAdsService")
    query = "SELECT customer.id FROM customer"
    assert list(service.search_stream(customer_id=agency.client_ids[0], query=query))


def test_a_sunset_version_is_refused(
    agency: SyntheticAgency, failure_of: Callable[..., GoogleAdsException], tmp_path: Path
) -> None:
    with EmulatorServer(agency, policy=Policy(sunset_versions=frozenset({"v26"}))) as server:
        error = failure_of(
            "SELECT customer.id FROM customer", use=_load(server, tmp_path).get_service("GoogleAdsService")
        )
    assert error.failure.errors[0].error_code.request_error.name == "UNSUPPORTED_VERSION"


def test_the_policy_can_require_an_access_token(agency: SyntheticAgency, tmp_path: Path) -> None:
    from google.auth.credentials import AnonymousCredentials

    with EmulatorServer(agency, policy=Policy(require_oauth=True)) as server:
        signed_in = _load(server, tmp_path)
        query = {"customer_id": agency.client_ids[0], "query": "SELECT customer.id FROM customer"}
        assert list(signed_in.get_service("GoogleAdsService").search_stream(**query))
        anonymous = GoogleAdsClient(
            AnonymousCredentials(),  # type: ignore[no-untyped-call]  # google-auth is typed in parts
            "any",
            server.address,
            agency.login_customer_id,
            use_proto_plus=True,
        )
        with pytest.raises(GoogleAdsException) as caught:
            list(anonymous.get_service("GoogleAdsService").search_stream(**query))
        assert caught.value.error.code() is StatusCode.UNAUTHENTICATED


def test_faults_wrap_the_answer(agency: SyntheticAgency, tmp_path: Path) -> None:
    """A stream that breaks after its first page: the client has that page, then the error."""

    def broken(answer: Selection) -> Selection:
        def served(call: Call) -> Iterator[bytes]:
            yield next(answer(call))
            raise ApiFailureError("", "", "socket closed", "UNAVAILABLE")

        return served

    with EmulatorServer(agency, wrap=broken) as server:
        service = _load(server, tmp_path).get_service("GoogleAdsService")
        stream = iter(service.search_stream(customer_id=agency.client_ids[0], query=MANY, retry=None))
        assert len(next(stream).results) == 10_000
        with pytest.raises(ServiceUnavailable):
            next(stream)


def test_a_quota_failure_has_a_retry_delay(agency: SyntheticAgency, tmp_path: Path) -> None:
    def exhausted(_answer: Selection) -> Selection:
        def served(_call: Call) -> Iterator[bytes]:
            raise ApiFailureError(
                "quota_error", "RESOURCE_EXHAUSTED", "Too many requests.", retry_delay=timedelta(seconds=30)
            )

        return served

    with EmulatorServer(agency, wrap=exhausted) as server:
        service = _load(server, tmp_path).get_service("GoogleAdsService")
        with pytest.raises(ResourceExhausted) as caught:
            list(service.search_stream(customer_id=agency.client_ids[0], query=MANY, retry=None))
    trailing = dict(caught.value.errors[0].trailing_metadata())
    from google.ads.googleads.v26.errors.types.errors import GoogleAdsFailure

    failure = GoogleAdsFailure.deserialize(trailing["google.ads.googleads.v26.errors.googleadsfailure-bin"])
    assert failure.errors[0].details.quota_error_details.retry_delay == timedelta(seconds=30)


def test_it_starts_again_on_the_same_port_with_the_same_rows(agency: SyntheticAgency, tmp_path: Path) -> None:
    query = {"customer_id": agency.client_ids[1], "query": MANY}
    server = EmulatorServer(agency)
    with server:
        port = server.port
        service = _load(server, tmp_path).get_service("GoogleAdsService")
        first = list(service.search_stream(**query))
    again = EmulatorServer(SyntheticAgency(agency.settings), port=port)
    with again:
        assert again.port == port
        service = _load(again, tmp_path).get_service("GoogleAdsService")
        second = list(service.search_stream(**query))
    assert [page.results for page in first] == [page.results for page in second]


def test_parallel_clients_get_the_rows_they_requested(
    emulator: EmulatorServer, agency: SyntheticAgency, tmp_path: Path
) -> None:
    query = "SELECT customer.id, campaign.id, metrics.clicks FROM campaign WHERE segments.date DURING LAST_7_DAYS"
    everywhere = query.replace("DURING LAST_7_DAYS", "BETWEEN '2024-01-01' AND '2024-01-31'")
    found: dict[int, set[int]] = {}

    def ask(number: int) -> None:
        folder = tmp_path / str(number)
        service = _load(emulator, folder).get_service("GoogleAdsService")
        customer_id = agency.client_ids[number % 4]
        pages = service.search_stream(customer_id=customer_id, query=everywhere)
        found[number] = {row.customer.id for page in pages for row in page.results}

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert found == {number: {int(agency.client_ids[number % 4])} for number in range(8)}
