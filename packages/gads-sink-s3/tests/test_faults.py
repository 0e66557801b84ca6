"""A network and a server that fail at every request: sealed once and whole, or a typed error and nothing visible."""

from __future__ import annotations

import random
import time
from pathlib import Path
from typing import Any

import pytest

from gads_conformance.sink.samples import sample_key, sample_payload, sample_run, seal, stored_payload
from gads_domain.adapters import sink_adapter
from gads_domain.errors import AlreadySealedError, FailureScope, GadsError, StorageCredentialsError, StorageError
from gads_domain.layout import METADATA_NAME, partition_prefix
from gads_domain.metadata_codec import decode_metadata
from gads_domain.ports.sink import RawReader, RawSink
from gads_testing.s3.fault_proxy import Fault, FaultProxy, Plan, Request

KEY = sample_key()
RUN = sample_run()
FOLDER = partition_prefix(KEY, RUN)
SMALL = sample_payload(1, 20_000)
LARGE = sample_payload(2, 6 * 1024 * 1024)  # two parts
BRIEF = {"timeout": 1.0, "retries": 3}


def once(fault: Fault, when: Any) -> Plan:
    """`fault` for the first request that `when` picks, of each target."""
    return lambda request: fault if when(request) and request.number == 0 else None


def always(fault: Fault, when: Any) -> Plan:
    return lambda request: fault if when(request) else None


def is_probe(request: Request) -> bool:
    return "/.gads/" in request.target


def is_any_write(request: Request) -> bool:
    return request.method in {"PUT", "POST"}


def is_completion(request: Request) -> bool:
    return request.method == "POST" and "uploadId=" in request.target


def is_beginning(request: Request) -> bool:
    return request.method == "POST" and request.target.endswith("?uploads=")


@pytest.fixture
def sink(behind_proxy: Any, proxy: FaultProxy, tmp_path: Path) -> RawSink:
    """Reaches the server by way of the proxy."""
    url = behind_proxy.through(proxy.endpoint, **BRIEF)
    return sink_adapter(url).open_sink(url, tmp_path)


@pytest.fixture
def reader(behind_proxy: Any, tmp_path: Path) -> RawReader:
    """Reads past the proxy."""
    return sink_adapter(behind_proxy.url).open_reader(behind_proxy.url, tmp_path)


def assert_whole_once(reader: RawReader, storage: Any, payload: bytes) -> None:
    assert reader.runs(KEY) == [RUN]
    assert list(reader.sealed()) == [(KEY, RUN)]
    assert stored_payload(reader, KEY, RUN) == payload
    named = decode_metadata(reader.metadata_bytes(KEY, RUN)).payload_name
    assert {f"{FOLDER}/{METADATA_NAME}", f"{FOLDER}/{named}"} <= set(storage.names())


ONE_PUT = [pytest.param(fault, SMALL, id=f"{fault.name} of one PUT") for fault in Fault]
MULTIPART = [
    pytest.param(fault, LARGE, id=f"{fault.name} of a multipart upload")
    for fault in (Fault.CUT_REQUEST, Fault.LOSE_ANSWER, Fault.ERROR_AFTER, Fault.ERROR_503)
]
STALLED = [
    pytest.param(fault, LARGE, id=f"{fault.name} of a multipart upload", marks=pytest.mark.campaign)
    for fault in (Fault.STALL_REQUEST, Fault.STALL_ANSWER)
]


@pytest.mark.parametrize(("fault", "payload"), [*ONE_PUT, *MULTIPART, *STALLED])
def test_a_fault_of_every_writing_request_is_got_over(
    sink: RawSink, reader: RawReader, behind_proxy: Any, proxy: FaultProxy, fault: Fault, payload: bytes
) -> None:
    stalls = fault in {Fault.STALL_REQUEST, Fault.STALL_ANSWER}
    proxy.plan = once(fault, lambda request: is_any_write(request) and not (stalls and is_probe(request)))
    metadata = seal(sink, KEY, RUN, [payload])
    assert_whole_once(reader, behind_proxy, payload)
    left = sorted(name for name in behind_proxy.names() if name.startswith(FOLDER))
    assert left == [f"{FOLDER}/{METADATA_NAME}", f"{FOLDER}/{metadata.payload_name}"]


