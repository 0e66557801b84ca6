"""Weeks of an agency under outages, quota days, denied accounts, restatements and operators, each from a seed."""

from __future__ import annotations

from pathlib import Path

import pytest

from gads_testing.simulated_agency import Size, live

SMALL = Size(accounts=4, reports=5, days=12, cycles_a_day=2)


@pytest.mark.parametrize("seed", [1, 2])
def test_every_day_ends_well_or_held_for_a_recorded_reason(seed: int, in_memory: Path) -> None:
    life = live(seed, SMALL, in_memory)
    assert life.partitions > 500
    assert {"new", "recent_retry", "restatement", "backfill"} <= set(life.by_reason)


def test_a_seed_always_tells_the_same_story(tmp_path: Path, in_memory: Path) -> None:
    tiny = Size(accounts=2, reports=4, days=6, cycles_a_day=2)
    first, again, other = live(5, tiny, in_memory), live(5, tiny, in_memory / "again"), live(6, tiny, in_memory)
    assert first.digest == again.digest != other.digest


@pytest.mark.campaign
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(100))
def test_a_hundred_agencies(seed: int, in_memory: Path) -> None:
    life = live(seed, Size(), in_memory)
    print(
        f"\nseed {seed}: {life.partitions:,} partitions, {life.operations:,} operations, {life.attempts:,} attempts, "
        f"{life.held} held, {life.terminal} terminal"
    )
    assert life.partitions > 15_000
