"""The application as a library: the README's example, workers that get the configuration by value, light imports."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from gads_domain.errors import ConfigurationError, StorageFullError
from gads_domain.ports.sink import RawReader
from gads_domain.state import PartitionStatus
from gads_orchestrator.events import Event, RunEnded, SliceStarted
from gads_orchestrator.operator_actions import Operation
from gads_pipeline import Pipeline
from gads_pipeline import validation as validation_module
from gads_pipeline.composition import open_activity_reader, open_sink_reader
from gads_pipeline.configuration import Configuration
from gads_pipeline.events import Notice, WarehouseLoaded
from gads_pipeline.operator_acts import PartitionSelection
from gads_pipeline.stop import Stop
from gads_pipeline.work_request import RunOptions

README = Path(__file__).parents[1] / "README.md"
TEXT = """
[google_ads.emulator]
accounts = 1
campaigns = 2
since = 2024-05-01
until = 2024-05-31
[storage]
sink = "file:raw"
state = "sqlite:state.db"
[run]
workers = 2
[[reports]]
name = "campaign"
"""
DAYS = RunOptions(date(2024, 5, 1), date(2024, 5, 6))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "gads.toml"
    path.write_text(TEXT)
    return path


class OnFirst:
    """Calls `action` at the first event of a type."""

    def __init__(self, kind: type[Event], action: Callable[[], object]) -> None:
        self.events: list[Event] = []
        self._kind, self._action = kind, action

    def on_events(self, *events: Event) -> None:
        for event in events:
            if isinstance(event, self._kind) and not any(isinstance(one, self._kind) for one in self.events):
                self._action()
            self.events.append(event)


def test_the_example_of_the_readme_runs(config: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    config.write_text(TEXT.replace("workers = 2", "workers = 1"))
    done = subprocess.run(
        [sys.executable, "-c", code + "\nassert table.num_rows > 0 and not faults, faults"],
        cwd=config.parent,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "PartitionValidated" in done.stdout
    assert "done 1 operations" in done.stdout
    assert "google_ads/" in done.stdout


def test_the_import_is_light() -> None:
    code = "from gads_pipeline import Pipeline; import sys; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()).isdisjoint(
        {"google", "grpc", "pyarrow", "pydantic", "rich", "typer", "lark", "duckdb"}
    )


@pytest.mark.parametrize("text", ["this is not TOML [", TEXT.replace("file:raw", "file:elsewhere")])
def test_a_worker_never_reads_the_configuration_file(text: str, config: Path) -> None:
    # Workers are started for the first slice; by then the file says something else.
    observer = OnFirst(SliceStarted, lambda: config.write_text(text))
    outcome = Pipeline.open(config).backfill(DAYS, observer=observer)
    assert config.read_text() == text
    assert (outcome.is_whole, outcome.operations) == (True, 1)
    assert {found.state.status for found in outcome.partitions()} == {PartitionStatus.SUCCESS}
    assert len(list((config.parent / "raw").rglob("metadata.json"))) == 6
    assert not (config.parent / "elsewhere").exists()


def test_a_daemon_outlives_a_configuration_file_that_is_broken_while_it_serves(config: Path) -> None:
    config.write_text(TEXT.replace("workers = 2", "workers = 1\nlook_seconds = 0.1\nbackfill_since = 2024-05-30"))
    stop = Stop()

    def break_file() -> None:
        config.write_text("this is not TOML [")
        # Some looks later it still serves.
        threading.Timer(2.0, stop.request).start()

    observer = OnFirst(SliceStarted, break_file)
    Pipeline.open(config).serve(observer=observer, stop=stop)
    assert sum(isinstance(event, SliceStarted) for event in observer.events) >= 1
    assert any(
        isinstance(event, Notice) and "accounts served: 1, reports: 1" in event.message for event in observer.events
    )
    with pytest.raises(ConfigurationError, match="not TOML"):
        Pipeline.open(config)


def test_a_daemon_with_nothing_due_loads_what_an_earlier_one_did_not(config: Path) -> None:
    config.write_text(f"{TEXT}[warehouse]\nload_after_run = true\n")
    first = OnFirst(WarehouseLoaded, lambda: None)
    assert Pipeline.open(config).serve_once(observer=first).executions
    (run,) = [event.run_id for event in first.events if isinstance(event, RunEnded)]
    assert [event.run_id for event in first.events if isinstance(event, WarehouseLoaded)] == [run]
    for file in config.parent.glob("*.duckdb*"):
        file.unlink()
    stop = Stop()
    observer = OnFirst(WarehouseLoaded, stop.request)
    overdue = threading.Timer(30, stop.request)
    overdue.start()
    Pipeline.open(config).serve(observer=observer, stop=stop)
    overdue.cancel()
    loaded = [event.added for event in observer.events if isinstance(event, WarehouseLoaded)]
    assert loaded
    assert loaded[0] > 0
    assert not any(isinstance(event, SliceStarted) for event in observer.events)


def test_an_error_in_a_late_batch_keeps_the_results_before_it(config: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = Pipeline.open(config)
    assert pipeline.run(DAYS).is_whole
    activity = open_activity_reader(pipeline.configuration)
    assert activity is not None
    with activity:
        (beat,), (one,) = activity.heartbeats(), activity.rounds(9)
    assert (one.command, one.ended, one.planned, one.succeeded, one.operations) == ("gads_pipeline", "done", 6, 6, 1)
    assert (one.process, beat.ended_at is not None, one.rows > 0) == (beat.process, True, True)
    monkeypatch.setattr(validation_module, "_KEYS_A_BATCH", 2)
    opened = open_sink_reader

    class FullLater:
        """A sink's reader that fails from the fourth seal on."""

        def __init__(self, inner: RawReader) -> None:
            self._inner, self._left = inner, 3

        def __getattr__(self, name: str) -> object:
            return getattr(self._inner, name)

        def runs(self, *words: object) -> object:
            self._left -= 1
            if self._left < 0:
                raise StorageFullError("the storage is gone")
            return self._inner.runs(*words)  # type: ignore[arg-type]  # handed on

    monkeypatch.setattr(validation_module, "open_sink_reader", lambda configuration: FullLater(opened(configuration)))
    validations = pipeline.validate(recheck=True)
    assert len([next(validations), next(validations)]) == 2
    with pytest.raises(StorageFullError):
        next(validations)


