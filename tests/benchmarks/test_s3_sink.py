"""What the S3 sink costs: memory of a large payload, the rate of many small partitions, reading both; on radosgw.

    pytest -m benchmark tests/benchmarks/test_s3_sink.py -s

GADS_BENCHMARK_GIGABYTES (5) is the size of the large payload; the server keeps it on this disk for the while.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import boto3
import pyarrow.fs as pafs
import pytest
from minio import Minio

from gads_conformance.sink.samples import sample_key, sample_payload, sample_run, seal, stored_payload
from gads_domain.adapters import sink_adapter
from gads_domain.layout import partition_prefix
from gads_domain.metadata_codec import decode_metadata, encode_metadata
from gads_domain.partition_key import PartitionKey
from gads_domain.run import RunId
from gads_testing.s3.servers import Server, radosgw

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(3600)]

GIGABYTES = float(os.environ.get("GADS_BENCHMARK_GIGABYTES", "5"))
PARTITIONS = 2_000
ROUNDS = 8  # taking turns, so that whatever else the machine does falls on both
WRITERS = 16
READ = 200
LARGE_MEBIBYTES = 128
PAYLOAD = sample_payload(1, 20_000)

_STREAM = """
import json, resource, sys, time
from pathlib import Path
from gads_conformance.sink.samples import sample_facts, sample_key, sample_run, seal
from gads_domain.adapters import sink_adapter

