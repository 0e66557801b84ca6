"""A year of a budget and of rests, of several connections whose clocks step, held against lists of what was granted."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from gads_domain.quota import BUCKET, WINDOW, CallScope, RestAsked, RestReach, Spending
from gads_state_sqlite.adapter import ADAPTER
from gads_state_sqlite.control_ledger import SqliteControlPlaneLedger

URL = "sqlite:ledger.db"
START = datetime(2024, 1, 1, tzinfo=UTC)
LIMIT = 40
STEPS = (0.0, 0.0, 0.0, 0.0, 3600.0, -3600.0, 6 * 3600.0, -30 * 3600.0)
"""By how many seconds a clock is off after it was set; mostly it is right."""


@pytest.mark.parametrize("seed", [1, 2])
def test_a_year_never_has_more_than_the_limit_in_24_hours_nor_a_call_that_rests(seed: int, in_memory: Path) -> None:
    chance, processes, off = Random(seed), [_opened(in_memory) for _ in range(3)], [0.0, 0.0, 0.0]
    granted: list[tuple[datetime, int]] = []
    rests: list[tuple[CallScope, datetime]] = []
    seen, true, refused = START, START, 0
    while true < START + timedelta(days=365):
        true += timedelta(hours=chance.expovariate(1 / 3))
        number = chance.randrange(3)
        if chance.random() < 0.1:
            off[number] = chance.choice(STEPS)
        if chance.random() < 0.1:
            processes[number].close()
            processes[number] = _opened(in_memory)
        now, count = true + timedelta(seconds=off[number]), chance.randint(1, 12)
        call = CallScope("b", chance.choice("12"), chance.choice("xy"))
        answer = processes[number].spend(call, count, LIMIT, None, now)
        resting = any(scope.covers(call) and now < until for scope, until in rests)
        assert (answer is Spending.RESTING) == resting, "a rest was passed, forgotten, or lasts too long"
        refused += answer is Spending.EXHAUSTED
        if answer is not Spending.GRANTED:
            continue
        seen = max(seen, now)
        granted.append((seen, count))
        for clock in (now, seen):
            assert sum(n for at, n in granted[-200:] if at > clock - WINDOW) <= LIMIT
        if chance.random() < 0.05:
            asked = RestAsked(chance.choice(list(RestReach)), timedelta(hours=chance.expovariate(1 / 5)), "rest")
            found = processes[number].rest(call, asked, now)
            assert found.not_before >= seen + asked.length
            rests.append((found.scope, found.not_before))
    assert len(granted) > 500
    assert refused > 100
    free = processes[0].spent("b", seen).free_from(LIMIT)
    assert free is not None
    assert processes[0].spent("b", seen + WINDOW + BUCKET).count == 0, "what was spent is free again in the end"
    for process in processes:
        process.close()


def _opened(folder: Path) -> SqliteControlPlaneLedger:
    return ADAPTER.open_for_control_plane(URL, folder)
