"""The URL of an S3 sink: where it is and how it is reached, with no secret in it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from gads_domain.errors import ConfigurationError

MEBIBYTE = 1024 * 1024
LEAST_PART = 5 * MEBIBYTE
"""The smallest part, the last aside, that S3 takes in a multipart upload."""

_LARGEST_PART = 1024 * MEBIBYTE
_LONGEST_TIMEOUT = 3600.0
_MOST_RETRIES = 20
_LONGEST_PREFIX = 512
_AWS = "https://s3.amazonaws.com"
_FORM = "s3://bucket/prefix?endpoint=https://host&region=...&addressing=path"
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_REGION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")
_SIZE = re.compile(r"([0-9]{1,13})(MiB)?")
_NUMBER = re.compile(r"[0-9]{1,5}(\.[0-9]{1,3})?")
_PARAMETER = re.compile(r"[a-z_]{1,20}")
_SECRETIVE = re.compile(r"key|secret|token|pass|pwd|credential|signature|auth", re.IGNORECASE)
_PARAMETERS = frozenset({"endpoint", "region", "addressing", "ca", "part_size", "timeout", "retries", "single_writer"})


@dataclass(frozen=True, slots=True)
class S3Location:
    """Where a sink is. Its `str` and its `repr` name the place alone.

    `prefix` has no `/` at its ends and may be empty. `region` is None where the server is to be asked for it.
    `part_size` is in bytes, `timeout` in seconds for each wait on the network. `retries` is how often a request is
    sent again.
    """

    bucket: str
    prefix: str = ""
    endpoint: str = _AWS
    region: str | None = None
    virtual_host: bool = False
    ca: Path | None = None
    part_size: int = LEAST_PART
    timeout: float = 60.0
    retries: int = 5
    single_writer: bool = False

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r}, endpoint={self.endpoint!r})"

    def key(self, path: str) -> str:
        """The object key of `path`, which is relative to the sink's root."""
        return f"{self.prefix}/{path}" if self.prefix else path

    def path(self, key: str) -> str:
        """The path, relative to the sink's root, of an object key below it."""
        return key.removeprefix(f"{self.prefix}/") if self.prefix else key


def parse_location(url: str, base: Path, environment: Mapping[str, str]) -> S3Location:
    """Read a sink's URL; what it does not give is taken from the AWS variables of `environment`.

    Raises `ConfigurationError`, which never repeats the URL: it may hold what should not have been in it.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise _unusable("the S3 URL cannot be read") from None
    given = _parameters(parts)
    endpoint = given.get("endpoint") or environment.get("AWS_ENDPOINT_URL_S3") or environment.get("AWS_ENDPOINT_URL")
    region = given.get("region") or environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION")
    ca = given.get("ca") or environment.get("AWS_CA_BUNDLE") or environment.get("SSL_CERT_FILE")
    bucket, addressing = parts.netloc, given.get("addressing", "path" if endpoint else "virtual")
    if not _BUCKET.fullmatch(bucket) or ".." in bucket:
        raise _unusable("the S3 URL names no bucket", hint=f"write {_FORM}; 3 to 63 of a-z, 0-9, dot and dash")
    if addressing not in {"path", "virtual"}:
        raise _unusable("addressing is path or virtual")
    if region and not _REGION.fullmatch(region):
        raise _unusable("the region is not a valid name")
    return S3Location(
        bucket=bucket,
        prefix=_prefix(parts.path),
        endpoint=_endpoint(endpoint) if endpoint else _AWS,
        # Servers other than Amazon's seldom have regions; asking costs a request and a permission.
        region=region or ("us-east-1" if endpoint else None),
        virtual_host=addressing == "virtual",
        ca=_ca(ca, base) if ca else None,
        part_size=_part_size(given.get("part_size")),
        timeout=_number(given, "timeout", 60.0, 0.1, _LONGEST_TIMEOUT),
        retries=int(_number(given, "retries", 5, 0, _MOST_RETRIES)),
        single_writer=_flag(given, "single_writer"),
    )


def _parameters(parts: SplitResult) -> dict[str, str]:
    if "@" in parts.netloc:
        raise _no_secrets("the S3 URL names a user or a password")
    if parts.fragment or parts.scheme != "s3":
        raise _unusable("the S3 URL cannot be read")
    try:
        pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except ValueError:
        raise _unusable("the parameters of the S3 URL cannot be read") from None
    given: dict[str, str] = {}
    for name, value in pairs:
        if name not in _PARAMETERS:
            if _SECRETIVE.search(name):
                raise _no_secrets("the S3 URL has a parameter that looks like a secret")
            shown = repr(name) if _PARAMETER.fullmatch(name) else "one"
            raise _unusable(f"the S3 URL has a parameter that is not known: {shown}")
        if name in given:
            raise _unusable(f"the S3 URL gives {name} twice")
        given[name] = value
    return given


def _prefix(path: str) -> str:
    prefix = unquote(path).strip("/")
    segments = prefix.split("/") if prefix else []
    if len(prefix.encode()) > _LONGEST_PREFIX or not prefix.isprintable():
        raise _unusable(f"the prefix of the S3 URL is longer than {_LONGEST_PREFIX} bytes or not printable")
    if any(segment in {"", ".", ".."} for segment in segments):
        raise _unusable("the prefix of the S3 URL has an empty segment, or one of dots alone")
    return prefix


def _endpoint(text: str) -> str:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise _unusable("the endpoint cannot be read") from None
    if "@" in parts.netloc:
        raise _no_secrets("the endpoint names a user or a password")
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise _unusable("the endpoint is not the address of a server", hint="write https://host or http://host:port")
    if parts.path.strip("/") or parts.query or parts.fragment:
        raise _unusable("the endpoint has more than scheme, host and port", hint="write https://host")
    return f"{parts.scheme}://{parts.netloc}"


def _ca(text: str, base: Path) -> Path:
    path = base / Path(text).expanduser()
    if not path.is_file():
        raise _unusable("the file of CA certificates is not there", hint="give ca= a file in PEM format")
    return path


def _part_size(text: str | None) -> int:
    if text is None:
        return LEAST_PART
    match = _SIZE.fullmatch(text)
    size = int(match[1]) * (MEBIBYTE if match[2] else 1) if match else 0
    if not LEAST_PART <= size <= _LARGEST_PART:
        raise _unusable("part_size is from 5MiB to 1024MiB", hint="write part_size=16MiB")
    return size


def _number(given: Mapping[str, str], name: str, default: float, least: float, most: float) -> float:
    text = given.get(name)
    if text is None:
        return default
    if not _NUMBER.fullmatch(text) or not least <= float(text) <= most:
        raise _unusable(f"{name} is a number from {least:g} to {most:g}")
    return float(text)


def _flag(given: Mapping[str, str], name: str) -> bool:
    text = given.get(name, "false")
    if text not in {"true", "false"}:
        raise _unusable(f"{name} is true or false")
    return text == "true"


def _unusable(message: str, hint: str = f"write {_FORM}") -> ConfigurationError:
    return ConfigurationError(message, hint=hint)


def _no_secrets(message: str) -> ConfigurationError:
    return ConfigurationError(
        message, hint="take it out; credentials come from AWS_* or MINIO_* variables, ~/.aws/credentials or a role"
    )
