"""The laws of `Clock` and `RunIdMaker`; whoever replaces one of them subclasses its class."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from gads_domain.clock import MAX_AHEAD, Clock, RunIdMaker
from gads_domain.errors import ClockSkewError
from gads_domain.run import RunId

MAKERS, IDS_OF_EACH = 8, 500


class ClockLaws:
    """The law of a clock; a subclass gives `clock`."""

    @pytest.fixture
    def clock(self) -> Clock:
        """The clock to be held to it."""
        raise NotImplementedError("the suite of a clock gives the fixture clock")

    def test_now_is_aware_and_in_utc(self, clock: Clock) -> None:
        """`now()` is aware and in UTC."""
        assert clock.now().utcoffset() == timedelta(0)


class RunIdMakerLaws:
    """The law of a maker of run ids; a subclass gives `new_run_ids`."""

    @pytest.fixture
    def new_run_ids(self) -> Callable[[], RunIdMaker]:
        """Makes a maker as another process would have it, sharing nothing with the one before."""
        raise NotImplementedError("the suite of a maker of run ids gives the fixture new_run_ids")

    def test_law_1_no_two_calls_return_the_same_id(self, new_run_ids: Callable[[], RunIdMaker]) -> None:
        """Neither of one maker nor of several at the same moment."""

        def made(maker: RunIdMaker) -> list[RunId]:
            return [maker.new_run_id() for _ in range(IDS_OF_EACH)]

        with ThreadPoolExecutor(MAKERS) as pool:
            found = [run_id for some in pool.map(made, [new_run_ids() for _ in range(MAKERS)]) for run_id in some]
        assert len(set(found)) == MAKERS * IDS_OF_EACH

    def test_law_2_an_id_is_later_than_the_one_it_follows(self, new_run_ids: Callable[[], RunIdMaker]) -> None:
        """Also where that was made by a machine whose clock is some minutes ahead."""
        maker = new_run_ids()
        ahead = RunId.compose(maker.new_run_id().started_at + timedelta(minutes=3), b"\xff" * 4)
        later = maker.new_run_id(after=ahead)
        assert ahead < later < maker.new_run_id(after=later)

    def test_law_2_a_run_that_is_far_ahead_is_refused(self, new_run_ids: Callable[[], RunIdMaker]) -> None:
        """With the run and what to do."""
        maker = new_run_ids()
        ahead = RunId.compose(maker.new_run_id().started_at + 2 * MAX_AHEAD, b"\xff" * 4)
        with pytest.raises(ClockSkewError, match=str(ahead)) as caught:
            maker.new_run_id(after=ahead)
        assert "clock" in caught.value.hint