def resident(name):
    status = Path("/proc/self/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith(name))) * 1024

url, size = sys.argv[1], int(sys.argv[2])
sink = sink_adapter(url).open_sink(url, Path("/"))
seal(sink, sample_key(1), sample_run())
chunk = bytes(range(256)) * 4096
idle = resident("VmRSS:")
Path("/proc/self/clear_refs").write_text("5")
begun = time.monotonic()
with sink.open_writer(sample_key(0), sample_run()) as writer:
    for _ in range(size // len(chunk)):
        writer.write(chunk)
    metadata = writer.finalize(sample_facts())
seconds = time.monotonic() - begun
print(json.dumps({"idle": idle, "peak": resident("VmHWM:"), "seconds": seconds, "bytes": metadata.payload_bytes}))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With its objects on disk, behind a journal, as in earnest."""
    megabytes = str(int(GIGABYTES * 1024 * 1.5) + 8192)
    with radosgw(tmp_path_factory.mktemp("radosgw"), "--store", "bluestore", "--megabytes", megabytes) as server:
        yield server


@pytest.fixture
def url(server: Server, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", server.access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", server.secret_key)
    client: Any = boto3.Session().client("s3", endpoint_url=server.endpoint, region_name="us-east-1")
    client.create_bucket(Bucket="benchmark")
    return f"s3://benchmark/{os.urandom(4).hex()}?endpoint={server.endpoint}"


def test_a_large_payload_is_streamed_in_bounded_memory(url: str) -> None:
    size = int(GIGABYTES * 1024) * 1024 * 1024
    done = subprocess.run([sys.executable, "-c", _STREAM, url, str(size)], stdout=subprocess.PIPE, check=True)
    found = json.loads(done.stdout)
    above = found["peak"] - found["idle"]
    print(
        f"\n{found['bytes'] / 1e9:.2f} GB in {found['seconds']:.0f} s ({found['bytes'] / 1e6 / found['seconds']:.0f} "
        f"MB/s), peak {above / 1e6:.0f} MB above {found['idle'] / 1e6:.0f} MB at rest"
    )
    reader = sink_adapter(url).open_reader(url, Path("/"))
    metadata = json.loads(reader.metadata_bytes(sample_key(0), sample_run()))
    read = hashlib.sha256()
    begun = time.monotonic()
    with reader.open_payload(sample_key(0), sample_run(), metadata["payload_name"]) as stream:
        while piece := stream.read(8 * 1024 * 1024):
            read.update(piece)
    print(f"read back at {size / 1e6 / (time.monotonic() - begun):.0f} MB/s")
    assert read.hexdigest() == metadata["payload_sha256"]
    assert found["bytes"] == size
    assert above < 200e6


def test_small_partitions_keep_up_with_bare_puts(url: str, server: Server) -> None:
    sink = sink_adapter(url).open_sink(url, Path("/"))
    sink.check()
    bare = Minio(
        server.endpoint.removeprefix("http://"),
        access_key=server.access_key,
        secret_key=server.secret_key,
        secure=False,
        region="us-east-1",
    )
    metadata = encode_metadata(seal(sink, sample_key(0), sample_run(0), [PAYLOAD]))

    def write_partition(number: int) -> None:
        seal(sink, sample_key(number % 28), run_of(number), [PAYLOAD])

    def put_both(number: int) -> None:
        for name, data in (("payload", PAYLOAD), ("metadata.json", metadata)):
            bare.put_object("benchmark", f"bare/{number:06d}/{name}", io.BytesIO(data), len(data))

    seconds = {"sink": 0.0, "bare": 0.0}
    with ThreadPoolExecutor(WRITERS) as threads:
        for turn in range(ROUNDS):
            numbers = range(turn * PARTITIONS // ROUNDS, (turn + 1) * PARTITIONS // ROUNDS)
            pair: list[tuple[str, Callable[[int], None]]] = [("sink", write_partition), ("bare", put_both)]
            for name, work in pair if turn % 2 else reversed(pair):
                begun = time.monotonic()
                list(threads.map(work, numbers))
                seconds[name] += time.monotonic() - begun
    rate = {name: PARTITIONS / taken for name, taken in seconds.items()}
    print(
        f"\n{PARTITIONS} partitions of {len(PAYLOAD)} bytes, {WRITERS} writers: {rate['sink']:.0f}/s, bare puts of "
        f"the same two objects {rate['bare']:.0f}/s: {rate['sink'] / rate['bare']:.2f}"
    )
    begun = time.monotonic()
    listed = sum(1 for _ in sink.sealed())
    print(f"listed {listed} in {time.monotonic() - begun:.2f} s")
    assert listed == PARTITIONS + 1
    assert stored_payload(sink, sample_key(1), run_of(1)) == PAYLOAD
    assert rate["sink"] >= 0.7 * rate["bare"]


def test_the_sinks_reader_keeps_up_with_arrows_file_system(url: str, server: Server) -> None:
    """Consumers read through the sink's reader; Arrow's own S3 file system is the other way there is."""
    sink = sink_adapter(url).open_sink(url, Path("/"))
    small = [(sample_key(number % 28), run_of(number)) for number in range(READ)]
    with ThreadPoolExecutor(WRITERS) as threads:
        list(threads.map(lambda pair: seal(sink, pair[0], pair[1], [PAYLOAD]), small))
    large = (sample_key(0), sample_run(0))
    seal(sink, large[0], large[1], [sample_payload(2, 1024 * 1024)] * LARGE_MEBIBYTES)
    reader = sink_adapter(url).open_reader(url, Path("/"))
    arrow = pafs.S3FileSystem(
        access_key=server.access_key,
        secret_key=server.secret_key,
        endpoint_override=server.endpoint.removeprefix("http://"),
        scheme="http",
        region="us-east-1",
    )
    root = url.removeprefix("s3://").partition("?")[0]

    def by_sink(key: PartitionKey, run_id: RunId) -> None:
        metadata = decode_metadata(reader.metadata_bytes(key, run_id))
        with reader.open_payload(key, run_id, metadata.payload_name) as stream:
            assert sum_of(stream) == metadata.payload_sha256

    def by_arrow(key: PartitionKey, run_id: RunId) -> None:
        metadata = decode_metadata(reader.metadata_bytes(key, run_id))
        path = f"{root}/{partition_prefix(key, run_id)}/{metadata.payload_name}"
        with arrow.open_input_stream(path) as stream:
            assert sum_of(stream) == metadata.payload_sha256

    ways: list[tuple[str, Callable[[PartitionKey, RunId], None]]] = [("sink", by_sink), ("arrow", by_arrow)]
    taken = dict.fromkeys(((name, what) for name, _ in ways for what in ("large", "one by one", "8 at once")), 0.0)
    with ThreadPoolExecutor(8) as threads:
        for turn in range(ROUNDS):
            for name, read in ways if turn % 2 else reversed(ways):
                begun = time.monotonic()
                read(*large)
                taken[name, "large"] += time.monotonic() - begun
                begun = time.monotonic()
                for pair in small:
                    read(*pair)
                taken[name, "one by one"] += time.monotonic() - begun
                begun = time.monotonic()
                list(threads.map(lambda pair, read=read: read(*pair), small))
                taken[name, "8 at once"] += time.monotonic() - begun
    for name, _ in ways:
        megabytes = LARGE_MEBIBYTES * 1.048576 * ROUNDS / taken[name, "large"]
        rates = [READ * ROUNDS / taken[name, what] for what in ("one by one", "8 at once")]
        print(
            f"\n{name}: {LARGE_MEBIBYTES} MiB at {megabytes:.0f} MB/s; {len(PAYLOAD)} bytes {rates[0]:.0f}/s in turn, "
            f"{rates[1]:.0f}/s 8 at once",
            end="",
        )
    print()
    for what in ("large", "one by one", "8 at once"):
        assert taken["sink", what] < 1.25 * taken["arrow", what], what


def sum_of(stream: Any) -> str:
    found = hashlib.sha256()
    while piece := stream.read(8 * 1024 * 1024):
        found.update(piece)
    return found.hexdigest()


def run_of(number: int) -> RunId:
    return sample_run(number + 1)
