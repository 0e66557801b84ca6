"""Opening the official client, and the message when it cannot be."""

from __future__ import annotations

import json
import logging
import os
import socket
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import chain, repeat
from pathlib import Path
from typing import Any

import pytest

from gads_domain.errors import ApiUnreachableError, ConfigurationError, CredentialsError, GadsError, TransientApiError
from gads_emulator import ApiFailureError, Authority, Call, EmulatorServer, Selection
from gads_extractor.accounts import GoogleAdsAccountDirectory
from gads_extractor.call_retry import RetryPolicy
from gads_extractor.connection import GoogleAdsConnection

VERSION = "v26"
SECRETS = ("an-old-developer-token", "GOCSPX-a-secret", "1//a-refresh-token")


def refusing(failure: ApiFailureError) -> Callable[[Call, Selection], Iterator[bytes]]:
    def refuse(call: Call, real: Selection) -> Iterator[bytes]:
        raise failure

    return refuse


@pytest.fixture(autouse=True)
def no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("GOOGLE_ADS_")]:
        monkeypatch.delenv(name)


def refused(configuration: Path | None, version: str = VERSION) -> GadsError:
    with pytest.raises(GadsError) as caught:
        GoogleAdsConnection.open(configuration, version)
    error = caught.value
    assert "\n" not in error.message
    assert not any(secret in f"{error.message} {error.hint}" for secret in SECRETS)
    return error


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "google-ads.yaml"
    path.write_text(text)
    return path


def test_the_accounts_of_the_login_are_listed(connection: GoogleAdsConnection, emulator: EmulatorServer) -> None:
    assert connection.check() == [emulator.agency.login_customer_id]


def test_nothing_secret_is_shown(connection: GoogleAdsConnection) -> None:
    assert repr(connection) == "GoogleAdsConnection(v26)"


def test_the_environment_serves_as_well(configuration: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for line in configuration.read_text().splitlines():
        if not line.startswith("#") and not line.startswith("use_proto_plus"):
            name, _, value = line.partition(": ")
            monkeypatch.setenv(f"GOOGLE_ADS_{name.upper()}", value.strip('"'))
    with GoogleAdsConnection.open(None, VERSION) as opened:
        assert opened.check()


def test_the_environment_may_name_the_file(configuration: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_ADS_CONFIGURATION_FILE_PATH", str(configuration))
    with GoogleAdsConnection.open(None, VERSION) as opened:
        assert opened.check()


def test_proto_plus_is_forced_whatever_the_file_says(configuration: Path, tmp_path: Path) -> None:
    text = configuration.read_text().replace("use_proto_plus: True", "use_proto_plus: False")
    with GoogleAdsConnection.open(written(tmp_path, text), VERSION) as opened:
        assert list(opened.search_stream(opened.check()[0], "SELECT customer.id FROM customer"))


def test_no_configuration_at_all() -> None:
    error = refused(None)
    assert isinstance(error, CredentialsError)
    assert "google_ads.configuration" in error.hint


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    error = refused(tmp_path / "absent.yaml")
    assert isinstance(error, ConfigurationError)
    assert "absent.yaml cannot be read: No such file" in error.message


def test_a_file_that_is_no_yaml_is_not_quoted(tmp_path: Path) -> None:
    error = refused(written(tmp_path, "refresh_token: [1//a-refresh-token\n"))
    assert isinstance(error, ConfigurationError)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("developer_token: x", "client_id, client_secret, refresh_token"),
        ("client_id: a\nclient_secret: GOCSPX-a-secret", "incomplete: refresh_token"),
        ("json_key_file_path: /nowhere/key.json", "there is no file /nowhere/key.json"),
        ("login_customer_id: 12", "login customer ID"),
    ],
)
def test_what_is_missing_is_named(text: str, message: str, tmp_path: Path) -> None:
    error = refused(written(tmp_path, text))
    assert isinstance(error, CredentialsError)
    assert message in error.message
    assert error.hint


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ("refresh_token: 1//a-refresh-token", "refresh_token and json_key_file_path"),
        ("client_id: a\nclient_secret: GOCSPX-a-secret", "client_id, client_secret and json_key_file_path"),
        ("use_application_default_credentials: true", "json_key_file_path and use_application_default_credentials"),
    ],
)
def test_two_kinds_of_credentials_are_refused(configuration: Path, tmp_path: Path, more: str, named: str) -> None:
    error = refused(written(tmp_path, f"{configuration.read_text()}\n{more}\n"))
    assert isinstance(error, ConfigurationError)
    assert error.message == f"two kinds of credentials are configured: {named}"


