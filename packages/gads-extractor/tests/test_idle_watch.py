"""One thread that ends what waits for too long, and leaves the rest alone."""

from __future__ import annotations

import threading

from gads_extractor.idle_watch import IdleWatch, Wait

LONG = 3600.0
SHORT = 0.05
ENOUGH = 20.0


def test_a_wait_that_lasts_too_long_is_ended_though_a_longer_one_began_before() -> None:
    watch, ended, untouched = IdleWatch(), threading.Event(), threading.Event()
    patient, hasty = Wait(watch, LONG, untouched.set), Wait(watch, SHORT, ended.set)
    with patient, hasty:
        assert ended.wait(ENOUGH)
    assert hasty.fired
    assert not patient.fired
    assert not untouched.is_set()


def test_what_has_ended_in_time_is_left_alone() -> None:
    watch, touched, later = IdleWatch(), threading.Event(), threading.Event()
    short = Wait(watch, SHORT, touched.set)
    for _ in range(3):
        with short:
            pass
    with Wait(watch, 4 * SHORT, later.set):
        assert later.wait(ENOUGH)
    assert not touched.is_set()
    assert not short.fired


def test_each_wait_has_its_full_time() -> None:
    watch, ended = IdleWatch(), threading.Event()
    wait = Wait(watch, LONG, ended.set)
    with wait:
        first = wait.due_at
    with wait:
        assert wait.due_at > first


def test_all_waits_share_one_thread() -> None:
    before = threading.active_count()
    watch = IdleWatch()
    waits = [Wait(watch, LONG, lambda: None) for _ in range(20)]
    for wait in waits:
        wait.__enter__()
    assert threading.active_count() == before + 1
    for wait in waits:
        wait.__exit__()
