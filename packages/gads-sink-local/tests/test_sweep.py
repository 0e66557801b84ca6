"""What dead writers left is found by age and taken away; nothing else ever is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gads_conformance.sink.samples import sample_facts, sample_key, sample_payload, sample_run, seal, stored_payload
from gads_domain.errors import StorageError
from gads_domain.layout import partition_prefix
from gads_domain.ports.sink import LEAST_SWEEP_AGE, Leftover, LeftoverKind
from gads_sink_local.sink import LocalSink
from gads_sink_local.sweep import sweep

NONCE = "0123456789abcdef"
ORPHAN = f"payload-{NONCE}.parquet"
LATER = timedelta(hours=37)


def swept(root: Path, ahead: timedelta, *, dry_run: bool) -> list[Leftover]:
    """What a sweep would find `ahead` of now; a file's change time cannot be set, the sweep's clock can."""
    return list(sweep(root, LEAST_SWEEP_AGE, dry_run=dry_run, now=datetime.now(UTC) + ahead))


def planted(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"planted")


def files(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def test_leftovers_are_taken_by_age_and_nothing_else_is(tmp_path: Path) -> None:
    sink = LocalSink(tmp_path)
    whole, damaged, dead = (partition_prefix(sample_key(n), sample_run()) for n in range(3))
    for number in (0, 1):
        seal(sink, sample_key(number), sample_run(), [b"sealed"])
    planted(tmp_path, f"{whole}/{ORPHAN}", f"{damaged}/metadata.json", f"{damaged}/{ORPHAN}", f"{dead}/{ORPHAN}")
    planted(tmp_path, f"{dead}/.payload-{NONCE}.partial", f"{dead}/.metadata-{NONCE}.partial", f".check-{NONCE}/file")
    half, most = (f"{dead.rpartition('/')[0]}/.run-{nonce}" for nonce in (NONCE, NONCE[::-1]))
    planted(tmp_path, f"{half}.partial/{ORPHAN}", f"{half}.partial/metadata.json", f"{most}.swept/{ORPHAN}")
    planted(tmp_path, "README", f"{whole}/notes.txt", f"elsewhere/{ORPHAN}", f"{whole}/deeper/{ORPHAN}")
    before = files(tmp_path)
    expected = {
        (f".check-{NONCE}", LeftoverKind.PROBE),
        (f"{whole}/{ORPHAN}", LeftoverKind.ORPHAN),
        (f"{dead}/{ORPHAN}", LeftoverKind.ORPHAN),
        (f"{dead}/.payload-{NONCE}.partial", LeftoverKind.UNFINISHED),
        (f"{dead}/.metadata-{NONCE}.partial", LeftoverKind.UNFINISHED),
        (f"{half}.partial", LeftoverKind.UNFINISHED),
        (f"{most}.swept", LeftoverKind.UNFINISHED),
    }

    assert swept(tmp_path, timedelta(hours=35), dry_run=False) == []
    assert {(left.path, left.kind) for left in swept(tmp_path, LATER, dry_run=True)} == expected
    assert files(tmp_path) == before
    assert {(left.path, left.kind) for left in swept(tmp_path, LATER, dry_run=False)} == expected
    assert files(tmp_path) == {path for path in before if not path.startswith(tuple(gone for gone, _ in expected))}
    assert not (tmp_path / dead).exists()
    assert stored_payload(sink, sample_key(0), sample_run()) == b"sealed"
    assert swept(tmp_path, LATER, dry_run=False) == []


def test_a_writer_swept_too_early_gets_an_error_and_seals_nothing(tmp_path: Path) -> None:
    sink = LocalSink(tmp_path)
    with sink.open_writer(sample_key(), sample_run()) as writer:
        writer.write(sample_payload(1, 1_000_000))
        assert [left.kind for left in swept(tmp_path, LATER, dry_run=False)] == [LeftoverKind.UNFINISHED]
        with pytest.raises(StorageError):
            writer.finalize(sample_facts())
    assert sink.runs(sample_key()) == []


def test_what_is_linked_from_elsewhere_is_not_swept(tmp_path: Path) -> None:
    root, outside = tmp_path / "root", tmp_path / "outside"
    folder = partition_prefix(sample_key(), sample_run())
    planted(outside, ORPHAN)
    (root / folder).parent.mkdir(parents=True)
    (root / folder).symlink_to(outside)
    assert swept(root, LATER, dry_run=False) == []
    assert files(outside) == {ORPHAN}
