"""The client of a location: one pool of connections, no retries of its own, credentials from their usual places."""

import os
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

import certifi
import urllib3
from minio import Minio
from minio.credentials.credentials import Credentials
from minio.credentials.providers import AWSConfigProvider, EnvAWSProvider, EnvMinioProvider, IamAwsProvider, Provider
from urllib3.exceptions import HTTPError

from gads_domain.errors import ConfigurationError, StorageCredentialsError
from gads_sink_s3.location import S3Location

_CONNECT_SECONDS = 10.0
_POOLED_CONNECTIONS = 64
_ROLE = urllib3.Timeout(connect=1.0, read=5.0)


def connect(location: S3Location) -> Minio:
    """A client of `location`; sends nothing yet. Threads may share it.

    It never retries by itself: what an unanswered request means is for the caller to decide.
    """
    parts = urlsplit(location.endpoint)
    timeout = urllib3.Timeout(connect=min(_CONNECT_SECONDS, location.timeout), read=location.timeout)
    try:
        if location.ca:
            ssl.create_default_context(cafile=location.ca)  # the pool reads the file at the first request only
        pool = urllib3.PoolManager(
            timeout=timeout,
            maxsize=_POOLED_CONNECTIONS,
            retries=False,
            cert_reqs="CERT_REQUIRED",
            ca_certs=str(location.ca) if location.ca else certifi.where(),
        )
        client = Minio(
            parts.netloc,
            secure=parts.scheme == "https",
            region=location.region,
            credentials=UsualCredentials(os.environ),
            http_client=pool,
        )
    except (ValueError, OSError, ssl.SSLError):
        raise ConfigurationError("the endpoint, the region or the CA file of the S3 sink cannot be used") from None
    if location.virtual_host:
        client.enable_virtual_style_endpoint()  # type: ignore[no-untyped-call]  # minio leaves it so
    else:
        client.disable_virtual_style_endpoint()  # type: ignore[no-untyped-call]  # likewise
    return client


class UsualCredentials(Provider):
    """The first of these that has credentials: `AWS_*`, `MINIO_*`, the shared AWS file, the role of the machine."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._providers: list[Provider] = [EnvAWSProvider(), EnvMinioProvider(), AWSConfigProvider()]
        if environment.get("AWS_EC2_METADATA_DISABLED", "").lower() != "true":
            self._providers.append(IamAwsProvider(http_client=urllib3.PoolManager(timeout=_ROLE, retries=False)))
        self._found: Credentials | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"

    def retrieve(self) -> Credentials:
        """Credentials that have not expired; raises `StorageCredentialsError`."""
        found = self._found
        if found is None or found.is_expired():
            self._found = found = self._search()
        return found

    def _search(self) -> Credentials:
        for provider in self._providers:
            try:
                return provider.retrieve()
            except (ValueError, KeyError, OSError, HTTPError):
                continue
        raise StorageCredentialsError(
            "no credentials for S3 were found",
            hint="set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or give the machine a role",
        )
