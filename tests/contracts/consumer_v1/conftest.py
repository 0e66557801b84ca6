"""A deployment and a consumer of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gads_consumer.consumer import Consumer
from gads_testing.local_deployment import LocalDeployment


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[LocalDeployment]:
    made = LocalDeployment(tmp_path)
    yield made
    made.close()


@pytest.fixture
def consumer(deployment: LocalDeployment) -> Iterator[Consumer]:
    with deployment.consumer(clock=deployment.clock) as opened:
        yield opened
