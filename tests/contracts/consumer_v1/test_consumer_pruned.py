"""What readers of superseded runs are told once these were pruned, and how they keep them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gads_consumer import load_snapshot
from gads_consumer.errors import PartitionGoneError
from gads_domain.errors import InvalidValueError, PrunedRunError, UsageError
from gads_testing.local_deployment import SINK, LocalDeployment, key_of, run_of

KEY = key_of()
UNTIL = datetime.now(UTC) + timedelta(days=10)


def superseded(base: Path) -> LocalDeployment:
    """A day whose third run is authoritative, and another day with one run."""
    found = LocalDeployment(base)
    for run in (1, 2, 3):
        found.make_authoritative(KEY, run, rows=run)
    found.make_authoritative(key_of(day=1), 1)
    return found


def test_c43_a_pruned_run_is_an_error_that_says_when_it_went(tmp_path: Path) -> None:
    deployment = superseded(tmp_path)
    with deployment.consumer() as consumer:
        rows, feed = consumer.snapshot("campaign").scan().to_table(), list(consumer.changes())
        consumer.snapshot("campaign", as_of=1).save(tmp_path / "old.json")
        assert deployment.prune(KEY) == [run_of(1), run_of(2)]
        assert consumer.snapshot("campaign").scan().to_table() == rows
        assert list(consumer.changes()) == feed
        for old in (consumer.load(tmp_path / "old.json"), consumer.snapshot("campaign", as_of=1)):
            for read in (lambda old=old: old.scan().to_table(), old.files, lambda old=old: old.pin(until=UNTIL)):
                with pytest.raises(PrunedRunError, match="was pruned on") as error:
                    read()
                assert error.value.pruned_at == deployment.ledger.history(KEY).pruned[0].act.at
    with pytest.raises(PartitionGoneError):
        load_snapshot(tmp_path / "old.json", sink=SINK, base=tmp_path).scan().to_table()
    deployment.close()


def test_c44_a_pin_keeps_the_runs_of_a_snapshot(tmp_path: Path) -> None:
    deployment = superseded(tmp_path)
    with deployment.consumer() as consumer:
        old = consumer.snapshot("campaign", as_of=1)
        old.save(tmp_path / "old.json")
        pin = old.pin(until=UNTIL)
        assert consumer.load(tmp_path / "old.json").pin(until=UNTIL) == pin
        assert deployment.prune(KEY) == [run_of(2)]
        assert old.scan().to_table().num_rows == 1
        with pytest.raises(InvalidValueError):
            old.pin(until=UNTIL + timedelta(days=400))
    with pytest.raises(UsageError):
        load_snapshot(tmp_path / "old.json", sink=SINK, base=tmp_path).pin(until=UNTIL)
    deployment.close()
