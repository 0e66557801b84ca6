"""Time and run ids as ports, so that a simulation can own both."""

import os
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Protocol

from gads_domain.errors import ClockSkewError, InvalidValueError
from gads_domain.run import RunId

_ISO_UTC = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")


class Clock(Protocol):
    """Tells the time. Law: `now()` is aware and in UTC."""

    def now(self) -> datetime:
        """The present moment in UTC."""


MAX_AHEAD = timedelta(minutes=5)
"""How far another machine's clock may be ahead of this one's before its runs are refused."""


class RunIdMaker(Protocol):
    """Makes run ids.

    Laws:

    1. No two calls, on any machine, return the same id.
    2. The id is later than `after`, whatever the clock shows.
    """

    def new_run_id(self, after: RunId | None = None) -> RunId:
        """A new run id, later than `after`; raises `ClockSkewError` if that begins more than `MAX_AHEAD` from now."""


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The present moment in UTC."""
        return datetime.now(UTC)


class RandomRunIds:
    """Run ids from a clock and the operating system's entropy."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def new_run_id(self, after: RunId | None = None) -> RunId:
        """A run id of this moment, or of the millisecond after `after`."""
        return RunId.compose(moment_after(after, self._clock.now()), os.urandom(4))


def moment_after(newest: RunId | None, now: datetime) -> datetime:
    """When a run that begins at `now` says it began, so that its id is later than `newest`.

    Raises `ClockSkewError` if `newest` begins more than `MAX_AHEAD` after `now`.
    """
    if newest is None:
        return now
    require_not_ahead(newest, now, "the ledger")
    return max(now, newest.started_at + timedelta(milliseconds=1))


def require_not_ahead(run_id: RunId, now: datetime, where: str) -> None:
    """Raise `ClockSkewError` if `run_id`, found in `where`, begins more than `MAX_AHEAD` after `now`."""
    if run_id.started_at - now > MAX_AHEAD:
        raise ClockSkewError(
            f"{where} holds run {run_id}, which begins later than this machine's clock shows: {now:%Y-%m-%dT%H:%M:%SZ}"
        )


def iso_utc(moment: datetime) -> str:
    """Write an aware time as ISO-8601 in UTC with microseconds, such as `2024-06-02T04:05:06.789000Z`.

    Every time that leaves the software, to metadata, ledger or screen, has this one form, which sorts as text.
    Raises `InvalidValueError` for a time without a zone.
    """
    if moment.tzinfo is None:
        raise InvalidValueError(f"{moment.isoformat()} is a time without a zone")
    return _utc_text(moment if moment.tzinfo is UTC else moment.astimezone(UTC))


@lru_cache(maxsize=4096)
def _utc_text(moment: datetime) -> str:
    """Remembered: rows and events that come together share their times."""
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def from_iso_utc(text: str) -> datetime:
    """Read what `iso_utc` wrote; raises `ValueError` for any other form."""
    if not _ISO_UTC.fullmatch(text):
        raise ValueError(f"{text!r} is not a time as YYYY-MM-DDTHH:MM:SS.ffffffZ")
    return datetime.fromisoformat(text)
