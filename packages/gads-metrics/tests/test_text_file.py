"""The file for node_exporter's textfile collector."""

import logging
import os
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gads_domain.errors import LedgerError, UsageError
from gads_metrics.text_file import written_metrics
from gads_orchestrator.events import NullObserver, RunPlanned
from gads_status.status import Status

PLANNED = RunPlanned(datetime(2024, 6, 2, tzinfo=UTC), "", 1, 1, {}, 0)


def unreadable() -> Status:
    raise LedgerError("the disk is gone")


@pytest.mark.parametrize("failure", [None, KeyboardInterrupt(), LedgerError("lost")])
def test_a_file_is_replaced_whole_however_the_work_ends(tmp_path: Path, failure: BaseException | None) -> None:
    file = tmp_path / "gads_etl.prom"
    file.write_text("former")
    before = os.umask(0o077)
    try:
        with (
            pytest.raises(type(failure)) if failure else nullcontext(),
            written_metrics(file, unreadable, "0.1.0", NullObserver()) as observer,
        ):
            observer.on_events(PLANNED)
            assert (file.read_text(), list(tmp_path.iterdir())) == ("former", [file])
            if failure is not None:
                raise failure
    finally:
        os.umask(before)
    lines = file.read_text().splitlines()
    assert {"gads_etl_runs_total 1.0", "gads_etl_ledger_up 0.0"} <= set(lines)
    assert (file.stat().st_mode & 0o777, list(tmp_path.iterdir())) == (0o644, [file])


def test_a_place_that_takes_no_file_is_refused_before_the_work(tmp_path: Path) -> None:
    for file in (tmp_path / "nowhere" / "gads_etl.prom", tmp_path):
        with (
            pytest.raises(UsageError, match=r"cannot be written"),
            written_metrics(file, unreadable, "", NullObserver()),
        ):
            raise AssertionError("the work began")


def test_a_place_that_is_gone_in_the_end_is_logged_and_ends_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with caplog.at_level(logging.WARNING), written_metrics(folder / "a.prom", unreadable, "", NullObserver()):
        folder.rmdir()
    assert [record.getMessage() for record in caplog.records] == [
        f"the metrics were not written to {folder / 'a.prom'}: No such file or directory"
    ]