def test_a_kind_of_credentials_that_is_switched_off_is_none(configuration: Path, tmp_path: Path) -> None:
    text = f"{configuration.read_text()}\nuse_application_default_credentials: false\nrefresh_token:\n"
    with GoogleAdsConnection.open(written(tmp_path, text), VERSION) as opened:
        assert opened.check()


class Expiring:
    """An API that takes no call with the first token it sees; with `ever`, none at all."""

    def __init__(self, ever: bool = False) -> None:
        self.ever = ever
        self.tokens: list[str] = []

    def __call__(self, call: Call, real: Selection) -> Iterator[bytes]:
        self.tokens.append(call.metadata["authorization"])
        if self.ever or self.tokens[0] == self.tokens[-1]:
            raise ApiFailureError("authentication_error", "OAUTH_TOKEN_EXPIRED", "the token is too old")
        yield from real(call)


def test_an_access_token_that_has_expired_is_replaced_by_a_new_one(
    connection: GoogleAdsConnection, stage: Any, emulator: EmulatorServer
) -> None:
    stage.script = Expiring()
    assert connection.check() == [emulator.agency.login_customer_id]
    assert len(set(stage.script.tokens)) == 2
    stage.script = Expiring()
    login = emulator.agency.login_customer_id
    retry = RetryPolicy(sleep=lambda seconds: None)
    (named,) = GoogleAdsAccountDirectory(connection, retry=retry).named([str(login)])
    assert named.refusal is None
    assert len(set(stage.script.tokens)) == 2


def test_a_new_access_token_that_is_expired_too_is_a_fault_of_the_credentials(
    connection: GoogleAdsConnection, stage: Any
) -> None:
    stage.script = Expiring(ever=True)
    with pytest.raises(CredentialsError, match="OAUTH_TOKEN_EXPIRED"):
        connection.check()
    retry = RetryPolicy(attempts=3, sleep=lambda seconds: None)
    with pytest.raises(CredentialsError, match=r"OAUTH_TOKEN_EXPIRED.*\(tried 3 times\)"):
        GoogleAdsAccountDirectory(connection, retry=retry).named(["1234567890"])
    assert len(set(stage.script.tokens)) == 5


def test_a_key_file_that_is_none(tmp_path: Path) -> None:
    key = tmp_path / "key.json"
    key.write_text("{}")
    error = refused(written(tmp_path, f"json_key_file_path: {key}"))
    assert isinstance(error, CredentialsError)


def key_with(configuration: Path, tmp_path: Path, token_uri: str) -> Path:
    key = json.loads((configuration.parent / "service-account.json").read_text())
    key["token_uri"] = token_uri
    path = tmp_path / "key.json"
    path.write_text(json.dumps(key))
    text = configuration.read_text().replace(str(configuration.parent / "service-account.json"), str(path))
    return written(tmp_path, text)


def test_a_token_server_that_is_not_there_may_come_back(configuration: Path, tmp_path: Path) -> None:
    error = refused(key_with(configuration, tmp_path, "http://127.0.0.1:1/token"))
    assert isinstance(error, ApiUnreachableError)
    assert "token server" in error.message


_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n"


@contextmanager
def token_server(answer: Iterable[bytes]) -> Iterator[str]:
    """A server that sends `answer` to one request, and holds the connection until the end of the block."""
    ended = threading.Event()

    def serve() -> None:
        with suppress(OSError):
            connection, _ = listening.accept()
            with connection:
                connection.recv(65536)
                for piece in answer:
                    connection.sendall(piece)
                if answer is not SLOW:
                    connection.shutdown(socket.SHUT_WR)
                ended.wait()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}/token"
        ended.set()
        thread.join()


SLOW = [_HEAD, b"{"]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ([_HEAD, b"<html>Sign in"], "answered text/html, no token: '<html>Sign in'"),
        (chain([_HEAD], repeat(b"x" * 4096)), "longer than 65,536 bytes"),
        (SLOW, "not over within 0.5 s"),
        ([_HEAD, b'{"access_token": "ya29.secret", "expires_in": "soon"}'], "answered expires_in: 'soon'"),
        ([_HEAD, b'{"id_token": "ya29.secret"}'], "without an access_token"),
    ],
    ids=["html", "endless", "slow", "soon", "no token"],
)
def test_what_a_token_server_answers_is_bounded_and_told(
    configuration: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Iterable[bytes], said: str
) -> None:
    if answer is SLOW:
        monkeypatch.setattr("gads_extractor.token_request._SECONDS", 0.5)
    with token_server(answer) as uri:
        error = refused(key_with(configuration, tmp_path, uri))
    assert isinstance(error, ApiUnreachableError)
    assert said in error.message
    assert "ya29" not in error.message


