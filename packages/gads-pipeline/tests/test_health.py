"""Whether this process lives, and what it needs answers."""

from __future__ import annotations

import os
import re
import socket
from datetime import timedelta
from pathlib import Path

import pytest

from gads_domain.activity import Heartbeat
from gads_domain.clock import SystemClock
from gads_domain.errors import LedgerError, SinkLostError
from gads_pipeline.composition import open_activity, open_ledger_for_control_plane
from gads_pipeline.configuration import Configuration
from gads_pipeline.health import require_answering_sink, require_ledger, silence
from gads_testing.local_deployment import SINK, STATE, LocalDeployment, key_of, run_of

HERE = f"{socket.gethostname()}:{os.getpid()}"
START = SystemClock().now()


def configured(folder: Path) -> Configuration:
    storage = {"sink": SINK, "state": STATE}
    return Configuration.of({"storage": storage, "reports": [{"name": "campaign"}]}, folder / "gads.toml")


@pytest.mark.parametrize(
    ("process", "started", "age", "is_silent"),
    [
        (f"{HERE}:b", timedelta(0), 95, True),
        (f"{HERE}:b", timedelta(0), 10, False),
        (f"{HERE}:b", timedelta(hours=-1), 95, False),  # one with this number that was killed before
        (f"{HERE}0:b", timedelta(0), 95, False),
    ],
    ids=["overdue", "in time", "of a process before it", "of another process"],
)
def test_a_process_is_silent_by_its_own_heartbeat(
    tmp_path: Path, process: str, started: timedelta, age: int, is_silent: bool
) -> None:
    configuration = configured(tmp_path)
    with open_ledger_for_control_plane(configuration):
        assert silence(configuration, START) == ""
    beat_at = SystemClock().now() - timedelta(seconds=age)
    ledger = open_activity(configuration)
    assert ledger is not None
    with ledger:
        beat = Heartbeat(process, "h", 1, "gads-etl serve", "1", START + started, beat_at, timedelta(seconds=30))
        ledger.record(beat)
    found = silence(configuration, START)
    pattern = r"no heartbeat since \S{19}Z, 9\d seconds ago; one is due every 30"
    assert bool(re.fullmatch(pattern, found)) if is_silent else not found


def test_ledger_and_sink_answer_or_say_why_not(tmp_path: Path) -> None:
    configuration = configured(tmp_path)
    with pytest.raises(LedgerError, match="does not exist yet"):
        require_ledger(configuration)
    require_answering_sink(configuration)
    deployment = LocalDeployment(tmp_path)
    deployment.seal(key_of(), run_of(1))
    deployment.validate(key_of())
    require_ledger(configuration)
    require_answering_sink(configuration)
    (tmp_path / "raw").rename(tmp_path / "gone")
    with pytest.raises(SinkLostError):
        require_answering_sink(configuration)
