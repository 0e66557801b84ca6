"""A slice that fails because of which days it asks for, or how many, is asked for again in halves."""

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import replace
from datetime import timedelta

from gads_domain.errors import FailureReason, FailureScope, LeaseLostError, QuotaExhaustedError
from gads_domain.ports.report_source import DayOutcome, Unsealed
from gads_domain.report import ReportSlice
from gads_extractor.errors import BrokenStreamError, RangeRefusedError

MOST_BREAKS = 12
"""Streams of one slice that may break off, all their tries counted as one, before the rest is not asked for any more.

One day that always breaks in a month costs six; more than twelve say that fewer days at once do not help.
"""

Ask = Callable[[ReportSlice, bool], Generator[DayOutcome, None, None]]
"""Ask for a slice, with repeated calls or without; the outcome of each day, or an error for the days without one."""


def outcomes_of(slice_: ReportSlice, ask: Ask) -> list[DayOutcome]:
    """The outcome of each day of `slice_`, in order: a day fails alone, with its own reason.

    After a `RangeRefusedError` or a `BrokenStreamError` the slice is asked for in halves, and these in halves again,
    down to a day; the parts of a slice that broke are asked for once each. A failure that reaches further than these
    days is the reason of all that was not asked for.
    """
    found: list[DayOutcome] = []
    waiting, breaks = [slice_], 0
    while waiting:
        part = waiting.pop()
        outcomes: list[DayOutcome] = []
        try:
            with closing(ask(part, breaks == 0)) as asked:
                outcomes.extend(asked)
        except Exception as error:
            breaks += isinstance(error, BrokenStreamError)
            divides = isinstance(error, RangeRefusedError | BrokenStreamError) and breaks <= MOST_BREAKS
            if divides and not outcomes and part.first < part.last:
                waiting += _halves_reversed(part)
                continue
            reason = FailureReason.of(error)
            outcomes += (Unsealed(key, reason) for key in part.keys[len(outcomes) :])
        found += outcomes
        stop = next(
            (one.reason for one in outcomes if isinstance(one, Unsealed) and _ends_it(one.reason, breaks)), None
        )
        if stop is not None:
            found += (Unsealed(key, stop) for rest in reversed(waiting) for key in rest.keys)
            break
    return found


def is_about_the_day(reason: FailureReason) -> bool:
    """Whether a failure says something about its day; a lost lease, a rest and what stops the run say nothing."""
    return not reason.scope.stops_the_run and reason.code not in (LeaseLostError.code, QuotaExhaustedError.code)


def _ends_it(reason: FailureReason, breaks: int) -> bool:
    return reason.scope is not FailureScope.PARTITION or not is_about_the_day(reason) or breaks > MOST_BREAKS


def _halves_reversed(part: ReportSlice) -> list[ReportSlice]:
    middle = part.first + timedelta(days=len(part.days) // 2)
    return [replace(part, first=middle), replace(part, last=middle - timedelta(days=1))]
