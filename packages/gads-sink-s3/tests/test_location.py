from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gads_domain.errors import ConfigurationError
from gads_sink_s3.bucket import Bucket
from gads_sink_s3.client import connect
from gads_sink_s3.location import LEAST_PART, MEBIBYTE, S3Location, parse_location

NOWHERE = Path("/nonexistent")


def parsed(url: str, **environment: str) -> S3Location:
    return parse_location(url, NOWHERE, environment)


def test_a_url_without_parameters_is_aws() -> None:
    location = parsed("s3://bucket/some/prefix/")
    assert (location.bucket, location.prefix) == ("bucket", "some/prefix")
    assert (location.endpoint, location.region, location.virtual_host) == ("https://s3.amazonaws.com", None, True)
    assert (location.part_size, location.timeout, location.retries, location.single_writer) == (
        LEAST_PART,
        60,
        5,
        False,
    )


def test_every_parameter_is_taken(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    query = "endpoint=https://s3.example:9000/&region=eu-north-1&addressing=virtual&ca=ca.pem&part_size=16MiB"
    location = parse_location(f"s3://b.c-d/p?{query}&timeout=2.5&retries=0&single_writer=true", tmp_path, {})
    assert location == S3Location(
        bucket="b.c-d",
        prefix="p",
        endpoint="https://s3.example:9000",
        region="eu-north-1",
        virtual_host=True,
        ca=tmp_path / "ca.pem",
        part_size=16 * MEBIBYTE,
        timeout=2.5,
        retries=0,
        single_writer=True,
    )


def test_the_environment_fills_what_the_url_leaves_open() -> None:
    generic = {"AWS_ENDPOINT_URL": "http://generic:1", "AWS_DEFAULT_REGION": "default-1"}
    location = parsed("s3://bucket", **generic)
    assert (location.endpoint, location.region, location.virtual_host) == ("http://generic:1", "default-1", False)
    location = parsed("s3://bucket", **generic, AWS_ENDPOINT_URL_S3="http://own:2", AWS_REGION="own-1")
    assert (location.endpoint, location.region) == ("http://own:2", "own-1")
    location = parsed("s3://bucket?endpoint=http://url:3&region=url-1", **generic, AWS_REGION="own-1")
    assert (location.endpoint, location.region) == ("http://url:3", "url-1")
    assert parsed("s3://bucket?endpoint=http://url:3").region == "us-east-1"


@pytest.mark.parametrize(
    "url",
    [
        "s3:bucket",
        "s3:///prefix",
        "s3://Bucket",
        "s3://b",
        "s3://bucket:99/x",
        "s3://bucket/a//b",
        "s3://bucket/a/../b",
        "s3://bucket/%2e%2e/b",
        "s3://bucket/a%0Ab",
        "s3://bucket/" + "x" * 513,
        "s3://bucket#part",
        "s3://bucket?region",
        "s3://bucket?region=a&region=b",
        "s3://bucket?colour=blue",
        "s3://bucket?endpoint=ftp://host",
        "s3://bucket?endpoint=host:9000",
        "s3://bucket?endpoint=http://host/path",
        "s3://bucket?endpoint=http://host:0",
        "s3://bucket?endpoint=http://host:port",
        "s3://bucket?region=eu north",
        "s3://bucket?addressing=dns",
        "s3://bucket?ca=/nonexistent/ca.pem",
        "s3://bucket?part_size=1MiB",
        "s3://bucket?part_size=5242879",
        "s3://bucket?part_size=many",
        "s3://bucket?timeout=0",
        "s3://bucket?timeout=inf",
        "s3://bucket?retries=-1",
        "s3://bucket?retries=21",
        "s3://bucket?single_writer=yes",
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_line_with_a_hint(url: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        parsed(url)
    assert "\n" not in raised.value.message
    assert raised.value.hint


SECRET = "wJalrXUtnFEMIK7MDENG"


@pytest.mark.parametrize(
    "url",
    [
        f"s3://AKIA:{SECRET}@bucket/prefix",
        f"s3://{SECRET}@bucket",
        f"s3://bucket?secret_key={SECRET}",
        f"s3://bucket?aws_secret_access_key={SECRET}",
        f"s3://bucket?X-Amz-Signature={SECRET}",
        f"s3://bucket?X-Amz-Security-Token={SECRET}",
        f"s3://bucket?password={SECRET}",
        f"s3://bucket?{SECRET}=1",
        f"s3://bucket?endpoint=https://user:{SECRET}@host",
        f"s3://bucket?region={SECRET}{'x' * 60}",
        f"s3://bucket#{SECRET}",
        f"s3://bucket:{SECRET}/",
    ],
)
def test_a_secret_in_the_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        parsed(url)
    assert SECRET.lower() not in f"{raised.value!r} {raised.value.hint}".lower()


@given(st.text(max_size=80))
def test_any_text_is_a_location_or_a_clear_refusal(text: str) -> None:
    for url in ("s3:" + text, "s3://bucket/" + text, "s3://bucket?" + text):
        try:
            location = parsed(url)
        except ConfigurationError:
            continue
        assert location.path(location.key("a/b")) == "a/b"
        assert not location.key("a").startswith("/")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("s3://bucket/p?region=eu-north-1", "https://bucket.s3.eu-north-1.amazonaws.com/p/x?"),
        ("s3://bucket/p?region=eu-north-1&addressing=path", "https://s3.eu-north-1.amazonaws.com/bucket/p/x?"),
        ("s3://bucket/p?endpoint=http://host:9000", "http://host:9000/bucket/p/x?"),
        ("s3://bucket/p?endpoint=https://host&addressing=virtual", "https://bucket.host/p/x?"),
    ],
)
def test_the_addressing_style_is_kept(url: str, expected: str, s3_environment: None) -> None:
    location = parsed(url)
    assert connect(location).presigned_get_object(location.bucket, location.key("x")).startswith(expected)


def test_a_file_that_holds_no_certificates_is_refused(tmp_path: Path, s3_environment: None) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    location = parse_location("s3://bucket?endpoint=https://127.0.0.1:9&ca=ca.pem", tmp_path, {})
    with pytest.raises(ConfigurationError, match="CA"):
        Bucket(location)


def test_neither_str_nor_repr_shows_more_than_the_place(s3_environment: None) -> None:
    location: Any = parsed("s3://bucket/p?endpoint=http://host:9000&timeout=3")
    assert str(location) == "s3://bucket/p"
    assert repr(location) == "S3Location('s3://bucket/p', endpoint='http://host:9000')"
    assert repr(Bucket(location)) == "Bucket('s3://bucket/p')"
