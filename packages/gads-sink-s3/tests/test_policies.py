"""The README's bucket policies: each lets its user do its work, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from gads_conformance.sink.samples import sample_facts, sample_key, sample_payload, sample_run, seal, stored_payload
from gads_domain.adapters import sink_adapter
from gads_domain.errors import AlreadySealedError, NotSealedError, StorageCredentialsError
from gads_domain.layout import partition_prefix
from gads_domain.ports.sink import LEAST_SWEEP_AGE, RawSink
from gads_sink_s3.sink import S3Sink
from gads_testing.s3.servers import Server

README = Path(__file__).parents[1] / "README.md"
KEY = sample_key()
RUN = sample_run()
FOLDER = partition_prefix(KEY, RUN)
POLICIES = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", README.read_text(), re.DOTALL)]
WRITER, READER, SWEEPER, PRUNER = POLICIES
UNKNOWN_TO_RADOSGW = "s3:if-none-match"

Guest = Callable[[dict[str, Any]], RawSink]


@pytest.fixture
def guest(
    proxy: Any, radosgw_server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, behind_proxy: Any
) -> Guest:
    """The same place as another user, who may do what a policy grants."""
    bucket = f"policies-{behind_proxy.prefix.partition('/')[0]}"
    behind_proxy.client.create_bucket(Bucket=bucket)
    place = replace(behind_proxy, bucket=bucket, prefix="PREFIX")
    owner = sink_adapter(place.url).open_sink(place.url, tmp_path)
    seal(owner, sample_key(9), RUN, [b"the owner's"])

    def opened(policy: dict[str, Any]) -> RawSink:
        statements = [s for s in policy["Statement"] if UNKNOWN_TO_RADOSGW not in json.dumps(s)]
        granted = {
            "Version": policy["Version"],
            "Statement": [{**s, "Principal": {"AWS": "arn:aws:iam:::user/guest"}} for s in statements],
        }
        text = json.dumps(granted).replace("BUCKET", bucket)
        place.client.put_bucket_policy(Bucket=bucket, Policy=text)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", radosgw_server.guest_access_key)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", radosgw_server.guest_secret_key)
        return sink_adapter(place.url).open_sink(place.url, tmp_path)

    return opened


def client_of(sink: RawSink, server: Server) -> tuple[Any, str]:
    assert isinstance(sink, S3Sink)
    session = boto3.Session(server.guest_access_key, server.guest_secret_key, region_name="us-east-1")
    return session.client("s3", endpoint_url=server.endpoint), sink._bucket.location.bucket


def test_a_writer_can_write_and_take_its_own_back_and_no_more(guest: Guest, radosgw_server: Server) -> None:
    sink = guest(WRITER)
    sink.check()
    with sink.open_writer(KEY, RUN) as first, sink.open_writer(KEY, RUN) as second:
        first.write(sample_payload(1, 6 * 1024 * 1024))
        second.write(b"second")
        second.finalize(sample_facts())
        with pytest.raises(AlreadySealedError):
            first.finalize(sample_facts())
    with sink.open_writer(sample_key(1), RUN) as given_up:
        given_up.write(sample_payload(1, 6 * 1024 * 1024))
    assert stored_payload(sink, KEY, RUN) == b"second"
    assert list(sink.sealed()) == [(KEY, RUN), (sample_key(9), RUN)]
    client, bucket = client_of(sink, radosgw_server)
    folder = client.list_objects_v2(Bucket=bucket, Prefix=f"PREFIX/{FOLDER}/")
    assert folder["KeyCount"] == 2, "what the loser wrote is still there"
    with pytest.raises(ClientError, match="AccessDenied"):
        client.delete_object(Bucket=bucket, Key=f"PREFIX/{FOLDER}/metadata.json")
    with pytest.raises(ClientError, match="AccessDenied"):
        client.put_object(Bucket=bucket, Key="elsewhere", Body=b"")


def test_a_reader_can_read_and_no_more(guest: Guest) -> None:
    sink = guest(READER)
    assert list(sink.sealed()) == [(sample_key(9), RUN)]
    assert stored_payload(sink, sample_key(9), RUN) == b"the owner's"
    with pytest.raises(NotSealedError):
        sink.metadata_bytes(KEY, RUN)
    for forbidden in (sink.check, lambda: seal(sink, KEY, RUN)):
        with pytest.raises(StorageCredentialsError):
            forbidden()


def test_a_sweeper_can_sweep_and_cannot_remove_a_seal(guest: Guest, radosgw_server: Server) -> None:
    sink = guest(SWEEPER)
    assert isinstance(sink, S3Sink)
    assert list(sink.sweep(LEAST_SWEEP_AGE, dry_run=False)) == []
    client, bucket = client_of(sink, radosgw_server)
    sealed = f"PREFIX/{partition_prefix(sample_key(9), RUN)}/metadata.json"
    with pytest.raises(ClientError, match="AccessDenied"):
        client.delete_object(Bucket=bucket, Key=sealed)
    with pytest.raises(ClientError, match="AccessDenied"):
        client.put_object(Bucket=bucket, Key=sealed, Body=b"")
    client.delete_object(Bucket=bucket, Key=f"PREFIX/{FOLDER}/payload-0123456789abcdef.parquet")


def test_a_pruner_can_remove_a_run_and_write_nothing(guest: Guest) -> None:
    # For a request that removes many objects, radosgw 16 asks for the right on the bucket itself: see the README.
    whole = {"Effect": "Allow", "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::BUCKET"}
    sink = guest({**PRUNER, "Statement": [*PRUNER["Statement"], whole]})
    assert isinstance(sink, S3Sink)
    (freed,) = sink.remove([(sample_key(9), RUN)])
    assert freed > 0
    assert list(sink.sealed()) == []
    with pytest.raises(StorageCredentialsError):
        seal(sink, KEY, RUN)
