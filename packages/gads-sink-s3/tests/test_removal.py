"""A removed run is gone in all versions of its objects, by few requests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gads_conformance.sink.samples import sample_key, sample_run, seal
from gads_domain.adapters import sink_adapter
from gads_domain.errors import StorageCredentialsError
from gads_domain.layout import partition_prefix
from gads_domain.ports.sink import RawSink
from gads_sink_s3.errors import S3RequestError, refused
from gads_sink_s3.sink import S3Sink

KEY, RUN = sample_key(), sample_run()


@pytest.fixture
def sink(sink_url: str, tmp_path: Path) -> RawSink:
    return sink_adapter(sink_url).open_sink(sink_url, tmp_path)


@pytest.mark.parametrize("deleted", [False, True])
def test_in_a_versioned_bucket_no_version_stays(sink: RawSink, moto: Any, bucket_name: str, deleted: bool) -> None:
    assert isinstance(sink, S3Sink)
    moto.put_bucket_versioning(Bucket=bucket_name, VersioningConfiguration={"Status": "Enabled"})
    seal(sink, KEY, RUN, [b"payload"])
    seal(sink, KEY, sample_run(1))
    stored = f"deep/raw/{partition_prefix(KEY, RUN)}/metadata.json"
    moto.put_object(Bucket=bucket_name, Key=stored, Body=b"{}")
    if deleted:
        moto.delete_object(Bucket=bucket_name, Key=stored)
    (freed,) = sink.remove([(KEY, RUN)])
    assert freed > len(b"payload{}")
    left = moto.list_object_versions(Bucket=bucket_name, Prefix=f"deep/raw/{partition_prefix(KEY, RUN)}/")
    assert (left.get("Versions", []), left.get("DeleteMarkers", [])) == ([], [])
    assert sink.runs(KEY) == [sample_run(1)]


def test_many_runs_cost_a_listing_each_and_two_removals(
    sink: RawSink, monkeypatch: pytest.MonkeyPatch, moto: Any
) -> None:
    assert isinstance(sink, S3Sink)
    keys = [sample_key(day) for day in range(5)]
    for key in keys:
        seal(sink, key, RUN)
    sent: list[str] = []
    execute = sink._bucket._client._execute

    def noted(method: str, *values: Any, **more: Any) -> Any:
        sent.append(method)
        return execute(method, *values, **more)

    monkeypatch.setattr(sink._bucket._client, "_execute", noted)
    sink.remove([(key, RUN) for key in keys])
    assert sent == ["GET"] * 5 + ["POST"] * 2


def test_an_object_that_may_not_be_removed_is_an_error(sink: RawSink, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(sink, S3Sink)
    seal(sink, KEY, RUN)

    def deny(_: object) -> None:
        raise refused("AccessDenied")

    monkeypatch.setattr(sink._bucket, "_remove_batch", deny)
    with pytest.raises(StorageCredentialsError):
        sink.remove([(KEY, RUN)])
    assert sink.runs(KEY) == [RUN]


def test_a_server_without_versions_is_asked_for_its_objects(sink: RawSink, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(sink, S3Sink)
    seal(sink, KEY, RUN)

    def lacking(_: str) -> None:
        raise S3RequestError(501, "NotImplemented", retryable=False, landed=False)

    monkeypatch.setattr(sink._bucket, "_all_versions", lacking)
    assert sink.remove([(KEY, RUN)])[0] > 0
    assert sink.runs(KEY) == []
