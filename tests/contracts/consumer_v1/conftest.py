"""One pipeline and a consumer of it, for every promise."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))
sys.path.append(str(Path(__file__).parents[2] / "consumer" / "pipeline"))

from consumer_pipeline import Pipeline

from gads_consumer.consumer import Consumer


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    made = Pipeline(tmp_path)
    yield made
    made.close()


@pytest.fixture
def consumer(pipeline: Pipeline) -> Iterator[Consumer]:
    with pipeline.consumer(clock=pipeline.clock) as opened:
        yield opened