def test_a_grant_that_is_refused(configuration: Path, tmp_path: Path, emulator: EmulatorServer) -> None:
    error = refused(key_with(configuration, tmp_path, f"{emulator.token_url}/not-here"))
    assert isinstance(error, CredentialsError)
    assert "OAuth refused" in error.message


def test_a_version_that_the_client_does_not_carry(configuration: Path) -> None:
    error = refused(configuration, "v1")
    assert isinstance(error, ConfigurationError)
    assert "'v1'" in error.message


@pytest.mark.parametrize("address", ["localhost:1", "nowhere.invalid:443"])
def test_an_api_that_is_not_there(address: str, configuration: Path, emulator: EmulatorServer, tmp_path: Path) -> None:
    text = configuration.read_text().replace(emulator.address, address)
    opened = GoogleAdsConnection.open(written(tmp_path, text), VERSION)
    with opened, pytest.raises(ApiUnreachableError, match="UNAVAILABLE"):
        opened.check()


@pytest.fixture
def stranger(emulator: EmulatorServer) -> Iterator[EmulatorServer]:
    """An API whose authority this process does not trust, as a proxy that inspects TLS shows it."""
    with EmulatorServer(emulator.agency, authority=Authority()) as server:
        yield server


@pytest.mark.parametrize("address", ["localhost:{port}", "ipv4:127.0.0.1:{port},127.0.0.1:1"], ids=["one", "several"])
def test_a_certificate_that_is_not_trusted_is_not_tried_again(
    address: str, stranger: EmulatorServer, tmp_path: Path
) -> None:
    """Also where the message that gRPC keeps is about another address."""
    text = stranger.write_client_configuration(tmp_path).read_text()
    text = text.replace(stranger.address, address.format(port=stranger.port))
    naps: list[float] = []
    with GoogleAdsConnection.open(written(tmp_path, text), VERSION) as opened:
        with pytest.raises(ConfigurationError, match=r"the certificate of the API.* cannot be verified: ") as caught:
            opened.check()
        directory = GoogleAdsAccountDirectory(opened, retry=RetryPolicy(sleep=naps.append))
        with pytest.raises(ConfigurationError):
            directory.below(stranger.agency.login_customer_id or "")
    assert "google_ads.ca_certificate" in caught.value.hint
    assert "proxy" in caught.value.hint
    assert naps == []


def test_a_token_server_whose_certificate_is_not_trusted(
    configuration: Path, stranger: EmulatorServer, tmp_path: Path
) -> None:
    error = refused(key_with(configuration, tmp_path, f"{stranger.rest_tls_url}/token"))
    assert type(error) is ConfigurationError
    assert "the certificate of the token server cannot be verified" in error.message
    assert "REQUESTS_CA_BUNDLE" in error.hint


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (ApiFailureError("authentication_error", "NOT_ADS_USER", "no account"), CredentialsError),
        (ApiFailureError("header_error", "INVALID_LOGIN_CUSTOMER_ID", "login"), CredentialsError),
        (ApiFailureError("internal_error", "INTERNAL_ERROR", "oh"), TransientApiError),
        (ApiFailureError("", "", "API not enabled", status="PERMISSION_DENIED"), CredentialsError),
    ],
    ids=lambda value: getattr(value, "code", ""),
)
def test_what_a_check_meets_is_said(
    failure: ApiFailureError, kind: type[GadsError], connection: GoogleAdsConnection, stage: Any
) -> None:
    stage.script = refusing(failure)
    with pytest.raises(kind, match=failure.message) as caught:
        connection.check()
    assert caught.value.hint


def test_a_secret_that_the_api_repeats_is_masked(configuration: Path, stage: Any, tmp_path: Path) -> None:
    stage.script = refusing(
        ApiFailureError("authentication_error", "DEVELOPER_TOKEN_INVALID", "an-old-developer-token is unknown")
    )
    text = f"{configuration.read_text()}\ndeveloper_token: an-old-developer-token\n"
    with (
        GoogleAdsConnection.open(written(tmp_path, text), VERSION) as opened,
        pytest.raises(CredentialsError, match=r"\*\*\* is unknown") as caught,
    ):
        opened.check()
    assert "delete developer_token" in caught.value.hint


def test_failures_are_not_printed_by_the_client_as_well(connection: GoogleAdsConnection) -> None:
    assert logging.getLogger("google.ads.googleads").handlers
