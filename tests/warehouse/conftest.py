"""One pipeline with a warehouse, for every promise."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent / "story"))
sys.path.append(str(Path(__file__).parents[1] / "consumer" / "pipeline"))

from consumer_pipeline import COLUMNS, key_of
from warehouse_house import ACCOUNT, AVERAGE_CPC, CONVERSIONS, COST_MICROS, House, doubles


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    found = House(tmp_path)
    yield found
    found.pipeline.close()


@pytest.fixture
def loaded(house: House) -> House:
    """Five days of one account and three of another, loaded."""
    house.pipeline.trust_days(range(5))
    house.pipeline.trust_days(range(3), customer=2)
    house.load()
    return house


@pytest.fixture
def agency(house: House, monkeypatch: pytest.MonkeyPatch) -> House:
    """Two accounts with money, conversions and names that change, and the reports that dbt wants."""
    doubles(monkeypatch)
    money = (*COLUMNS, COST_MICROS, AVERAGE_CPC, CONVERSIONS)
    house.pipeline.trust(key_of(1, 0), 1, rows=4, columns=money)
    house.pipeline.trust(key_of(1, 1), 1, rows=4, columns=money)
    house.pipeline.trust(key_of(2, 0), 1, rows=2, columns=money)
    house.pipeline.trust(key_of(1, 0, "customer"), 1, rows=1, columns=ACCOUNT)
    house.pipeline.trust(key_of(1, 2, "customer"), 5, rows=1, columns=ACCOUNT)
    house.load()
    return house