@pytest.mark.parametrize("fault", [Fault.LOSE_ANSWER, Fault.STALL_ANSWER, Fault.ERROR_AFTER, Fault.GARBAGE])
def test_ones_own_seal_met_again_is_a_success(
    sink: RawSink, reader: RawReader, behind_proxy: Any, proxy: FaultProxy, fault: Fault
) -> None:
    proxy.plan = once(fault, lambda request: request.is_seal)
    seal(sink, KEY, RUN, [SMALL])
    assert sum(request.is_seal for request in proxy.requests) == 2
    assert_whole_once(reader, behind_proxy, SMALL)


@pytest.mark.parametrize("fault", [Fault.LOSE_ANSWER, Fault.ERROR_AFTER, Fault.HALF_ANSWER])
def test_a_completion_whose_answer_was_lost_is_a_success(
    sink: RawSink, reader: RawReader, behind_proxy: Any, proxy: FaultProxy, fault: Fault
) -> None:
    proxy.plan = once(fault, is_completion)
    seal(sink, KEY, RUN, [LARGE])
    assert_whole_once(reader, behind_proxy, LARGE)
    assert behind_proxy.uploads() == []


@pytest.mark.parametrize("fault", [Fault.LOSE_REQUEST, Fault.CUT_REQUEST, Fault.ERROR_500, Fault.ERROR_503])
def test_a_seal_that_never_arrives_is_an_error_and_nothing_visible(
    sink: RawSink, reader: RawReader, behind_proxy: Any, proxy: FaultProxy, fault: Fault
) -> None:
    proxy.plan = always(fault, lambda request: request.is_seal)
    with pytest.raises(StorageError) as raised:
        seal(sink, KEY, RUN, [SMALL])
    assert raised.value.retryable
    assert list(reader.sealed()) == []
    # Whether it arrived is more than the writer can know: it leaves the payload to a sweep.
    assert [name.rpartition("/")[0] for name in behind_proxy.names()] == [FOLDER]
    proxy.plan = lambda request: None
    seal(sink, KEY, RUN, [b"another try"])
    assert stored_payload(reader, KEY, RUN) == b"another try"


@pytest.mark.parametrize("fault", [Fault.LOSE_ANSWER, Fault.ERROR_AFTER, Fault.GARBAGE])
def test_a_seal_whose_every_answer_is_lost_is_found_at_the_end(
    sink: RawSink, reader: RawReader, behind_proxy: Any, proxy: FaultProxy, fault: Fault
) -> None:
    proxy.plan = always(fault, lambda request: request.is_seal)
    seal(sink, KEY, RUN, [SMALL])
    assert_whole_once(reader, behind_proxy, SMALL)


def test_a_server_that_falls_silent_at_the_seal_leaves_it_whole(
    sink: RawSink, reader: RawReader, behind_proxy: Any, proxy: FaultProxy
) -> None:
    """The seal lands and every later request is lost: an error, and the partition is there, whole, to be found."""
    proxy.plan = lambda request: Fault.LOSE_ANSWER if any(r.is_seal for r in proxy.requests) else None
    with pytest.raises(StorageError):
        seal(sink, KEY, RUN, [SMALL])
    assert_whole_once(reader, behind_proxy, SMALL)
    proxy.plan = lambda request: None
    with pytest.raises(AlreadySealedError):
        sink.open_writer(KEY, RUN)


def test_losing_to_another_after_a_lost_request_takes_the_payload_away(
    sink: RawSink, reader: RawReader, behind_proxy: Any, proxy: FaultProxy, tmp_path: Path
) -> None:
    """412 on one's own retry, but the seal that stands is another's."""
    rival = sink_adapter(behind_proxy.url).open_sink(behind_proxy.url, tmp_path)

    def plan(request: Request) -> Fault | None:
        if request.is_seal and request.number == 0:
            seal(rival, KEY, RUN, [b"the rival's"])
            return Fault.LOSE_REQUEST
        return None

    proxy.plan = plan
    with pytest.raises(AlreadySealedError):
        seal(sink, KEY, RUN, [SMALL])
    assert_whole_once(reader, behind_proxy, b"the rival's")
    assert len(behind_proxy.names()) == 2


