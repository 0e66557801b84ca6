"""Which requests the sink sends: each costs money and a permission."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import urllib3
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from gads_conformance.sink.samples import sample_key, sample_payload, sample_run, seal
from gads_domain.adapters import sink_adapter
from gads_domain.layout import partition_prefix
from gads_sink_s3.reader import RecentSeals

KEY = sample_key()
RUN = sample_run()
LARGE = sample_payload(1, 6 * 1024 * 1024)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Method and target of each request, in order, without the prefix of the sink."""
    requests: list[str] = []
    real = urllib3.HTTPConnectionPool.urlopen

    def urlopen(self: Any, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        requests.append(f"{method} {url.rpartition('/')[2].replace('%2F', '/')}")
        return real(self, method, url, *args, **kwargs)

    monkeypatch.setattr(urllib3.HTTPConnectionPool, "urlopen", urlopen)
    return requests


def test_a_small_partition_costs_a_get_and_two_puts(sink_url: str, tmp_path: Path, sent: list[str]) -> None:
    sink = sink_adapter(sink_url).open_sink(sink_url, tmp_path)
    assert sent == []
    seal(sink, KEY, RUN)
    probe = [request for request in sent if "probe-" in request]
    assert [request.split()[0] for request in probe] == ["PUT", "PUT", "DELETE"]
    sent.clear()
    metadata = seal(sink, KEY, sample_run(1))
    assert sent == ["GET metadata.json", f"PUT {metadata.payload_name}", "PUT metadata.json"]
    sent.clear()
    again = sink_adapter(sink_url).open_sink(sink_url, tmp_path)
    seal(again, KEY, sample_run(2))
    assert len(sent) == 3, "the server is asked once a process"


def test_a_large_payload_costs_its_parts_and_two_more(sink_url: str, tmp_path: Path, sent: list[str]) -> None:
    sink = sink_adapter(sink_url).open_sink(sink_url, tmp_path)
    sink.check()
    seal(sink, KEY, sample_run(1))
    sent.clear()
    seal(sink, KEY, RUN, [LARGE])
    assert [request.split()[0] for request in sent] == ["GET", "POST", "PUT", "PUT", "POST", "PUT"]


def test_a_reader_sends_gets_alone_and_lists_no_more_than_was_asked(
    sink_url: str, tmp_path: Path, sent: list[str]
) -> None:
    metadata = seal(sink_adapter(sink_url).open_sink(sink_url, tmp_path), KEY, RUN)
    reader = sink_adapter(sink_url).open_reader(sink_url, tmp_path)
    sent.clear()
    reader.metadata_bytes(KEY, RUN)
    reader.open_payload(KEY, RUN, metadata.payload_name).read()
    assert sent == ["GET metadata.json", f"GET {metadata.payload_name}"]
    sent.clear()
    reader.open_payload(KEY, RUN, metadata.payload_name).read()
    assert sent == ["GET metadata.json", f"GET {metadata.payload_name}"], "a seal that was read is good for one payload"
    sent.clear()
    reader.runs(KEY)
    list(reader.sealed(source=KEY.source, customer_id=KEY.customer_id))
    assert all(request.startswith("GET ") for request in sent)
    day, account = (request.partition("prefix=")[2].partition("&")[0] for request in sent)
    folder = partition_prefix(KEY, RUN).replace("=", "%3D")
    assert day.replace("%2F", "/") == "deep/raw/" + folder.rpartition("/")[0] + "/"
    assert account.replace("%2F", "/") == "deep/raw/" + "/".join(folder.split("/")[:2]) + "/"


def test_a_seal_that_was_read_a_while_ago_is_read_again(
    sink_url: str, tmp_path: Path, sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = seal(sink_adapter(sink_url).open_sink(sink_url, tmp_path), KEY, RUN)
    reader = sink_adapter(sink_url).open_reader(sink_url, tmp_path)
    monkeypatch.setattr("gads_sink_s3.reader._FRESH_SECONDS", 0.0)
    reader.metadata_bytes(KEY, RUN)
    sent.clear()
    reader.open_payload(KEY, RUN, metadata.payload_name).read()
    assert sent == ["GET metadata.json", f"GET {metadata.payload_name}"]


def test_no_more_than_some_thousand_seals_are_remembered() -> None:
    seen = RecentSeals()
    for number in range(5000):
        seen.note(KEY, sample_run(number))
    assert [seen.take(KEY, sample_run(number)) for number in (0, 903, 904, 4999)] == [False, False, True, True]


def test_a_listing_takes_one_request_a_thousand_objects(
    sink_url: str, bucket_name: str, tmp_path: Path, sent: list[str]
) -> None:
    runs = [sample_run(number) for number in range(1001)]
    for run_id in runs:
        stored = f"deep/raw/{partition_prefix(KEY, run_id)}/metadata.json"
        s3_backends[DEFAULT_ACCOUNT_ID]["aws"].put_object(bucket_name, stored, b"")
    reader = sink_adapter(sink_url).open_reader(sink_url, tmp_path)
    listing = reader.sealed()
    assert next(listing) == (KEY, runs[0])
    assert len(sent) == 1, "a listing is a stream"
    assert [run_id for _, run_id in listing] == runs[1:]
    assert len(sent) == 2
