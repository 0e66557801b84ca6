from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from gads_domain.adapters import ledger_adapter, sink_adapter
from gads_domain.errors import ConfigurationError
from gads_domain.local_path import path_of


@pytest.fixture
def stranger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """A package of somebody else's, installed beside ours."""
    (tmp_path / "stranger_adapter.py").write_text("SINK = object()\nLEDGER = object()\n")
    info = tmp_path / "stranger-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: stranger\nVersion: 1\n")
    (info / "entry_points.txt").write_text(
        "[gads.sinks]\nstranger+x = stranger_adapter:SINK\n[gads.ledgers]\nstranger = stranger_adapter:LEDGER\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("stranger_adapter")
    del sys.modules["stranger_adapter"]


def test_installing_a_package_adds_a_scheme(stranger: ModuleType) -> None:
    assert sink_adapter("stranger+x:anything") is stranger.SINK
    assert ledger_adapter("stranger:anything") is stranger.LEDGER


def test_a_scheme_that_nothing_opens_is_named_with_those_that_are_known(stranger: ModuleType) -> None:
    with pytest.raises(ConfigurationError, match="nowhere:") as caught:
        sink_adapter("nowhere:x")
    assert "stranger+x:" in caught.value.hint
    with pytest.raises(ConfigurationError):
        ledger_adapter("stranger+x:a sink is no ledger")


@pytest.mark.parametrize("url", ["", "raw", "/raw", ":raw", "FILE:raw", "1file:raw"])
def test_what_is_no_url_is_refused_with_a_hint(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        sink_adapter(url)
    assert caught.value.hint


@pytest.mark.parametrize("url", ["S3://user:hunter2@host/bucket", "://hunter2", "hunter2", "s3;hunter2:x"])
def test_what_is_no_url_may_hold_a_secret_and_is_not_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        sink_adapter(url)
    assert "hunter2" not in f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("file:raw", "/base/raw"),
        ("file:a/b c", "/base/a/b c"),
        ("file:/raw", "/raw"),
        ("file:///raw", "/raw"),
        ("sqlite:../state.db", "/base/../state.db"),
    ],
)
def test_a_local_path_is_taken_from_the_base(url: str, expected: str) -> None:
    assert path_of(url, Path("/base")) == Path(expected)


def test_a_tilde_is_the_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/users/me")
    assert path_of("file:~/raw", Path("/base")) == Path("/users/me/raw")


@pytest.mark.parametrize(
    "url", ["file:", "file://host/raw", "file://raw", "file:a\0b", "file:~nobody-of-that-name/raw"]
)
def test_what_names_no_local_path_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError):
        path_of(url, Path("/base"))
