"""What a page shows of a former answer, and what it waits for."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count

from gads_ui.recent import Recent


def test_what_was_quick_is_read_again_and_waited_for_but_not_what_was_slow() -> None:
    def after(seconds: float) -> Callable[[], int]:
        numbers = count(1)

        def read() -> int:
            time.sleep(seconds)
            return next(numbers)

        return read

    quick, slow = Recent(after(0.15), 60), Recent(after(0.3), 60)
    assert (quick(), quick()) == (1, 2)
    assert (slow(), slow()) == (1, 1)
