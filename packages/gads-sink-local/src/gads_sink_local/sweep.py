"""Removes what killed writers leave: hidden folders and files, payloads that no seal names, folders of a check."""

import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gads_domain.errors import DamagedPartitionError, UnsupportedContractError
from gads_domain.layout import DEPTH, METADATA_NAME
from gads_domain.metadata import PAYLOAD_NAME
from gads_domain.metadata_codec import decode_metadata
from gads_domain.ports.sink import Leftover, LeftoverKind, require_sweep_age
from gads_sink_local.errors import reported
from gads_sink_local.folders import READ, found_in, trail, walk
from gads_sink_local.writer import PARTIAL_FOLDER

PARTIAL_NAME = re.compile(r"\.(payload|metadata)-[0-9a-f]{16}\.partial")
"""The files in a run's folder that writers of earlier versions left."""

PROBE_NAME = re.compile(r"\.check-[0-9a-f]{16}")


def sweep(root: Path, older_than: timedelta, *, dry_run: bool, now: datetime) -> Iterator[Leftover]:
    """Find, and unless `dry_run` remove, what is older than `older_than` at `now`; see `SweepableSink`.

    A file's age counts from the last change of its bytes or its name, so a payload that was just given its name is
    young however long it took to write. Symbolic links are neither listed nor followed.
    """
    require_sweep_age(older_than)
    return _sweep(root, now - older_than, dry_run=dry_run)


def _sweep(root: Path, before: datetime, *, dry_run: bool) -> Iterator[Leftover]:
    with reported(f"cannot sweep {root}"):
        if not root.is_dir():
            return
        yield from _probes(root, before, dry_run=dry_run)
        for day in walk(root, [], DEPTH - 1):
            yield from _unfinished(root, day, before, dry_run=dry_run)
            for segments in walk(root, day, DEPTH):
                yield from _partition(root, segments, before, dry_run=dry_run)


def _probes(root: Path, before: datetime, *, dry_run: bool) -> Iterator[Leftover]:
    with os.scandir(root) as entries:
        found = sorted(e.name for e in entries if PROBE_NAME.fullmatch(e.name) and e.is_dir(follow_symlinks=False))
    for name in found:
        since, _ = _age_and_size((root / name).lstat())
        if since >= before:
            continue
        if not dry_run:
            shutil.rmtree(root / name)
        yield Leftover(name, LeftoverKind.PROBE, since, None)


def _unfinished(root: Path, segments: list[str], before: datetime, *, dry_run: bool) -> Iterator[Leftover]:
    """The folders that writers were filling when they were killed."""
    day = root.joinpath(*segments)
    names = found_in(root, segments, lambda folder: sorted(filter(PARTIAL_FOLDER.fullmatch, os.listdir(folder))), ())  # noqa: PTH208
    for name in names:
        with suppress(FileNotFoundError):
            found = [_age_and_size((day / name).lstat()), *(_age_and_size(p.lstat()) for p in (day / name).iterdir())]
            since = max(age for age, _ in found)
            if since >= before:
                continue
            if not dry_run:
                # By another name first: its writer, should it live, then cannot seal what is half removed.
                swept = day / f"{name.rpartition('.')[0]}.swept"
                (day / name).rename(swept)
                shutil.rmtree(swept)
            yield Leftover("/".join([*segments, name]), LeftoverKind.UNFINISHED, since, sum(n for _, n in found[1:]))


def _partition(root: Path, segments: list[str], before: datetime, *, dry_run: bool) -> Iterator[Leftover]:
    try:
        with trail(root, segments) as folders:
            day, run = folders[-2:]
            old = [found for found in _regular_files(run) if found[1] < before]
            # Read after the listing: a writer may have sealed since.
            named = _named(run)
            for name, since, size in old:
                if PARTIAL_NAME.fullmatch(name):
                    kind = LeftoverKind.UNFINISHED
                elif PAYLOAD_NAME.fullmatch(name) and named is not None and name != named:
                    kind = LeftoverKind.ORPHAN
                else:
                    continue
                if not dry_run:
                    with suppress(FileNotFoundError):
                        os.unlink(name, dir_fd=run)
                yield Leftover("/".join([*segments, name]), kind, since, size)
            if old and not dry_run:
                with suppress(OSError):
                    os.rmdir(segments[-1], dir_fd=day)  # as a writer that gives up does
    except (FileNotFoundError, NotADirectoryError):
        return


def _regular_files(folder: int) -> list[tuple[str, datetime, int]]:
    found = []
    for name in sorted(os.listdir(folder)):
        with suppress(FileNotFoundError):
            status = os.stat(name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISREG(status.st_mode):
                found.append((name, *_age_and_size(status)))
    return found


def _named(folder: int) -> str | None:
    """The payload that the seal names, empty without a seal; None if nothing may be removed."""
    try:
        descriptor = os.open(METADATA_NAME, READ, dir_fd=folder)
    except FileNotFoundError:
        return ""
    except OSError:
        return None
    with open(descriptor, "rb") as seal:  # noqa: PTH123 -- it is a descriptor, not a path
        try:
            return decode_metadata(seal.read()).payload_name
        except (DamagedPartitionError, UnsupportedContractError, OSError):
            return None


def _age_and_size(status: os.stat_result) -> tuple[datetime, int]:
    return datetime.fromtimestamp(max(status.st_mtime, status.st_ctime), UTC), status.st_size
