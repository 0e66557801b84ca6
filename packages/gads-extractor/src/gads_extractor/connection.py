"""A channel to the API from the official client's own configuration, and the raw pages of its calls."""

import logging
import os
from collections.abc import Generator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol, Self, TypeAlias

from google.ads.googleads import config as client_config
from google.ads.googleads.client import GoogleAdsClient
from google.auth import exceptions as auth_errors

from gads_domain.errors import ApiUnreachableError, ConfigurationError, CredentialsError, GadsError, TransientApiError
from gads_domain.local_path import read_file
from gads_extractor.certificate_probe import certificate_fault
from gads_extractor.channel import DEFAULT_HOST, USER_AGENT, open_channel
from gads_extractor.errors import (
    CALL_ERRORS,
    NO_CONNECTION,
    BrokenStreamError,
    CallFailedError,
    CallFailure,
    explain,
    explain_oauth,
    untrusted_certificate,
)
from gads_extractor.idle_watch import IdleWatch, Wait
from gads_extractor.token_request import credentials_of
from gads_gaql.descriptors import message_class

IDLE_TIMEOUT = 300.0
"""Seconds that a stream may be silent before it is given up."""

_Metadata: TypeAlias = tuple[tuple[str, str], ...]
_ENVIRONMENT = "GOOGLE_ADS_"
_SECRETS = ("developer_token", "client_secret", "refresh_token")
_KINDS_OF_CREDENTIALS = (
    ("client_id", "client_secret", "refresh_token"),
    ("json_key_file_path",),
    ("use_application_default_credentials",),
)
_CLIENT_SETTINGS = (
    "developer_token",
    "endpoint",
    "login_customer_id",
    "linked_customer_id",
    "http_proxy",
    "ads_assistant",
)
_WHERE = "google_ads.configuration names a google-ads.yaml; without it the GOOGLE_ADS_* variables are read"


class SearchStreams(Protocol):
    """What report source and account directory need of a connection."""

    @property
    def api_version(self) -> str:
        """Such as `v26`."""

    def search_stream(self, customer_id: str, query: str, *, idle_timeout: float = ...) -> Generator[bytes, None, None]:
        """The pages of one call; raises `CallFailedError`. Closing it ends the call."""


class GoogleAdsConnection:
    """A connection as one login, in one API version; safe for several threads.

    Its streams raise `CallFailedError`, which carries the domain's error; no secret is in it.
    """

    def __init__(self, client: GoogleAdsClient, api_version: str, secrets: tuple[str, ...] = ()) -> None:
        self.api_version = api_version
        self._secrets = secrets
        _quieten_client()
        endpoint = str(client.endpoint or DEFAULT_HOST)
        self._endpoint = endpoint if ":" in endpoint else f"{endpoint}:443"
        self._channel = open_channel(client, endpoint, api_version)
        self._service = f"/google.ads.googleads.{api_version}.services"
        self._client = client
        self._idle_watch = IdleWatch()

    @property
    def login_customer_id(self) -> str | None:
        """The manager through which accounts are reached; None if they are reached directly."""
        return str(self._client.login_customer_id) if self._client.login_customer_id else None

    @classmethod
    def open(cls, configuration: Path | None, api_version: str) -> Self:
        """Open from the client's own file, or without one from its `GOOGLE_ADS_*` variables.

        Asks the token server for an access token. Raises `ConfigurationError` for a file that cannot be read, a version
        that is not known or a token server whose certificate is not trusted, `CredentialsError` for
        credentials that are missing, malformed or refused, `ApiUnreachableError` if the token server does not answer.
        """
        message_class(api_version, "services.SearchGoogleAdsStreamRequest")
        settings = _from_file(configuration) if configuration is not None else _from_environment()
        secrets = tuple(str(settings[name]) for name in _SECRETS if settings.get(name))
        _require_one_kind(settings)
        return cls(_client(settings, api_version, secrets), api_version, secrets)

    def search_stream(
        self, customer_id: str, query: str, *, idle_timeout: float = IDLE_TIMEOUT
    ) -> Generator[bytes, None, None]:
        """The pages of one SearchStream as they came, each a serialized `SearchGoogleAdsStreamResponse`.

        Closing the iterator ends the call. A stream that is silent for `idle_timeout` seconds fails as transient.
        """
        request = self._type("SearchGoogleAdsStreamRequest")
        start = self._channel.unary_stream(
            f"{self._service}.GoogleAdsService/SearchStream",
            request_serializer=request.SerializeToString,
            response_deserializer=None,
        )
        call = start(request(customer_id=customer_id, query=query), metadata=_metadata(customer_id))
        wait = Wait(self._idle_watch, idle_timeout, call.cancel)
        begun = False
        try:
            while True:
                with wait:
                    try:
                        page = next(call)
                    except StopIteration:
                        return
                begun = True
                yield page
        except CALL_ERRORS as error:
            failure = _silent(idle_timeout) if wait.fired else self._failure(error)
            if begun and type(failure.error) is TransientApiError:
                broken = BrokenStreamError(failure.error.message, hint=failure.error.hint)
                failure = replace(failure, error=broken)
            raise CallFailedError(failure) from error
        finally:
            call.cancel()

    def check(self, *, timeout: float = 60.0) -> list[str]:
        """Prove the credentials with one cheap call; returns the accounts that the login reaches directly.

        Raises `CredentialsError`, an `ApiError`, or `ConfigurationError` for a certificate that is not trusted.
        """
        method = f"{self._service}.CustomerService/ListAccessibleCustomers"
        request = self._type("ListAccessibleCustomersRequest")()
        response = self._called(method, request, "ListAccessibleCustomersResponse", _metadata(), timeout)
        return sorted(name.removeprefix("customers/") for name in response.resource_names)

    def validate(self, customer_id: str, query: str, *, timeout: float = 60.0) -> None:
        """Have the API validate `query` for an account, as it would before answering it; no rows are read.

        Raises an `ApiError` for what the API refuses of query or account, and what `check` raises.
        """
        method = f"{self._service}.GoogleAdsService/Search"
        request = self._type("SearchGoogleAdsRequest")(customer_id=customer_id, query=query, validate_only=True)
        self._called(method, request, "SearchGoogleAdsResponse", _metadata(customer_id), timeout)

    def close(self) -> None:
        """End the channel; streams that are open fail."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"GoogleAdsConnection({self.api_version})"

    def _type(self, name: str) -> Any:
        return message_class(self.api_version, f"services.{name}")

    def _called(self, method: str, request: Any, response: str, metadata: _Metadata, timeout: float) -> Any:
        """What the method answers, called once more with a new access token if the old one has expired."""
        call = self._channel.unary_unary(
            method,
            request_serializer=type(request).SerializeToString,
            response_deserializer=self._type(response).FromString,
        )
        for can_renew in (True, False):
            try:
                return call(request, metadata=metadata, timeout=timeout)
            except CALL_ERRORS as error:
                failure = self._failure(error)
                if not (can_renew and failure.token_expired):
                    raise failure.error from error
        raise AssertionError

    def _failure(self, error: BaseException) -> CallFailure:
        failure = explain(error, self.api_version, self._secrets)
        if failure.token_expired:
            self._client.credentials.token = None  # the next call fetches another
        if isinstance(failure.error, ApiUnreachableError) and NO_CONNECTION in failure.error.message:
            fault = certificate_fault(self._endpoint)
            if fault is not None:
                return CallFailure(untrusted_certificate("the API", fault))
        return failure


def _silent(seconds: float) -> CallFailure:
    return CallFailure(BrokenStreamError(f"DEADLINE_EXCEEDED: the stream was silent for {seconds:g} s"))


def _metadata(customer_id: str | None = None) -> _Metadata:
    """What the official client's methods add to a call, beside its interceptors."""
    place = () if customer_id is None else (("x-goog-request-params", f"customer_id={customer_id}"),)
    return *place, ("x-goog-api-client", USER_AGENT)


