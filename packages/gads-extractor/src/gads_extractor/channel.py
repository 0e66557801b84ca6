"""The official client's channel, with its credentials, options and interceptors, and without its generated modules.

Importing these takes half a second and 40 MB, of which a call uses three messages.
"""

import logging
from collections.abc import Iterable
from importlib.metadata import version
from typing import Any

import grpc
from google.ads.googleads.client import GoogleAdsClient
from google.ads.googleads.interceptors import ExceptionInterceptor, LoggingInterceptor, MetadataInterceptor
from google.api_core import grpc_helpers
from google.api_core.gapic_v1.client_info import ClientInfo
from google.protobuf.message import DecodeError

from gads_gaql.descriptors import message_class

DEFAULT_HOST = "googleads.googleapis.com"
_INFO: Any = ClientInfo(client_library_version=version("google-ads"))  # type: ignore[no-untyped-call]  # no annotations
USER_AGENT: str = _INFO.to_user_agent()
_SCOPES = ("https://www.googleapis.com/auth/adwords",)
_LOGGER = "google.ads.googleads.client"
_OPTIONS = (
    ("grpc.max_metadata_size", 16 * 1024 * 1024),
    ("grpc.max_receive_message_length", 64 * 1024 * 1024),
    ("SingleThreadedUnaryStream", 1),  # grpc.experimental.ChannelOptions
)


def open_channel(client: GoogleAdsClient, endpoint: str, api_version: str) -> Any:
    """A channel as `client` opens one for a service."""
    channel = grpc_helpers.create_channel(
        endpoint,
        credentials=client.credentials,
        default_scopes=_SCOPES,
        default_host=DEFAULT_HOST,
        options=_OPTIONS,
    )
    metadata = MetadataInterceptor(
        client.developer_token,
        client.login_customer_id,
        client.linked_customer_id,
        ads_assistant=client._ads_assistant,
    )
    logger = logging.getLogger(_LOGGER)
    failures = _Exceptions(api_version, use_proto_plus=True)
    return grpc.intercept_channel(channel, metadata, _Logging(logger, api_version, endpoint), failures)


def failure_in(trailing: Iterable[tuple[str, Any]] | None, api_version: str) -> Any | None:
    """The `GoogleAdsFailure` in a call's trailing metadata, if there is one that can be read."""
    key = f"google.ads.googleads.{api_version}.errors.googleadsfailure-bin"
    data = next((value for name, value in trailing or () if name == key), None)
    try:
        return None if data is None else message_class(api_version, "errors.GoogleAdsFailure").FromString(data)
    except DecodeError:  # bytes that are no failure leave the status to speak for itself
        return None


class _PackagedFailures:
    _api_version: str

    def _get_google_ads_failure(self, trailing_metadata: Iterable[tuple[str, Any]] | None) -> Any | None:
        return failure_in(trailing_metadata, self._api_version)


class _Exceptions(_PackagedFailures, ExceptionInterceptor):  # type: ignore[misc]  # the client has no annotations
    """Raises failures as the client does."""


class _Logging(_PackagedFailures, LoggingInterceptor):  # type: ignore[misc]  # the client has no annotations
    """Logs calls as the client does."""
