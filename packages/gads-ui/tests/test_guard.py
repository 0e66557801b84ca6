"""Who is answered: by host, by token, by method; and what every answer says to the browser."""

from __future__ import annotations

import http.client
from collections.abc import Iterator, Mapping
from urllib.parse import urlencode

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route, Router

from gads_domain.errors import UsageError
from gads_ui.guard import Guard
from gads_ui.server import Address, HttpServer, token_for

TOKEN = "a-token-of-the-tests-1234567890"


def _echo(request: Request) -> Response:
    return PlainTextResponse(f"page {request.url.path}")


def _guarded(token: str | None) -> HttpServer:
    router = Router([Route("/{path:path}", _echo, methods=["GET", "HEAD", "POST", "DELETE"])])
    return HttpServer(Guard(router, token, lambda wrong: f"log in {wrong}"), Address.parse("127.0.0.1:0"))


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, HttpServer]]:
    with _guarded(None) as bare, _guarded(TOKEN) as guarded:
        yield {"bare": bare, "guarded": guarded}


class Asker:
    """Asks one server; a connection a request, as a stranger would."""

    def __init__(self, server: HttpServer) -> None:
        self.host, _, port = server.url.removeprefix("http://").rpartition(":")
        self.port = int(port)

    def __call__(
        self, path: str, method: str = "GET", body: str = "", **headers: str
    ) -> tuple[int, str, Mapping[str, str]]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=10)
        try:
            connection.request(method, path, body or None, {name.replace("_", "-"): it for name, it in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), {k.lower(): v for k, v in answer.getheaders()}
        finally:
            connection.close()


@pytest.fixture
def bare(servers: dict[str, HttpServer]) -> Asker:
    return Asker(servers["bare"])


@pytest.fixture
def guarded(servers: dict[str, HttpServer]) -> Asker:
    return Asker(servers["guarded"])


def test_without_a_token_only_names_of_loopback_are_answered(bare: Asker) -> None:
    for host in ("localhost", "127.0.0.1:8080", "[::1]:8080", "LOCALHOST:1"):
        assert bare("/", Host=host)[0] == 200, host
    for host in ("evil.example", "127.0.0.1.evil.example", "localhost.evil.example:80", "10.0.0.1", ""):
        status, text, _ = bare("/", Host=host)
        assert (status, "page" in text) == (421, False), host


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_nothing_but_get_and_head_is_answered(bare: Asker, guarded: Asker, method: str) -> None:
    for asker in (bare, guarded):
        status, text, headers = asker("/partitions", method, Authorization=f"Bearer {TOKEN}")
        assert (status, headers["allow"]) == (405, "GET, HEAD")
        assert "page" not in text


def test_every_answer_forbids_what_a_page_does_not_need(bare: Asker, guarded: Asker) -> None:
    answers = [bare("/"), bare("/", Host="evil.example"), bare("/", "POST"), guarded("/"), guarded("/login")]
    for _, _, headers in answers:
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers


def test_a_token_is_asked_for_everything_but_health_and_style(guarded: Asker) -> None:
    for path in ("/", "/metrics", "/static", "/healthz/", "/loginx"):
        assert guarded(path)[0] == 401, path
        assert guarded(path, Authorization="Bearer wrong-token-of-the-same-kind")[0] == 401, path
        assert guarded(path, Authorization=f"Bearer {TOKEN}")[0] == 200, path
    for path in ("/healthz", "/readyz", "/static/style.css"):
        assert guarded(path)[0] == 200, path
    # Who has a token is answered under any name.
    assert guarded("/", Authorization=f"Bearer {TOKEN}", Host="etl.example")[0] == 200


def test_a_browser_logs_in_once(guarded: Asker) -> None:
    status, _, headers = guarded("/partitions/1?x=2", Accept="text/html")
    assert (status, headers["location"]) == (303, "/login?next=/partitions/1%3Fx%3D2")
    assert guarded("/login")[:2] == (200, "log in ")
    status, text, headers = guarded("/login", "POST", urlencode({"token": "wrong"}))
    assert (status, "not the token" in text, "set-cookie" in headers) == (403, True, False)
    status, _, headers = guarded(headers.get("location", "/login?next=/partitions/1%3Fx%3D2"), "POST", f"token={TOKEN}")
    assert (status, headers["location"]) == (303, "/partitions/1?x=2")
    cookie, *attributes = headers["set-cookie"].split("; ")
    assert {"HttpOnly", "SameSite=strict"} <= set(attributes)
    assert TOKEN not in cookie
    assert guarded("/", Cookie=cookie)[0] == 200
    assert guarded("/", Cookie=cookie + "0")[0] == 401
    assert guarded("/", Authorization=f"Bearer {cookie.partition('=')[2]}")[0] == 401


@pytest.mark.parametrize("path", ["//evil.example", "/\\evil.example", "https://evil.example", "/x\r\nSet-Cookie:a=b"])
def test_a_login_never_leads_to_another_host(guarded: Asker, path: str) -> None:
    _, _, headers = guarded(f"/login?{urlencode({'next': path})}", "POST", f"token={TOKEN}")
    assert headers["location"] == "/"


def test_a_form_that_is_too_long_is_not_read(guarded: Asker) -> None:
    assert guarded("/login", "POST", "token=" + "x" * 100_000)[0] == 413


@pytest.mark.parametrize(
    ("text", "address", "loopback"),
    [
        ("127.0.0.1:8080", Address("127.0.0.1", 8080), True),
        ("localhost", Address("localhost", 8080), True),
        ("9090", Address("127.0.0.1", 9090), True),
        ("[::1]:8080", Address("::1", 8080), True),
        ("[::1]", Address("::1", 8080), True),
        ("0.0.0.0:80", Address("0.0.0.0", 80), False),
        ("[::]:80", Address("::", 80), False),
        ("etl.example:80", Address("etl.example", 80), False),
    ],
)
def test_addresses(text: str, address: Address, loopback: bool) -> None:
    assert (Address.parse(text), address.is_loopback) == (address, loopback)


@pytest.mark.parametrize("text", ["", ":80", "host:port", "127.0.0.1:99999", "127.0.0.1:-1"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not an address"):
        Address.parse(text)


def test_an_address_that_others_reach_needs_a_token_that_cannot_be_guessed() -> None:
    here, everywhere = Address.parse("127.0.0.1:80"), Address.parse("0.0.0.0:80")
    assert token_for(here, {}) is None
    assert token_for(here, {"GADS_HTTP_TOKEN": TOKEN}) == token_for(everywhere, {"GADS_HTTP_TOKEN": TOKEN}) == TOKEN
    for value in ("", "  "):
        with pytest.raises(UsageError, match="GADS_HTTP_TOKEN is not set"):
            token_for(everywhere, {"GADS_HTTP_TOKEN": value})
    with pytest.raises(UsageError, match="could be guessed"):
        token_for(everywhere, {"GADS_HTTP_TOKEN": "secret"})


def test_an_address_in_use_is_named(servers: dict[str, HttpServer]) -> None:
    address = Address.parse(servers["bare"].url.removeprefix("http://"))
    with pytest.raises(UsageError, match=f"cannot listen on {address}"):
        HttpServer(PlainTextResponse(""), address).start()
