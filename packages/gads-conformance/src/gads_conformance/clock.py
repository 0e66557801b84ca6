"""The laws of `Clock` and `RunIdMaker`."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from gads_conformance.law import law, required
from gads_domain.clock import MAX_AHEAD, Clock, RunIdMaker
from gads_domain.errors import ClockSkewError
from gads_domain.run import RunId


class ClockLaws:
    """The law of `Clock`. A subclass gives `clock`."""

    clock = required("The clock under test.")

    def test_now_is_aware_and_in_utc(self, clock: Clock) -> None:
        assert clock.now().utcoffset() == timedelta(0)


class RunIdMakerLaws:
    """Every law of `RunIdMaker`. A subclass gives `new_run_ids`."""

    new_run_ids = required("Returns a maker as another process has it, which shares nothing with the one before.")

    @law("RunIdMaker", 1)
    def test_no_two_calls_return_the_same_id(self, new_run_ids: Callable[[], RunIdMaker]) -> None:
        makers = [new_run_ids() for _ in range(8)]
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(lambda maker: [maker.new_run_id() for _ in range(500)], makers))
        assert len({run_id for some in made for run_id in some}) == 8 * 500

    @law("RunIdMaker", 2)
    def test_an_id_is_later_than_the_one_it_follows(self, new_run_ids: Callable[[], RunIdMaker]) -> None:
        maker = new_run_ids()
        ahead = RunId.compose(maker.new_run_id().started_at + timedelta(minutes=3), b"\xff" * 4)
        later = maker.new_run_id(after=ahead)
        assert ahead < later < maker.new_run_id(after=later)

    @law("RunIdMaker", 2)
    def test_a_run_that_is_far_ahead_is_refused(self, new_run_ids: Callable[[], RunIdMaker]) -> None:
        maker = new_run_ids()
        ahead = RunId.compose(maker.new_run_id().started_at + 2 * MAX_AHEAD, b"\xff" * 4)
        with pytest.raises(ClockSkewError, match=str(ahead)) as caught:
            maker.new_run_id(after=ahead)
        assert "clock" in caught.value.hint
