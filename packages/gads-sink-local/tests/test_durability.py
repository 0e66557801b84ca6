"""The order of the steps that make a seal durable, as the operating system sees them."""

from __future__ import annotations

import errno
import itertools
import os
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


def watch(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Note each call that durability depends on, and let it happen."""
    steps: list[str] = []
    fsync, rename, link, unlink = os.fsync, os.rename, os.link, os.unlink

    def label(name: str) -> str:
        return name.split("-")[0] if name.startswith((".", "payload-")) else name

    def on_fsync(descriptor: int) -> None:
        steps.append(f"fsync {label(os.path.basename(os.readlink(f'/proc/self/fd/{descriptor}')))}")  # noqa: PTH119, PTH115
        fsync(descriptor)

    def on_rename(old: str, new: str, **folders: Any) -> None:
        steps.append(f"rename {label(old)} {label(new)}")
        rename(old, new, **folders)

    def on_link(old: str, new: str, **folders: Any) -> None:
        steps.append(f"link {label(old)} {label(new)}")
        link(old, new, **folders)

    def on_unlink(name: str, **folders: Any) -> None:
        steps.append(f"unlink {label(name)}")
        unlink(name, **folders)

    monkeypatch.setattr(os, "fsync", on_fsync)
    monkeypatch.setattr(os, "rename", on_rename)
    monkeypatch.setattr(os, "link", on_link)
    monkeypatch.setattr(os, "unlink", on_unlink)
    return steps


def test_everything_is_durable_before_the_next_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = watch(monkeypatch)
    seal(LocalSink(tmp_path / "raw"), KEY, RUN)
    source, customer, report, day, run = FOLDER.split("/")
    sealing = [
        "fsync .payload",
        "fsync .metadata",
        "rename .payload payload",
        f"fsync {run}",
        f"fsync {day}",
        f"fsync {report}",
        "link .metadata metadata.json",
        f"fsync {run}",
        "unlink .metadata",
    ]
    assert steps[-len(sealing) :] == sealing
    assert steps[: -len(sealing)][-3:] == ["fsync raw", f"fsync {source}", f"fsync {customer}"]
    assert f"fsync {tmp_path.name}" in steps


def test_a_payload_is_gone_for_good_before_its_seal_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = LocalSink(tmp_path / "raw")
    seal(sink, KEY, RUN)
    steps = watch(monkeypatch)
    sink.remove([(KEY, RUN)])
    run = FOLDER.rpartition("/")[2]
    assert steps == ["unlink payload", f"fsync {run}", "unlink metadata.json", f"fsync {run}"]


def test_partitions_that_are_sealed_together_make_each_step_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = LocalSink(tmp_path / "raw")
    seal(sink, sample_key(9), RUN)
    writers = [sink.open_writer(sample_key(number), RUN) for number in range(3)]
    steps = watch(monkeypatch)
    sink.finalize_together([(writer, sample_facts()) for writer in writers])
    *_, report, _, run = FOLDER.split("/")
    days = [partition_prefix(sample_key(number), RUN).split("/")[3] for number in range(3)]
    assert steps == [
        *["fsync .payload", "fsync .metadata"] * 3,
        *["rename .payload payload"] * 3,
        *[f"fsync {run}", f"fsync {days[0]}", f"fsync {report}"],
        *[step for day in days[1:] for step in (f"fsync {run}", f"fsync {day}")],
        *["link .metadata metadata.json"] * 3,
        *[f"fsync {run}"] * 3,
        *["unlink .metadata"] * 3,
    ]


@pytest.mark.parametrize("step", ["fsync", "rename", "link", "mkdir", "open"])
def test_a_step_that_fails_for_one_of_many_costs_that_one_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    sink = LocalSink(tmp_path)
    writers = [sink.open_writer(sample_key(number), RUN) for number in range(20)]
    act, calls = getattr(os, step), itertools.count()

    def fail_once(*values: Any, **more: Any) -> Any:
        if next(calls) == 20:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return act(*values, **more)

    with monkeypatch.context() as broken:
        broken.setattr(os, step, fail_once)
        answers = sink.finalize_together([(writer, sample_facts()) for writer in writers])
    failed = [number for number, answer in enumerate(answers) if isinstance(answer, Exception)]
    assert len(failed) == (0 if step in ("rename", "link") else 1)
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
    link, calls = os.link, itertools.count()

    def link_and_interrupt(*names: str, **folders: Any) -> None:
        link(*names, **folders)
        if next(calls) == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(os, "link", link_and_interrupt)
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


def test_folders_that_many_partitions_share_are_synced_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = LocalSink(tmp_path / "raw")
    seal(sink, KEY, RUN)
    steps = watch(monkeypatch)
    seal(sink, sample_key(1), RUN)
    assert sum(step.startswith("fsync") for step in steps) == 6


def test_another_sink_does_not_trust_what_it_did_not_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seal(LocalSink(tmp_path / "raw"), KEY, RUN)
    steps = watch(monkeypatch)
    seal(LocalSink(tmp_path / "raw"), sample_key(1), RUN)
    source, customer, *_ = FOLDER.split("/")
    assert {f"fsync {tmp_path.name}", "fsync raw", f"fsync {source}", f"fsync {customer}"} <= set(steps)


def test_an_interrupt_just_after_the_link_leaves_a_whole_partition(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = os.link

    def link_and_interrupt(*names: str, **folders: Any) -> None:
        link(*names, **folders)
        raise KeyboardInterrupt

    sink = LocalSink(tmp_path)
    monkeypatch.setattr(os, "link", link_and_interrupt)
    with pytest.raises(KeyboardInterrupt):
        seal(sink, KEY, RUN)
    assert stored_payload(sink, KEY, RUN) == b"payload"
    assert len(list((tmp_path / FOLDER).iterdir())) == 2


def test_a_lost_answer_to_the_link_is_no_lost_race(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    link = os.link

    def link_twice(*names: str, **folders: Any) -> None:
        link(*names, **folders)
        link(*names, **folders)

    monkeypatch.setattr(os, "link", link_twice)
    sink = LocalSink(tmp_path)
    seal(sink, KEY, RUN)
    assert stored_payload(sink, KEY, RUN) == b"payload"


def test_a_failed_sync_after_the_link_takes_nothing_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


@pytest.mark.parametrize("step", ["fsync", "rename", "link"])
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


def test_a_file_system_without_hard_links_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    monkeypatch.setattr(os, "link", refuse)
    sink = LocalSink(tmp_path / "raw")
    with pytest.raises(ConfigurationError, match="no hard links"):
        sink.check()
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConfigurationError, match="no hard links"):
        seal(sink, KEY, sample_run(1))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