def _from_file(path: Path) -> dict[str, Any]:
    try:
        text = read_file(path).decode()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
        raise ConfigurationError(f"{path} cannot be read: {reason}", hint=_WHERE) from None
    try:
        # The raw channel works with proto-plus alone; of a key that is there twice, YAML takes the last.
        return dict(client_config.parse_yaml_document_to_dict(f"{text.rstrip()}\nuse_proto_plus: true\n"))
    except ValueError as error:
        raise CredentialsError(f"{path}: {_first_line(error)}", hint=_WHERE) from None
    except Exception:  # a YAML parser's message quotes the line, which may hold a secret
        raise ConfigurationError(f"{path} is not a google-ads.yaml", hint="it is YAML of the form key: value") from None


def _from_environment(environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    found = {
        name.removeprefix(_ENVIRONMENT).lower(): value
        for name, value in environment.items()
        if name.startswith(_ENVIRONMENT)
    }
    if path := found.get("configuration_file_path"):
        return _from_file(Path(path).expanduser())
    if not found:
        raise CredentialsError("no Google Ads credentials are configured", hint=_WHERE)
    try:
        return dict(client_config.load_from_dict({**found, "use_proto_plus": True}))
    except ValueError as error:
        raise CredentialsError(_first_line(error), hint=_WHERE) from None


def _client(settings: dict[str, Any], api_version: str, secrets: tuple[str, ...]) -> GoogleAdsClient:
    try:
        loaded = client_config.load_from_dict(settings)
        named = {name: loaded.get(name) for name in _CLIENT_SETTINGS}
        return GoogleAdsClient(
            credentials_of(loaded),
            version=api_version,
            logging_config=loaded.get("logging"),
            use_proto_plus=True,
            **named,
        )
    except auth_errors.GoogleAuthError as error:
        raise explain_oauth(error, secrets) from None
    except FileNotFoundError as error:
        raise CredentialsError(f"json_key_file_path: there is no file {error.filename}", hint=_WHERE) from None
    except OSError as error:
        raise CredentialsError(f"json_key_file_path: {error.strerror}", hint=_WHERE) from None
    except ValueError:
        raise _missing(settings) from None


def _require_one_kind(settings: Mapping[str, Any]) -> None:
    """Refuse credentials of a user beside those of a service account: which of them the client takes shows nowhere."""
    given = {name for name, value in settings.items() if str(value or False).lower() != "false"}
    found = [names for kind in _KINDS_OF_CREDENTIALS if (names := [name for name in kind if name in given])]
    if len(found) > 1:
        raise ConfigurationError(
            f"two kinds of credentials are configured: {' and '.join(', '.join(names) for names in found)}",
            hint="keep client_id, client_secret and refresh_token, or json_key_file_path, or "
            "use_application_default_credentials",
        )


def _missing(settings: Mapping[str, Any]) -> GadsError:
    if settings.get("json_key_file_path"):
        return CredentialsError("the file at json_key_file_path is not a service account key", hint=_WHERE)
    lacking = [name for name in ("client_id", "client_secret", "refresh_token") if not settings.get(name)]
    return CredentialsError(
        f"the OAuth credentials are incomplete: {', '.join(lacking) or 'a value is malformed'}",
        hint="set client_id, client_secret and refresh_token, or json_key_file_path alone",
    )


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _quieten_client() -> None:
    """Failures are raised; without a handler the client's logger would print them as well."""
    logger = logging.getLogger("google.ads.googleads")
    if not logger.handlers:
        logger.addHandler(logging.NullHandler())
