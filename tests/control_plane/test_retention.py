"""Superseded runs go by retention, and nothing else: as operators and readers see it, and killed at random moments."""

from __future__ import annotations

import random
import subprocess
import sys
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gads_domain.errors import ConfigurationError, PrunedRunError
from gads_domain.state import StateFilter
from gads_orchestrator.events import Event
from gads_pipeline import Pipeline
from gads_pipeline.events import SinkPruned
from gads_pipeline.stop import Stop
from gads_testing.killed_process import seconds_of
from gads_testing.local_deployment import SINK, STATE, LocalDeployment, key_of, run_of

CONFIGURATION = f"""
[google_ads]
customer_ids = ["1"]
[storage]
sink = "{SINK}"
state = "{STATE}"
[retention]
superseded_days = 30
[[reports]]
name = "campaign"
query = "SELECT campaign.id, segments.date, metrics.clicks FROM campaign"
"""
KEY = key_of()
SOON = datetime.now(UTC).replace(microsecond=0) + timedelta(days=10)
_PROGRAM = """
import sys
from pathlib import Path
from gads_pipeline import Pipeline, retention
retention._BATCH = 5
pipeline = Pipeline.open(Path(sys.argv[1]))
pipeline.prune_sink(dry_run=True)
print("begins", flush=True)
pipeline.prune_sink()
"""


@pytest.fixture
def deployment(tmp_path: Path) -> Any:
    """A day whose third run is authoritative, and another day with one run."""
    (tmp_path / "gads.toml").write_text(CONFIGURATION)
    found = LocalDeployment(tmp_path)
    for run in (1, 2, 3):
        found.make_authoritative(KEY, run, rows=run)
    found.make_authoritative(key_of(day=1), 1)
    yield found
    found.close()


def pipeline_of(deployment: LocalDeployment) -> Pipeline:
    return Pipeline.open(deployment.base / "gads.toml", command="tests")


def test_a_dry_run_says_what_goes_and_the_ledger_what_went(deployment: LocalDeployment) -> None:
    pipeline = pipeline_of(deployment)
    expected = pipeline.prune_sink(dry_run=True)
    assert expected.to_document()["runs"] == 2
    assert len(deployment.sink.runs(KEY)) == 3
    heard: list[tuple[int, ...]] = []
    done = pipeline.prune_sink(progress=lambda *numbers: heard.append(numbers))
    assert (done.runs, done.freed) == (expected.runs, expected.freed)
    assert heard == [(2, done.freed.total())]
    assert deployment.sink.runs(KEY) == [run_of(3)]
    document = pipeline.history(KEY).to_document()
    assert [one["run_id"] for one in document["pruned"]] == [run_of(1).value, run_of(2).value]
    assert [one["authority"] for one in document["results"]] == ["pruned", "pruned", "authoritative"]
    assert pipeline.prune_sink().to_document() == {"removed": True, "runs": 0, "bytes": 0, "reports": []}