@pytest.mark.parametrize("fault", [Fault.LOSE_ANSWER, Fault.ERROR_503])
@pytest.mark.parametrize("payload", [SMALL, LARGE], ids=["one PUT", "multipart"])
def test_a_payload_that_cannot_be_stored_is_an_error_and_nothing_is_left(
    sink: RawSink, reader: RawReader, behind_proxy: Any, proxy: FaultProxy, fault: Fault, payload: bytes
) -> None:
    proxy.plan = always(fault, lambda request: request.is_payload)
    with pytest.raises(StorageError):
        seal(sink, KEY, RUN, [payload])
    assert list(reader.sealed()) == []
    assert behind_proxy.names() == []
    assert behind_proxy.uploads() == []


@pytest.mark.parametrize("fault", [Fault.CUT_REQUEST, Fault.HALF_ANSWER, Fault.ERROR_503])
def test_a_fault_of_every_reading_request_is_got_over(
    sink: RawSink, proxy: FaultProxy, behind_proxy: Any, fault: Fault
) -> None:
    payload = sample_payload(3, 3_000_000)
    seal(sink, KEY, RUN, [payload])
    proxy.requests.clear()
    proxy.plan = lambda request: fault if request.method == "GET" and len(proxy.requests) % 2 else None
    assert list(sink.sealed()) == [(KEY, RUN)]
    assert sink.runs(KEY) == [RUN]
    assert stored_payload(sink, KEY, RUN) == payload


def test_a_silent_server_is_an_error_in_time(behind_proxy: Any, proxy: FaultProxy, tmp_path: Path) -> None:
    url = behind_proxy.through(proxy.endpoint, timeout=0.5, retries=2)
    proxy.plan = always(Fault.STALL_REQUEST, lambda request: True)
    begun = time.monotonic()
    with pytest.raises(StorageError, match="cannot list") as raised:
        list(sink_adapter(url).open_reader(url, tmp_path).sealed())
    assert raised.value.retryable
    assert time.monotonic() - begun < 3 * 0.5 + 5


def test_an_unreachable_server_is_an_error_that_names_the_place(
    behind_proxy: Any, proxy: FaultProxy, tmp_path: Path
) -> None:
    url = behind_proxy.through("http://127.0.0.1:9", retries=1)
    with pytest.raises(StorageError, match=r"s3://gads-raw/.*no connection"):
        sink_adapter(url).open_sink(url, tmp_path).open_writer(KEY, RUN)


def test_refused_credentials_are_an_error_of_the_storage(
    behind_proxy: Any, proxy: FaultProxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("AWS_SECRET_ACCESS_KEY", "wrong"), ("AWS_ACCESS_KEY_ID", "unknown")):
        monkeypatch.setenv(name, value)
        sink = sink_adapter(behind_proxy.url).open_sink(behind_proxy.url, tmp_path)
        for ask in (sink.check, lambda s=sink: list(s.sealed()), lambda s=sink: s.runs(KEY)):
            with pytest.raises(StorageCredentialsError) as raised:
                ask()
            assert "wrong" not in str(raised.value)
            assert raised.value.scope is FailureScope.STORAGE


@pytest.mark.campaign
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(40))
def test_any_faults_at_any_request(
    sink: RawSink, reader: RawReader, behind_proxy: Any, proxy: FaultProxy, seed: int
) -> None:
    """Each request meets a fault with one chance in three: whole once, or a typed error and nothing visible."""
    chance = random.Random(seed)
    faults = [fault for fault in Fault if fault not in {Fault.STALL_ANSWER, Fault.STALL_REQUEST}]
    proxy.plan = lambda request: chance.choice(faults) if chance.random() < 0.35 else None
    payload = chance.choice([SMALL, LARGE, b""])
    try:
        seal(sink, KEY, RUN, [payload])
    except GadsError:
        if reader.runs(KEY) == []:
            assert list(reader.sealed()) == []
            return
    assert_whole_once(reader, behind_proxy, payload)
