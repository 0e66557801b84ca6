"""What the operating system refuses, for real where it can be made to."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gads_conformance.sink.samples import sample_facts, sample_key, sample_run, seal, stored_payload
from gads_domain.errors import (
    AlreadySealedError,
    ConfigurationError,
    DamagedPartitionError,
    GadsError,
    NotSealedError,
    StorageError,
    StorageFullError,
)
from gads_domain.layout import METADATA_NAME, partition_prefix
from gads_sink_local.adapter import ADAPTER
from gads_sink_local.errors import as_gads_error
from gads_sink_local.sink import LocalSink
from gads_sink_local.writer import PARTIAL_FOLDER

KEY = sample_key()
RUN = sample_run()
PREFIX = partition_prefix(KEY, RUN)
UNPRIVILEGED = 65534

FILL = """
import json, resource, sys
from pathlib import Path
from gads_conformance.sink.samples import sample_facts, sample_key, sample_run, seal, stored_payload
from gads_domain.errors import StorageFullError
from gads_sink_local.sink import LocalSink

root, limit, size = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
if limit:
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
sink, key, run_id = LocalSink(root), sample_key(), sample_run()
seal(sink, sample_key(1), run_id)
error = None
try:
    with sink.open_writer(key, run_id) as writer:
        for _ in range(size // 50_000):
            writer.write(bytes(50_000))
        writer.finalize(sample_facts())
except StorageFullError as full:
    error = [full.code, full.message, full.hint]
left = [str(path) for path in root.rglob("*") if not path.is_dir()]
runs = sink.runs(key)
seal(sink, key, run_id, [b"small enough"])
after = stored_payload(sink, key, run_id).decode()
print(json.dumps({"error": error, "left": left, "runs": len(runs), "after": after}))
"""


def fill(root: Path, size: int, *, file_limit: int = 0, within: Sequence[str] = ()) -> dict[str, Any]:
    """Write a partition of `size` bytes in a process of its own, and return the outcome."""
    command = [*within, sys.executable, "-c", FILL, str(root), str(file_limit), str(size)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return dict(json.loads(done.stdout))


def on_a_disk_of(root: Path, disk_bytes: int) -> list[str]:
    """The start of a command that runs the rest with a small disk at `root`; empty if none may be mounted."""
    if shutil.which("unshare") is None:
        return []
    user = [] if os.geteuid() == 0 else ["--map-root-user"]
    mount = f'mount -t tmpfs -o size={disk_bytes} tmpfs "$0" && exec "$@"'
    command = ["unshare", "--mount", *user, "sh", "-c", mount, str(root)]
    permitted = subprocess.run([*command, "true"], check=False, capture_output=True)
    return [] if permitted.returncode else command


@pytest.mark.parametrize("size", [200_000, 4_000_000], ids=["at the seal", "while writing"])
@pytest.mark.parametrize("kind", ["disk", "file"])
def test_a_full_disk_leaves_nothing_and_the_run_goes_on(tmp_path: Path, kind: str, size: int) -> None:
    root = tmp_path / "raw"
    root.mkdir()
    disk = on_a_disk_of(root, 160 * 1024) if kind == "disk" else []
    found = fill(root, size, within=disk, file_limit=0 if disk else 160 * 1024)
    code, message, hint = found["error"]
    assert code == "storage_full"
    assert message.startswith(f"cannot write {KEY} of run {RUN}: ")
    assert hint
    assert len(found["left"]) == 2, "more is left than the partition that was sealed before"
    assert found["runs"] == 0
    assert found["after"] == "small enough"


@pytest.fixture
def denied() -> Iterator[Path]:
    """A folder that this process may read and not write, whatever user runs it."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o555)
    user = os.geteuid()
    if user == 0:
        os.seteuid(UNPRIVILEGED)
    try:
        yield folder
    finally:
        os.seteuid(user)
        folder.chmod(0o755)
        shutil.rmtree(folder)


def test_a_read_only_folder_is_a_matter_of_configuration(denied: Path) -> None:
    for root in (denied, denied / "raw"):
        sink = LocalSink(root)
        with pytest.raises(ConfigurationError, match="Permission denied") as caught:
            sink.check()
        assert caught.value.hint
        with pytest.raises(ConfigurationError):
            seal(sink, KEY, RUN)
        with pytest.raises(ConfigurationError):
            seal(sink, KEY, RUN, [bytes(300_000)])
        assert list(sink.sealed()) == []
    assert list(denied.iterdir()) == []


def test_a_root_that_is_a_file_is_a_matter_of_configuration(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for root in (tmp_path / "file", tmp_path / "file" / "raw"):
        sink = LocalSink(root)
        with pytest.raises(ConfigurationError):
            sink.check()
        with pytest.raises(ConfigurationError):
            seal(sink, KEY, RUN)
    with pytest.raises(ConfigurationError):
        list(LocalSink(tmp_path / "file").sealed())
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (errno.ENOSPC, StorageFullError),
        (errno.EDQUOT, StorageFullError),
        (errno.EFBIG, StorageFullError),
        (errno.EROFS, ConfigurationError),
        (errno.EACCES, ConfigurationError),
        (errno.EPERM, ConfigurationError),
        (errno.ELOOP, ConfigurationError),
        (errno.EMFILE, StorageError),
        (errno.EIO, StorageError),
    ],
)
def test_each_refusal_has_its_error(code: int, expected: type[GadsError]) -> None:
    error = as_gads_error(OSError(code, os.strerror(code)), "cannot write")
    assert type(error) is expected
    assert error.message == f"cannot write: {os.strerror(code)}"
    assert error.hint or code == errno.EIO


