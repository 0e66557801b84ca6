"""What a crash of the machine leaves at each step of a seal, and what the steps cost."""

from __future__ import annotations

import errno
import itertools
import os
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gads_conformance.sink.samples import sample_facts, sample_key, sample_run, seal, stored_payload
from gads_domain.errors import ConfigurationError, StorageError
from gads_domain.layout import METADATA_NAME, partition_prefix
from gads_sink_local.sink import LocalSink

KEY = sample_key()
RUN = sample_run()
FOLDER = partition_prefix(KEY, RUN)


class Disk:
    """What a crash may leave of the calls below a root: names and bytes that were not synced may be lost, or not."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root.stat().st_ino
        self.steps: list[str] = []
        self.opened = 0
        self.at_each_step: Callable[[], None] = lambda: None
        self._names = {
            folder.stat().st_ino: {path.name: path.stat().st_ino for path in folder.iterdir()}
            for folder in (root, *root.rglob("*"))
            if folder.is_dir()
        }
        self._bytes: dict[int, bytes] = {}
        self._unsynced_names: list[list[tuple[int, str, int | None]]] = []
        self._unsynced_bytes: dict[int, bytes] = {}
        self._synchronous: set[int] = set()
        for name in ("open", "write", "fsync", "mkdir", "rename", "link", "unlink", "rmdir"):
            monkeypatch.setattr(os, name, partial(self._do, name, getattr(os, name)))

    def _do(self, name: str, act: Callable[..., Any], *values: Any, **more: Any) -> Any:
        done = act(*values, **more)
        getattr(self, f"_{name}")(done, *values, **{key: at for key, at in more.items() if key.endswith("dir_fd")})
        self.at_each_step()
        return done

    def _open(self, file: int, name: Any, flags: int, *_: int, dir_fd: int | None = None) -> None:
        self.opened += 1
        if flags & os.O_CREAT:
            assert dir_fd is not None
            self._unsynced_names.append([(_inode(dir_fd), name, _inode(file))])
            self._unsynced_bytes[_inode(file)] = b""
            if flags & os.O_SYNC == os.O_SYNC:
                self._synchronous.add(_inode(file))

    def _write(self, count: int, file: int, data: bytes) -> None:
        self._unsynced_bytes[_inode(file)] += bytes(data[:count])
        if _inode(file) in self._synchronous:
            self._bytes[_inode(file)] = self._unsynced_bytes[_inode(file)]

    def _fsync(self, _: None, descriptor: int) -> None:
        inode = _inode(descriptor)
        name = os.path.basename(os.readlink(f"/proc/self/fd/{descriptor}"))  # noqa: PTH119, PTH115
        self.steps.append(f"fsync {name}")
        if inode in self._unsynced_bytes:
            self._bytes[inode] = self._unsynced_bytes[inode]
        for changes in [one for one in self._unsynced_names if one[0][0] == inode]:
            self._unsynced_names.remove(changes)
            _apply(self._names, changes)

    def _mkdir(self, _: None, name: str, *__: int, dir_fd: int) -> None:
        self._unsynced_names.append([(_inode(dir_fd), name, os.stat(name, dir_fd=dir_fd).st_ino)])

    def _rename(self, _: None, old: str, new: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        folder, inode = _inode(dst_dir_fd), os.stat(new, dir_fd=dst_dir_fd).st_ino
        if _inode(src_dir_fd) == folder:
            self._unsynced_names.append([(folder, old, None), (folder, new, inode)])
        else:
            self._unsynced_names += [[(_inode(src_dir_fd), old, None)], [(folder, new, inode)]]

    def _link(self, _: None, __: str, new: str, *, src_dir_fd: int, dst_dir_fd: int) -> None:
        self._unsynced_names.append([(_inode(dst_dir_fd), new, os.stat(new, dir_fd=dst_dir_fd).st_ino)])

    def _unlink(self, _: None, path: str, *, dir_fd: int) -> None:
        folder, _slash, name = path.rpartition("/")
        inode = os.stat(folder, dir_fd=dir_fd).st_ino if folder else _inode(dir_fd)
        self._unsynced_names.append([(inode, name, None)])
        self.steps.append(f"unlink {name}")

    def _rmdir(self, *_: Any, **__: int) -> None:
        """An empty folder holds nothing that a crash could bring back."""

    def after_a_crash(self) -> Iterator[dict[str, bytes]]:
        """What a crash now could leave in the folder of the run; first, where nothing is left that was not synced."""
        for count in range(len(self._unsynced_names) + 1):
            for kept in itertools.combinations(self._unsynced_names, count):
                names = {folder: dict(inside) for folder, inside in self._names.items()}
                for changes in kept:
                    _apply(names, changes)
                folder = self.root
                for segment in FOLDER.split("/"):
                    folder = names.get(folder, {}).get(segment, -1)
                yield {name: self._bytes.get(inode, b"") for name, inode in names.get(folder, {}).items()}


def _apply(names: dict[int, dict[str, int]], changes: list[tuple[int, str, int | None]]) -> None:
    for folder, name, inode in changes:
        if inode is None:
            names.setdefault(folder, {}).pop(name, None)
        else:
            names.setdefault(folder, {})[name] = inode


def _inode(descriptor: int) -> int:
    return os.fstat(descriptor).st_ino


@pytest.mark.parametrize("size", [7, 300_000], ids=["small", "large"])
@pytest.mark.parametrize("foreign", ["", ".payload-0123456789abcdef.partial"], ids=["new", "with a file of another"])
def test_a_crash_leaves_a_whole_partition_or_none_and_takes_no_sealed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int, foreign: str
) -> None:
    sink, payload = LocalSink(tmp_path), bytes(range(7)) * (size // 7)
    if foreign:
        (tmp_path / FOLDER).mkdir(parents=True)
        (tmp_path / FOLDER / foreign).touch()
    found: list[dict[str, bytes]] = []
    with monkeypatch.context() as watched:
        disk = Disk(tmp_path, watched)
        disk.at_each_step = lambda: found.extend(state for state in disk.after_a_crash() if METADATA_NAME in state)
        metadata = seal(sink, KEY, RUN, [payload[:size]])
        certain = next(disk.after_a_crash())
    whole = {metadata.payload_name: stored_payload(sink, KEY, RUN), METADATA_NAME: sink.metadata_bytes(KEY, RUN)}
    assert certain == whole | ({foreign: b""} if foreign else {})
    assert found
    assert all(state.items() >= whole.items() for state in found)


def test_a_partition_takes_four_opens_and_three_syncs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = LocalSink(tmp_path)
    seal(sink, sample_key(20), RUN)
    writers = [sink.open_writer(sample_key(number), RUN) for number in range(16)]
    disk = Disk(tmp_path, monkeypatch)
    sink.finalize_together([(writer, sample_facts()) for writer in writers])
    kinds = Counter(step.split("-")[0].split("=")[0] for step in disk.steps)
    assert kinds == {"fsync payload": 16, "fsync .run": 16, "fsync logical_date": 16, "fsync report": 1}
    assert disk.opened == 4 * 16 + 4, "day, folder, payload and seal of each; root, source, customer, report once"


@pytest.mark.parametrize("step", ["fsync", "rename", "mkdir", "open"])
def test_a_step_that_fails_for_one_of_many_costs_that_one_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    sink = LocalSink(tmp_path)
    writers = [sink.open_writer(sample_key(number), RUN) for number in range(20)]
    act, calls = getattr(os, step), itertools.count()

    def fail_once(*values: Any, **more: Any) -> Any:
        if next(calls) == 10:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return act(*values, **more)

    with monkeypatch.context() as broken:
        broken.setattr(os, step, fail_once)
        answers = sink.finalize_together([(writer, sample_facts()) for writer in writers])
    failed = [number for number, answer in enumerate(answers) if isinstance(answer, Exception)]
    assert len(failed) == 1
    for number in range(20):
        assert sink.runs(sample_key(number)) == ([] if number in failed else [RUN])
    for number in failed:
        assert not (tmp_path / partition_prefix(sample_key(number), RUN)).exists()


def test_an_interrupt_in_the_midst_of_many_leaves_whole_partitions_or_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = LocalSink(tmp_path)
    writers = [sink.open_writer(sample_key(number), RUN) for number in range(10)]
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    rename, calls = os.rename, itertools.count()

    def rename_and_interrupt(*names: str, **folders: Any) -> None:
        rename(*names, **folders)
        if next(calls) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "rename", rename_and_interrupt)
    with pytest.raises(KeyboardInterrupt):
        sink.finalize_together([(writer, sample_facts()) for writer in writers])
    for number in range(10):
        folder = tmp_path / partition_prefix(sample_key(number), RUN)
        if number < 5:
            assert stored_payload(sink, sample_key(number), RUN) == b""
            assert len(list(folder.iterdir())) == 2
        else:
            assert not folder.exists()
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_a_payload_is_gone_for_good_before_its_seal_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = LocalSink(tmp_path / "raw")
    payload, run = seal(sink, KEY, RUN).payload_name, FOLDER.rpartition("/")[2]
    disk = Disk(tmp_path, monkeypatch)
    sink.remove([(KEY, RUN)])
    assert disk.steps == [f"unlink {payload}", f"fsync {run}", "unlink metadata.json", f"fsync {run}"]


def test_another_sink_does_not_trust_what_it_did_not_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seal(LocalSink(tmp_path / "raw"), KEY, RUN)
    disk = Disk(tmp_path, monkeypatch)
    seal(LocalSink(tmp_path / "raw"), sample_key(1), RUN)
    source, customer, *_ = FOLDER.split("/")
    assert {f"fsync {name}" for name in (tmp_path.name, "raw", source, customer)} <= set(disk.steps)


def test_an_interrupt_just_after_the_rename_leaves_a_whole_partition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = os.rename

    def rename_and_interrupt(*names: str, **folders: Any) -> None:
        rename(*names, **folders)
        raise KeyboardInterrupt

    sink = LocalSink(tmp_path)
    monkeypatch.setattr(os, "rename", rename_and_interrupt)
    with pytest.raises(KeyboardInterrupt):
        seal(sink, KEY, RUN)
    assert stored_payload(sink, KEY, RUN) == b"payload"
    assert len(list((tmp_path / FOLDER).iterdir())) == 2


def test_a_lost_answer_to_the_rename_is_no_lost_race(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = os.rename

    def rename_twice(*names: str, **folders: Any) -> None:
        rename(*names, **folders)
        rename(*names, **folders)

    monkeypatch.setattr(os, "rename", rename_twice)
    sink = LocalSink(tmp_path)
    seal(sink, KEY, RUN)
    assert stored_payload(sink, KEY, RUN) == b"payload"


def test_a_failed_sync_after_the_rename_takes_nothing_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fsync = os.fsync

    def fail_once_sealed(descriptor: int) -> None:
        if (tmp_path / FOLDER / METADATA_NAME).exists():
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fail_once_sealed)
    sink = LocalSink(tmp_path)
    with pytest.raises(StorageError, match="Input/output error"):
        seal(sink, KEY, RUN)
    assert stored_payload(sink, KEY, RUN) == b"payload"


@pytest.mark.parametrize("step", ["fsync", "rename"])
def test_a_failed_step_before_the_seal_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    sink = LocalSink(tmp_path)
    seal(sink, sample_key(1), RUN)
    with monkeypatch.context() as broken:
        broken.setattr(os, step, fail)
        with pytest.raises(StorageError):
            seal(sink, KEY, RUN)
    assert sink.runs(KEY) == []
    assert not (tmp_path / FOLDER).exists()
    seal(sink, KEY, RUN)


@pytest.mark.parametrize(("step", "finding"), [("link", "no hard links"), ("rename", "not empty")])
def test_a_file_system_that_cannot_keep_partitions_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, finding: str
) -> None:
    def act(*_: object, **__: object) -> None:
        if step == "link":
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, step, act)
    with pytest.raises(ConfigurationError, match=finding):
        LocalSink(tmp_path / "raw").check()
    assert list(tmp_path.iterdir()) == []
