from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gads_testing.simulated_deployment import NOON, SimulatedDeployment


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[SimulatedDeployment]:
    made = SimulatedDeployment(tmp_path, NOON)
    yield made
    made.close()
