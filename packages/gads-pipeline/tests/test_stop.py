"""A stop that a signal requests is noticed, whichever thread the signal comes to."""

from __future__ import annotations

import signal
import threading

from gads_pipeline.stop import Stop


def test_a_signal_that_does_not_wake_the_main_thread_ends_its_wait() -> None:
    stop, waiting, ended = Stop(), threading.Event(), threading.Event()
    other = threading.Thread(target=ended.wait, daemon=True)
    other.start()
    before = signal.signal(signal.SIGUSR1, lambda *_: stop.request())

    def send() -> None:
        waiting.wait()
        signal.pthread_kill(other.ident or 0, signal.SIGUSR1)

    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    try:
        waiting.set()
        assert stop.wait(30)
    finally:
        signal.signal(signal.SIGUSR1, before)
        ended.set()


def test_a_wait_ends_with_its_time() -> None:
    assert not Stop().wait(0)
    assert not Stop().wait(0.01)
