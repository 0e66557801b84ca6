"""A file that version 0.1.0 wrote, under contract 1.0, is read as it is and loaded further.

It has two steps: three days of run 1, then day 1 of run 2 with another column and without day 2. Made by
`gads_conformance.warehouse.samples` of 0.1.0.
"""

from __future__ import annotations

import gzip
from pathlib import Path

import duckdb
import pytest

from gads_conformance.warehouse.samples import key_of, position_of, run_of, step
from gads_domain.ports.warehouse import FullLoad, LoadMode
from gads_warehouse_duckdb.warehouse import DuckDbWarehouse


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "tables.duckdb"
    file.write_bytes(gzip.decompress(Path(__file__).with_name("contract_1_0.duckdb.gz").read_bytes()))
    return file


def test_it_is_read_as_it_is(path: Path) -> None:
    before = path.read_bytes()
    warehouse = DuckDbWarehouse(path)
    assert warehouse.position() == position_of(5)
    assert warehouse.full_load() is None
    assert [(one.key, one.run_id) for one in warehouse.pointers("campaign")] == [
        (key_of(0), run_of(1)),
        (key_of(1), run_of(2)),
    ]
    assert [(one.key, one.record_count) for one in warehouse.contents("campaign")] == [(key_of(0), 3), (key_of(1), 5)]
    assert warehouse.mismatched() == []
    assert dict(warehouse.invalid_identity()) == {}
    assert warehouse.query("SELECT count(*), sum(metrics_clicks) FROM campaign").rows == ((8, 143),)
    assert path.read_bytes() == before


def test_a_full_load_of_it_is_interrupted_and_ended(path: Path) -> None:
    warehouse = DuckDbWarehouse(path)
    halfway = FullLoad(position_of(7), 1, 1)
    warehouse.apply(step(position_of(5), halfway, [], [key_of(0)], mode=LoadMode.RECONCILE))
    assert (warehouse.full_load(), warehouse.position()) == (halfway, None)
    warehouse.apply(step(halfway, position_of(7), [], [key_of(1)], mode=LoadMode.RECONCILE))
    assert (warehouse.full_load(), warehouse.position()) == (None, position_of(7))
    assert warehouse.is_current()
    with duckdb.connect(str(path), read_only=True) as connection:
        assert connection.sql("SELECT contract_version FROM gads.state").fetchall() == [("1.3",)]
        assert connection.sql("SELECT contract_version FROM gads.loads ORDER BY load_id").fetchall() == [
            ("1.0",),
            ("1.0",),
            ("1.3",),
            ("1.3",),
        ]