def test_a_prune_that_was_cut_off_is_ended_first(deployment: LocalDeployment, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = pipeline_of(deployment)
    with monkeypatch.context() as broken:
        broken.setattr("gads_sink_local.sink.remove_run", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            pipeline.prune_sink()
    assert len(deployment.sink.runs(KEY)) == 3
    assert len(deployment.ledger.open_prunes(10)) == 2
    deployment.validate(KEY, recheck=True)
    assert pipeline.prune_sink(dry_run=True).runs.total() == 2
    assert pipeline.prune_sink().runs.total() == 2
    assert deployment.sink.runs(KEY) == [run_of(3)]


def test_without_a_retention_nothing_goes(deployment: LocalDeployment) -> None:
    path = deployment.base / "gads.toml"
    path.write_text(CONFIGURATION.replace("superseded_days = 30", ""))
    with pytest.raises(ConfigurationError, match="sets no retention"):
        Pipeline.open(path).prune_sink()


def test_the_command_line_prunes_and_pins(deployment: LocalDeployment, gads_etl: Any) -> None:
    config = ("-c", deployment.base / "gads.toml")
    with deployment.consumer() as consumer:
        consumer.snapshot("campaign", as_of=1).save(deployment.base / "old.json")
    until = ("--until", f"{SOON:%Y-%m-%d}")
    pinned = gads_etl(
        "consume", "pin", deployment.base / "old.json", *config, *until, "--name", "audit", "--format", "json"
    )
    assert pinned.code == 0, pinned.err
    assert [(one["name"], one["runs"]) for one in pinned.json] == [("audit", 1)]
    dry = gads_etl("sink", "prune", *config, "--dry-run", "--format", "json")
    assert (dry.json["removed"], dry.json["runs"], dry.err) == (False, 1, "")
    done = gads_etl("sink", "prune", *config)
    assert done.out.startswith("1 run went, "), done.err
    assert done.err == "", "it was done within ten seconds"
    released = gads_etl("consume", "pin", *config, "--release", "audit")
    assert (released.code, released.out) == (0, "nothing is pinned\n")
    assert gads_etl("consume", "pin", deployment.base / "old.json", *config).code == 2


_PINS = """
import sys
from datetime import datetime
from pathlib import Path
from gads_consumer import Consumer
with Consumer.open(state=sys.argv[1], sink=sys.argv[2], base=Path(sys.argv[3])) as consumer:
    old = consumer.snapshot("campaign", as_of=1)
    old.pin(until=datetime.fromisoformat(sys.argv[4]))
    assert consumer.snapshot("campaign").partitions
"""


def test_a_reader_pins_while_another_process_writes(deployment: LocalDeployment) -> None:
    command = [sys.executable, "-c", _PINS, STATE, SINK, str(deployment.base), SOON.isoformat()]
    assert subprocess.run(command, check=False).returncode == 0
    assert pipeline_of(deployment).prune_sink().runs.total() == 1


def test_r57_serve_prunes_what_is_due(deployment: LocalDeployment) -> None:
    path = deployment.base / "gads.toml"
    emulator = "[google_ads.emulator]\naccounts = 1\n[storage]"
    path.write_text(CONFIGURATION.replace('customer_ids = ["1"]', "").replace("[storage]", emulator))
    seen: list[Event] = []

    class StopsWhenPruned:
        def on_events(self, *events: Event) -> None:
            seen.extend(events)
            if any(isinstance(event, SinkPruned) for event in events):
                stop.set()

    stop = Stop()
    Pipeline.open(path).serve(observer=StopsWhenPruned(), stop=stop, workers=1)
    (pruned,) = [event for event in seen if isinstance(event, SinkPruned)]
    assert pruned.runs == 2
    assert deployment.sink.runs(KEY) == [run_of(3)]


def _fill(deployment: LocalDeployment, days: int, run: int) -> None:
    for day in range(days):
        for number in (run, run + 1, run + 2):
            deployment.seal(key_of(day=day), number, 2)
    deployment.validate(*(key_of(day=day) for day in range(days)))


def _require_the_truth(deployment: LocalDeployment, days: int) -> None:
    """Each run is whole, or on record as pruned; what is authoritative is read, all of it."""
    with deployment.consumer() as consumer:
        snapshot = consumer.snapshot("campaign")
        assert len(snapshot.partitions) == days
        assert snapshot.scan().to_table().num_rows == 2 * days
        past = consumer.snapshot("campaign", as_of=days)
        with suppress(PrunedRunError):
            assert past.scan().to_table().num_rows == 2 * len(past.partitions)
    for day in range(days):
        key = key_of(day=day)
        pruned = deployment.ledger.history(key).pruned_runs
        for run_id in deployment.sink.runs(key):
            if run_id not in pruned:
                assert deployment.payload(key, run_id).is_file()
    results = [len(history.results) for history in deployment.ledger.histories([key_of(day=d) for d in range(days)])]
    deployment.validate(*(key_of(day=day) for day in range(days)), recheck=True)
    after = deployment.ledger.histories([key_of(day=day) for day in range(days)])
    assert [len(history.results) for history in after] == results, "a pruned run was recorded as damaged"


def _kill(tmp_path: Path, days: int, kills: int, chance: random.Random) -> None:
    path = tmp_path / "gads.toml"
    path.write_text(CONFIGURATION)
    deployment = LocalDeployment(tmp_path)
    _fill(deployment, days, 1)
    whole = seconds_of(_PROGRAM, path, None)
    for number in range(kills):
        _fill(deployment, days, 10 + 3 * number)
        seconds_of(_PROGRAM, path, whole * (number + chance.random()) / kills)
        _require_the_truth(deployment, days)
        Pipeline.open(path).prune_sink()
        assert deployment.ledger.open_prunes(10) == []
        assert list(deployment.ledger.superseded(StateFilter())) == []
        assert [len(deployment.sink.runs(key_of(day=day))) for day in range(days)] == [1] * days
        _require_the_truth(deployment, days)
    deployment.close()


def test_r56_a_prune_that_is_killed_loses_nothing_authoritative(tmp_path: Path) -> None:
    _kill(tmp_path, 12, 3, random.Random(16))


@pytest.mark.campaign
@pytest.mark.timeout(3600)
def test_a_hundred_prunes_that_are_killed_lose_nothing_authoritative(tmp_path: Path) -> None:
    _kill(tmp_path, 40, 100, random.Random())
