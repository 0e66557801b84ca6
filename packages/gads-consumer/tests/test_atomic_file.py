"""A file's name never shows half of it, whatever fails."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import pytest

from gads_consumer.atomic_file import write_atomically
from gads_domain.errors import StorageError


class _BrokenOffError(Exception):
    """What ends the writing in the middle."""


def _half(stream: BinaryIO) -> None:
    stream.write(b"half")
    raise _BrokenOffError


@pytest.mark.parametrize("before", [None, b"what was there"])
def test_what_breaks_off_leaves_what_was_there(tmp_path: Path, before: bytes | None) -> None:
    path = tmp_path / "file"
    if before is not None:
        path.write_bytes(before)
    with pytest.raises(_BrokenOffError):
        write_atomically(path, _half)
    assert [one.read_bytes() for one in tmp_path.iterdir()] == ([] if before is None else [before])


def test_the_announcement_comes_when_only_the_name_is_left_to_give(tmp_path: Path) -> None:
    path, seen = tmp_path / "file", list[tuple[str, bytes, int]]()

    def look() -> None:
        seen.extend((one.name, one.read_bytes(), one.stat().st_ino) for one in tmp_path.iterdir())

    write_atomically(path, lambda stream: stream.write(b"whole"), look)
    ((name, content, number),) = seen
    assert name != path.name
    assert content == b"whole"
    assert [(one.name, one.stat().st_ino) for one in tmp_path.iterdir()] == [("file", number)]


def test_nothing_is_announced_of_what_breaks_off(tmp_path: Path) -> None:
    announced: list[bool] = []

    def announce() -> None:
        announced.append(True)

    with pytest.raises(_BrokenOffError):
        write_atomically(tmp_path / "file", _half, announce)
    assert announced == []


@pytest.mark.parametrize("path", ["absent/file", "folder"])
def test_where_no_file_can_be_is_told(tmp_path: Path, path: str) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(StorageError) as caught:
        write_atomically(tmp_path / path, lambda stream: stream.write(b"whole"))
    assert caught.value.hint
    assert [one.name for one in tmp_path.rglob("*")] == ["folder"]