def test_a_missing_root_reads_as_empty_and_is_not_made(tmp_path: Path) -> None:
    reader = ADAPTER.open_reader("file:not/there", tmp_path)
    assert list(reader.sealed()) == []
    assert reader.runs(KEY) == []
    with pytest.raises(NotSealedError):
        reader.metadata_bytes(KEY, RUN)
    assert list(tmp_path.iterdir()) == []


def test_check_leaves_not_even_the_root(tmp_path: Path) -> None:
    ADAPTER.open_sink("file:not/there", tmp_path).check()
    assert list(tmp_path.iterdir()) == []


def test_a_symbolic_link_below_the_root_is_neither_read_nor_written(tmp_path: Path) -> None:
    elsewhere = LocalSink(tmp_path / "elsewhere")
    seal(elsewhere, KEY, RUN)
    root = tmp_path / "raw"
    (root / KEY.source).mkdir(parents=True)
    customer = f"{KEY.source}/customer_id={KEY.customer_id}"
    (root / customer).symlink_to(tmp_path / "elsewhere" / customer)
    sink = LocalSink(root)
    assert list(sink.sealed()) == []
    assert sink.runs(KEY) == []
    with pytest.raises(NotSealedError):
        sink.metadata_bytes(KEY, RUN)
    with pytest.raises(ConfigurationError):
        seal(sink, KEY, sample_run(1))
    assert elsewhere.runs(KEY) == [RUN]


def test_a_root_that_is_a_symbolic_link_is_used(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "raw").symlink_to(tmp_path / "disk")
    seal(LocalSink(tmp_path / "raw"), KEY, RUN)
    assert LocalSink(tmp_path / "disk").runs(KEY) == [RUN]


def test_files_that_are_links_are_foreign(tmp_path: Path) -> None:
    sink = LocalSink(tmp_path)
    metadata = seal(sink, KEY, RUN)
    folder = tmp_path / PREFIX
    payload = folder / metadata.payload_name
    payload.rename(tmp_path / "moved")
    payload.symlink_to(tmp_path / "moved")
    with pytest.raises(DamagedPartitionError):
        sink.open_payload(KEY, RUN, metadata.payload_name)
    (folder / METADATA_NAME).rename(tmp_path / "moved.json")
    (folder / METADATA_NAME).symlink_to(tmp_path / "moved.json")
    assert sink.runs(KEY) == []
    with pytest.raises(NotSealedError):
        sink.metadata_bytes(KEY, RUN)
    with pytest.raises(StorageError, match="not a regular file"):
        sink.open_writer(KEY, RUN)


def test_a_pipe_in_the_place_of_a_seal_does_not_block(tmp_path: Path) -> None:
    folder = tmp_path / PREFIX
    folder.mkdir(parents=True)
    os.mkfifo(folder / METADATA_NAME)
    sink = LocalSink(tmp_path)
    assert list(sink.sealed()) == []
    with pytest.raises(NotSealedError):
        sink.metadata_bytes(KEY, RUN)


def test_what_a_dead_writer_leaves_is_known_by_its_name(tmp_path: Path) -> None:
    sink = LocalSink(tmp_path)
    writer = sink.open_writer(KEY, RUN)
    writer.write(bytes(300_000))
    (left,) = [path.parent for path in tmp_path.rglob("*") if path.is_file()]
    assert PARTIAL_FOLDER.fullmatch(left.name)
    seal(sink, KEY, RUN)
    assert {path.name for path in left.parent.iterdir()} == {left.name, f"run_id={RUN}"}
    writer.abort()
    assert [path.name for path in left.parent.iterdir()] == [f"run_id={RUN}"]


def test_small_writers_hold_no_descriptor(tmp_path: Path) -> None:
    sink = LocalSink(tmp_path)
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208 -- counting alone
    writers = [sink.open_writer(sample_key(day), RUN) for day in range(100)]
    for writer in writers:
        writer.write(bytes(1000))
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
    for writer in writers:
        writer.finalize(sample_facts())
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_a_writer_giving_up_does_not_take_the_folder_from_another(tmp_path: Path) -> None:
    sink = LocalSink(tmp_path)

    def give_up(number: int) -> None:
        with sink.open_writer(KEY, sample_run(number)) as writer:
            writer.write(bytes(300_000))

    with ThreadPoolExecutor(4) as threads:
        trials: list[Future[Any]] = []
        for number in range(50):
            trials += [threads.submit(give_up, number) for _ in range(3)]
            trials.append(threads.submit(seal, sink, KEY, sample_run(number), [str(number).encode()]))
        for trial in trials:
            assert trial.exception() is None or isinstance(trial.exception(), AlreadySealedError)
    assert [stored_payload(sink, KEY, run_id) for run_id in sink.runs(KEY)] == [str(n).encode() for n in range(50)]


def test_a_folder_that_is_removed_at_once_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last run of the day may be removed between two steps of this one."""
    make = os.mkdir
    taken: list[str] = []

    def made_and_taken(path: str, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        make(path, mode, dir_fd=dir_fd)
        if path.startswith("logical_date=") and not taken:
            os.rmdir(path, dir_fd=dir_fd)
            taken.append(path)

    monkeypatch.setattr(os, "mkdir", made_and_taken)
    sink = LocalSink(tmp_path)
    seal(sink, KEY, RUN)
    assert taken
    assert sink.runs(KEY) == [RUN]