def test_an_act_needs_a_reason_and_says_what_came_of_each_partition(config: Path) -> None:
    pipeline = Pipeline.open(config)
    outcome = pipeline.run(RunOptions(date(2024, 5, 1), date(2024, 5, 2)))
    (customer_id,) = {found.state.key.customer_id for found in outcome.partitions()}
    selection = PartitionSelection(customers=(customer_id,), since=date(2024, 5, 1), until=date(2024, 5, 3))
    keys = pipeline.select(Operation.HOLD, selection)
    assert len(keys) == 3, "a day that was never attempted is held too"
    assert pipeline.act(Operation.HOLD, keys, "odd", dry_run=True).done == 0
    held = pipeline.act(Operation.HOLD, keys, "odd", selection=selection)
    assert held.done == 3
    again = pipeline.act(Operation.HOLD, keys, "odd")
    assert [one["why_not"] for one in again.to_document()["partitions"]] == ["it is held already"] * 3
    history = pipeline.history(keys[0]).to_document()
    assert (history["marks"], history["acts"][0]["reason"]) == (["held"], "odd")
    (gap,) = pipeline.gaps(date(2024, 5, 1), date(2024, 5, 3), customers=(customer_id,)).gaps
    assert (gap.days, gap.first.reason) == (1, "held")


def test_a_code_of_a_distribution_that_was_never_imported_is_known_to_the_configuration(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rule = "[retry.errors.tape_jammed]\nretry = true\nmax_attempts = 3\n"
    config.write_text(TEXT.replace("[[reports]]", rule + "[[reports]]"))
    with pytest.raises(ConfigurationError, match="no failure has the code 'tape_jammed'"):
        Configuration.load(config)
    installed = config.parent / "site" / "gads_sink_tape-1.0.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: gads-sink-tape\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text(
        "[gads.failure_codes]\ntape_jammed = gads_sink_tape.errors:TapeJammed\n"
    )
    monkeypatch.syspath_prepend(str(installed.parent))
    rules = Configuration.load(config).retry.policy.rules
    assert rules["tape_jammed"].max_attempts == 3
    assert "gads_sink_tape" not in sys.modules
