"""What a signal does to a command that looks for it, and to one that waits for an API that does not answer."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from gads_etl.signals import stopped_by_signals
from gads_pipeline.stop import Stop, Stopped


def _wait_for_an_api_that_does_not_answer(stop: Stop, number: int) -> None:
    with stop.interrupting():
        os.kill(os.getpid(), number)
        threading.Event().wait(60)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_sets_the_flag_and_interrupts_what_cannot_look(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with stopped_by_signals() as stop:
        with stop.interrupting():
            pass
        with pytest.raises(Stopped):
            _wait_for_an_api_that_does_not_answer(stop, number)
        assert stop.is_set()
        os.kill(os.getpid(), number)
        with pytest.raises(Stopped), stop.interrupting():
            raise AssertionError("nothing is begun any more")
    assert signal.getsignal(number) is before
