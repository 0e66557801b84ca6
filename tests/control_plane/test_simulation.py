"""Weeks of an agency under outages, quota days, denied accounts, restatements and operators, each from a seed."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from simulated_agency import Life, Size, live

SMALL = Size(accounts=4, reports=5, days=12, cycles_a_day=2)


@pytest.fixture
def in_memory() -> Iterator[Path]:
    """A folder that costs no disk, where there is one."""
    shared = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=shared if shared.is_dir() else None))
    yield folder
    shutil.rmtree(folder)


@pytest.mark.parametrize("seed", [1, 2])
def test_every_day_ends_well_or_held_for_a_recorded_reason(seed: int, in_memory: Path) -> None:
    life = live(seed, SMALL, in_memory)
    assert life.partitions > 500
    assert {"new", "recent_retry", "restatement", "backfill"} <= set(life.by_purpose)


def test_a_seed_always_tells_the_same_story(tmp_path: Path, in_memory: Path) -> None:
    tiny = Size(accounts=2, reports=4, days=6, cycles_a_day=2)
    (in_memory / "again").mkdir()
    first, again, other = live(5, tiny, in_memory), live(5, tiny, in_memory / "again"), live(6, tiny, in_memory)
    assert first.digest == again.digest != other.digest


@pytest.mark.campaign
@pytest.mark.timeout(20_000)
def test_a_hundred_agencies(in_memory: Path, request: pytest.FixtureRequest) -> None:
    lives: list[Life] = []
    began = time.monotonic()
    for seed in range(100):
        lives.append(live(seed, Size(), in_memory))
        for file in in_memory.glob("ledger-*"):
            file.unlink()
    print(
        f"\n{len(lives)} seeds, {sum(life.partitions for life in lives):,} partitions, "
        f"{sum(life.operations for life in lives):,} operations, {sum(life.attempts for life in lives):,} attempts, "
        f"{sum(life.held for life in lives)} held, {sum(life.terminal for life in lives)} terminal, "
        f"{time.monotonic() - began:,.0f} s"
    )
