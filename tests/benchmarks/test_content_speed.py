"""The sum over a payload's rows, whatever their order."""

from __future__ import annotations

import random
import time

import pyarrow as pa
import pytest

from gads_payload.content import content_sha256

ROWS = 1_000_000


@pytest.mark.benchmark
def test_rows_are_summed_at_half_a_million_a_second() -> None:
    """Thirteen columns in random order, of which three together tell the rows apart."""
    numbers = list(range(ROWS))
    random.Random(1).shuffle(numbers)
    table = pa.table(
        {
            "segments_date": pa.array([19_800] * ROWS, pa.int32()).cast(pa.date32()),
            "customer_id": pa.array([1_234_567_890] * ROWS, pa.int64()),
            "campaign_id": pa.array([n // 1000 for n in numbers], pa.int64()),
            "campaign_name": pa.array([f"campaign {n // 1000}" for n in numbers]),
            "campaign_status": pa.array(["ENABLED"] * ROWS),
            "ad_group_id": pa.array([n // 20 for n in numbers], pa.int64()),
            "ad_group_name": pa.array([f"ad group {n // 20}" for n in numbers]),
            "keyword": pa.array([f"keyword {n % 5000}" for n in numbers]),
            "segments_device": pa.array([("MOBILE", "DESKTOP")[n % 2] for n in numbers]),
            "metrics_clicks": pa.array([n % 97 for n in numbers], pa.int64()),
            "metrics_impressions": pa.array([n % 9_973 for n in numbers], pa.int64()),
            "metrics_cost_micros": pa.array([n * 7_907 % 99_999_989 for n in numbers], pa.int64()),
            "metrics_conversions": pa.array([n / 7 for n in numbers]),
        }
    )
    content_sha256(table.slice(0, 10))
    rate = ROWS / min(seconds(table) for _ in range(3))
    print(f"\ncontent_sha256: {rate:,.0f} rows/s, 13 columns")
    assert rate > 500_000


def seconds(table: pa.Table) -> float:
    """Of the processor, so that what else runs does not count."""
    start = time.process_time()
    content_sha256(table)
    return time.process_time() - start
