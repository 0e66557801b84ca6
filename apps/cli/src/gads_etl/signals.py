"""SIGTERM and Ctrl-C: an end on request that still tidies up what is half-written or held."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

from gads_pipeline.stop import Stop


@contextmanager
def interrupted_by_sigterm() -> Iterator[None]:
    """Within, SIGTERM does what Ctrl-C does; the handler before is restored afterwards."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def stopped_by_signals() -> Iterator[Stop]:
    """A stop that SIGTERM and SIGINT request; the handlers before are restored afterwards."""
    stop = Stop()
    before = {
        number: signal.signal(number, lambda _number, _frame: stop.request())
        for number in (signal.SIGTERM, signal.SIGINT)
    }
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
