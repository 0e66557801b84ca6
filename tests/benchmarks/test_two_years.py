"""Two years of an agency in simulated time: what files and ledger take at the end, beside what counts alone."""

from __future__ import annotations

import random
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest

from gads_domain.partition_key import PartitionKey
from gads_domain.run import RunId
from gads_domain.state import Confirmation, OperatorAct, StateFilter
from gads_pipeline.configuration import Configuration
from gads_pipeline.retention import prune
from gads_testing.local_deployment import FIRST_DAY, LocalDeployment, key_of
from gads_testing.measures import ledger_bytes

DAYS = 730
RESTATED = 30
REPORTS = ("campaign", "ad_group", "keyword", "search_term", "geo")
CONFIGURATION = f"""
[google_ads]
configuration = "google-ads.yaml"
[storage]
sink = "file:raw"
state = "sqlite:state/ledger.db"
[retention]
superseded_days = {RESTATED}
[[reports]]
name = "campaign"
"""
PRUNED_EVERY = 7
ACCOUNTS = 2
"""Of fifty: nothing of what is kept is shared between accounts."""


def changes(age: int, chance: random.Random) -> bool:
    """Whether a day of that age has other figures than the day before: often at first, and rarely after a week."""
    return chance.random() < (0.6 if age <= 3 else 0.2 if age <= 7 else 0.04)


class Day:
    """The clock of the simulation."""

    def __init__(self) -> None:
        self.moment = datetime.combine(FIRST_DAY, time(4), UTC)

    def now(self) -> datetime:
        self.moment += timedelta(milliseconds=1)
        return self.moment


def size_of(folder: Path) -> tuple[int, int, int, int]:
    """Files below `raw`, their bytes, what they take in whole blocks, and the ledger's bytes without what is free."""
    files = [path.stat() for path in (folder / "raw").rglob("*") if path.is_file()]
    taken = 512 * sum(file.st_blocks for file in files)
    return len(files), sum(file.st_size for file in files), taken, ledger_bytes(folder / "state" / "ledger.db")


@pytest.mark.benchmark
@pytest.mark.timeout(3600)
def test_two_years(in_memory: Path) -> None:
    chance, clock = random.Random(16), Day()
    (in_memory / "whole").mkdir()
    (in_memory / "alone").mkdir()
    whole, alone = LocalDeployment(in_memory / "whole", clock), LocalDeployment(in_memory / "alone", clock)
    (whole.base / "gads.toml").write_text(CONFIGURATION)
    configuration = Configuration.load(whole.base / "gads.toml")
    runs = confirmed = pruned = 0
    for today in range(1, DAYS + 1):
        clock.moment = datetime.combine(FIRST_DAY, time(4), UTC) + timedelta(days=today)
        run_id = RunId.compose(clock.moment, b"\0\0\0\0")
        known = whole.ledger.known_contents(StateFilter(since=FIRST_DAY + timedelta(days=today - RESTATED - 1)))
        sealed: list[PartitionKey] = []
        found: list[Confirmation] = []
        for age in range(1, min(RESTATED, today) + 1):
            for customer in range(1, ACCOUNTS + 1):
                for report in REPORTS:
                    key = key_of(customer, today - age, report)
                    before = known.get(key)
                    if before is None or changes(age, chance):
                        whole.seal(key, run_id, 6)
                        sealed.append(key)
                    else:
                        found.append(Confirmation(key, before.run_id, run_id, before.content_sha256, clock.now()))
        assert all(one.after.current_run_id == run_id for one in whole.validate(*sealed))
        assert all(whole.validator.confirm(found))
        runs, confirmed = runs + len(sealed), confirmed + len(found)
        if today % PRUNED_EVERY == 0:
            gone = prune(configuration, OperatorAct(clock.now(), "gads-etl serve", "serve", ""))
            pruned += gone.runs.total()
    for state in whole.ledger.find(StateFilter()):
        assert state.current_run_id is not None
        alone.seal(state.key, state.current_run_id, 6)
    alone.validate(*(state.key for state in whole.ledger.find(StateFilter())))
    whole.close()
    alone.close()
    days = DAYS * len(REPORTS) * ACCOUNTS
    print(f"\n{days:,} partitions, {runs:,} sealed runs, {confirmed:,} confirmations, {pruned:,} pruned runs")
    print(f"{'':<24}{'files':>10}{'raw bytes':>14}{'on disk':>14}{'ledger':>14}")
    by_bytes, on_disk = [], []
    for name, folder in (("after two years", "whole"), ("what counts alone", "alone")):
        files, raw, taken, ledger = size_of(in_memory / folder)
        by_bytes.append(raw + ledger)
        on_disk.append(taken + ledger)
        print(f"{name:<24}{files:>10,}{raw:>14,}{taken:>14,}{ledger:>14,}")
    print(f"with the ledger: {on_disk[0] / on_disk[1]:.2f} x on disk, {by_bytes[0] / by_bytes[1]:.2f} x in bytes")
    assert on_disk[0] <= 1.5 * on_disk[1]
