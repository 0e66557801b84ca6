"""Time and run ids as ports, so that a simulation can own both."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from typing import Protocol

from gads_domain.errors import InvalidValueError
from gads_domain.run import RunId

_ISO_UTC = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z")


class Clock(Protocol):
    """Tells the time. Law: `now()` is aware and in UTC."""

    def now(self) -> datetime:
        """The present moment in UTC."""
        ...


class RunIdMaker(Protocol):
    """Makes run ids. Law: no two calls, on any machine, return the same id."""

    def new_run_id(self) -> RunId:
        """A run id that nobody has had."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The present moment in UTC."""
        return datetime.now(UTC)


class RandomRunIds:
    """Run ids from a clock and the operating system's entropy."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def new_run_id(self) -> RunId:
        """A run id of this moment."""
        return RunId.compose(self._clock.now(), os.urandom(4))


def iso_utc(moment: datetime) -> str:
    """Write an aware time as ISO-8601 in UTC with microseconds, such as `2024-06-02T04:05:06.789000Z`.

    Every time that leaves the software, to metadata, ledger or screen, has this one form, which sorts as text.
    Raises `InvalidValueError` for a time without a zone.
    """
    if moment.tzinfo is None:
        raise InvalidValueError(f"{moment.isoformat()} is a time without a zone")
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def from_iso_utc(text: str) -> datetime:
    """Read what `iso_utc` wrote; raises `ValueError` for any other form."""
    if not _ISO_UTC.fullmatch(text):
        raise ValueError(f"{text!r} is not a time as YYYY-MM-DDTHH:MM:SS.ffffffZ")
    return datetime.fromisoformat(text)
