from __future__ import annotations

from collections.abc import Callable

import pytest

from gads_conformance import ClockLaws, RunIdMakerLaws
from gads_domain.clock import Clock, RandomRunIds, RunIdMaker, SystemClock


class TestSystemClock(ClockLaws):
    @pytest.fixture
    def clock(self) -> Clock:
        return SystemClock()


class TestRandomRunIds(RunIdMakerLaws):
    @pytest.fixture
    def new_run_ids(self) -> Callable[[], RunIdMaker]:
        return lambda: RandomRunIds(SystemClock())
