"""An error in a late batch ends with the report on what was validated before it, and the error after it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import redirect_stderr
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from gads_conformance.ledger.samples import run_of
from gads_domain.errors import StorageFullError
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.validation import PartitionValidation
from gads_domain.state import PartitionState, PartitionStatus
from gads_etl.main import run
from gads_pipeline import Pipeline
from gads_testing.terminal import a_terminal

GOOD, BAD = (PartitionKey("google_ads", "1", "campaign", date(2024, 6, day)) for day in (1, 2))


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "gads.toml"
    path.write_text('[storage]\nsink = "file:raw"\nstate = "sqlite:s.db"\n[[reports]]\nname = "campaign"\n')

    def validate(_pipeline: Pipeline, **_wanted: Any) -> Iterator[PartitionValidation]:
        good = PartitionState(GOOD, PartitionStatus.SUCCESS, run_of(1), 1, 0, "0" * 64)
        yield PartitionValidation(good, good, ())
        failed = PartitionState(BAD, PartitionStatus.FAILED, last_error="rows_differ: day 2")
        yield PartitionValidation(PartitionState(BAD), failed, ())
        raise StorageFullError("the disk is full")

    monkeypatch.setattr(Pipeline, "validate", validate)
    return path


def _run(config: Path, *words: str) -> int:
    with pytest.raises(SystemExit) as ended:
        run(["validate", "-c", str(config), *words])
    assert isinstance(ended.value.code, int)
    return ended.value.code


def test_the_report_comes_first_and_the_error_after_it(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(config) == 75
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        f"not success: {BAD}: failed: rows_differ: day 2",
        "2 partitions checked, 0 runs validated, 0 rejected, 1 partition not success",
    ]
    assert printed.err.startswith("error: the disk is full\nhint: free space")


def test_on_a_terminal_a_bar_stands_below_and_stdout_has_data_alone(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm-256color")
    with a_terminal() as terminal, redirect_stderr(terminal.stream):
        assert _run(config) == 75
        drawn = terminal.read(until="hint: free space")
    assert "2 partitions  " in drawn
    assert "1 not success" in drawn
    assert drawn.index("\x1b[?25l") < drawn.index("\x1b[?25h") < drawn.index("error: the disk is full")
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_the_json_is_whole_and_has_the_error(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(config, "--format", "json") == 75
    printed = capsys.readouterr()
    document = json.loads(printed.out)
    assert [row["logical_date"] for row in document["partitions"]] == ["2024-06-02"]
    assert (document["looked_at"], document["not_success"], document["authority_changed"]) == (2, 1, 1)
    assert document["error"]["code"] == "storage_full"
    assert "error: the disk is full" in printed.err
