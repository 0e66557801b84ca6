"""What the probe makes of servers, and what the seal makes of time."""

from __future__ import annotations

import itertools
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gads_conformance.sink.samples import sample_facts, sample_key, sample_run
from gads_domain.errors import ConfigurationError, GadsError, StorageError
from gads_sink_s3 import writer
from gads_sink_s3.adapter import ADAPTER
from gads_sink_s3.bucket import Bucket
from gads_sink_s3.condition import Condition, condition_of, require_safe
from gads_sink_s3.errors import S3RequestError
from gads_sink_s3.location import S3Location

_places = itertools.count()


class ScriptedBucket(Bucket):
    """A server that answers conditional PUTs with these, an int being a refusal of that status."""

    def __init__(self, *answers: int | None, code: str = "", single_writer: bool = False) -> None:
        place = f"http://127.0.0.1:9/{next(_places)}".rpartition("/")
        super().__init__(
            S3Location("bucket", prefix=place[2] + "p", endpoint=place[0], retries=2, single_writer=single_writer)
        )
        self._answers = list(answers)
        self._code = code
        self.removed: list[str] = []

    def put_once(self, path: str, data: bytes | bytearray, *, only_if_new: bool) -> None:
        assert only_if_new
        status = self._answers.pop(0)
        if status is not None:
            raise S3RequestError(status, self._code, retryable=status >= 500 and status != 501, landed=status >= 500)

    def remove_if_possible(self, path: str) -> None:
        self.removed.append(path)


@pytest.mark.parametrize(
    ("answers", "code", "expected"),
    [
        ((None, 412), "PreconditionFailed", Condition.HONOURED),
        ((None, 304), "", Condition.HONOURED),
        ((503, 412), "", Condition.HONOURED),
        ((None, 503, 412), "", Condition.HONOURED),
        ((None, None), "", Condition.IGNORED),
        ((501,), "NotImplemented", Condition.REFUSED),
        ((400,), "NotImplemented", Condition.REFUSED),
        ((400,), "InvalidArgument", Condition.REFUSED),
        ((405,), "MethodNotAllowed", Condition.REFUSED),
    ],
)
def test_the_probe_distinguishes_servers_and_is_sent_once(
    s3_environment: None, answers: tuple[int | None, ...], code: str, expected: Condition
) -> None:
    bucket = ScriptedBucket(*answers, code=code)
    assert condition_of(bucket) is expected
    assert condition_of(bucket) is expected
    assert len(bucket.removed) == 1
    assert bucket.removed[0].startswith(".gads/probe-")


@pytest.mark.parametrize(("status", "code"), [(403, "AccessDenied"), (404, "NoSuchBucket"), (400, "ExpiredToken")])
def test_a_probe_that_fails_is_not_remembered(s3_environment: None, status: int, code: str) -> None:
    bucket = ScriptedBucket(status, status, code=code)
    for _ in range(2):
        with pytest.raises(S3RequestError):
            condition_of(bucket)


@pytest.mark.parametrize("condition", [Condition.IGNORED, Condition.REFUSED])
def test_a_server_without_the_condition_takes_the_operators_word(s3_environment: None, condition: Condition) -> None:
    with pytest.raises(ConfigurationError, match=condition.value) as raised:
        require_safe(ScriptedBucket(), condition)
    assert "single_writer=true" in raised.value.hint
    require_safe(ScriptedBucket(single_writer=True), condition)


def test_a_writer_that_was_open_for_too_long_does_not_seal(
    sink_url: str, bucket_name: str, moto: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By then a sweep may have taken its payload."""
    monkeypatch.setattr(writer, "LONGEST_WRITE", timedelta(seconds=-1))
    sink = ADAPTER.open_sink(sink_url, tmp_path)
    with sink.open_writer(sample_key(), sample_run()) as late:
        late.write(b"late")
        with pytest.raises(StorageError, match="open for too long"):
            late.finalize(sample_facts())
    assert "Contents" not in moto.list_objects_v2(Bucket=bucket_name)


def test_more_parts_than_s3_takes_are_refused_in_time(
    sink_url: str, bucket_name: str, moto: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gads_sink_s3.writer._MOST_PARTS", 1)
    part = bytes(5 * 1024 * 1024)
    error: GadsError | None = None
    with ADAPTER.open_sink(sink_url, tmp_path).open_writer(sample_key(), sample_run()) as long:
        try:
            for _ in range(3):
                long.write(part)
        except StorageError as raised:
            error = raised
    assert error is not None
    assert "part_size" in error.hint
    assert "Uploads" not in moto.list_multipart_uploads(Bucket=bucket_name)
