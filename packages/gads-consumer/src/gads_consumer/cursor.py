"""A place in a ledger's log, as a text to keep."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from gads_consumer.errors import PastUnknownError
from gads_domain.clock import iso_utc
from gads_domain.errors import ClockSkewError, InvalidValueError
from gads_domain.ports.ledger import StateReader
from gads_domain.state import AuthorityChange

_FORM = re.compile(r"v1:(0|[1-9][0-9]*):([0-9a-f]{12}):(.+)")
_START = "0" * 12
_POSITIONS = 2**63
"""No ledger numbers further than a signed 64-bit integer does."""

_BEGIN_ANEW = "begin anew from a snapshot; what was read since then may no longer be authoritative"

AsOf = datetime | int | str
"""A moment (aware), a position of the log, or the text of a cursor or of a moment as ISO-8601 with its zone."""

_MOMENT_FORM = "write a moment as 2024-06-02T04:05:06Z, or give a position of the log as a number"

_CLOCKS_AGREE = timedelta(minutes=5)
"""How far the log's last entry may lie ahead of this machine's clock before a moment can no longer be answered."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """A ledger's name, the number of an authority change and a sum over it, by which a rolled-back log is noticed."""

    ledger_id: str
    position: int
    check: str

    def __str__(self) -> str:
        return f"v1:{self.position}:{self.check}:{self.ledger_id}"

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Read what `str()` wrote; raises `InvalidValueError`."""
        match = _FORM.fullmatch(text if isinstance(text, str) else "")  # type: ignore[redundant-expr]  # at the edge
        if match is None:
            raise InvalidValueError(f"{text!r} is not a cursor", hint="keep cursors as they were handed out")
        return cls(match[3], int(match[1]), match[2])

    @classmethod
    def after(cls, ledger_id: str, entry: AuthorityChange | None) -> "Cursor":
        """The place behind `entry`; None is the beginning of the log."""
        if entry is None:
            return cls(ledger_id, 0, _START)
        return cls(ledger_id, entry.sequence, entry.fingerprint)


def is_cursor(text: str) -> bool:
    """Whether `text` has the form of a cursor."""
    return _FORM.fullmatch(text) is not None


def _entry_at(ledger: StateReader, position: int) -> AuthorityChange | None:
    """The authority change with the number `position`, if the log has one."""
    if not 1 <= position < _POSITIONS:
        return None
    found = ledger.authority_changes(after=position - 1, limit=1)
    return found[0] if found and found[0].sequence == position else None


def cursor_at(ledger: StateReader, ledger_id: str, position: int) -> Cursor:
    """The cursor behind `position`; raises `PastUnknownError` if the log does not have it.

    A change that the erasure of its account removed is still a place in the log.
    """
    entry = _entry_at(ledger, position)
    if entry is None and position != 0:
        erased = ledger.erased_change(position) if 1 <= position < _POSITIONS else None
        if erased is not None:
            return Cursor(ledger_id, position, erased)
        raise PastUnknownError(
            f"the ledger's log has no position {position}; it ends at {ledger.position()}",
            hint="take positions from a snapshot or a change of this ledger",
        )
    return Cursor.after(ledger_id, entry)


def confirmed(ledger: StateReader, ledger_id: str, text: str) -> Cursor:
    """The cursor in `text`, once it is certain that it is of this ledger and that its log was not rolled back.

    Raises `InvalidValueError`, `PastUnknownError`.
    """
    cursor = Cursor.parse(text)
    if cursor.ledger_id != ledger_id:
        raise PastUnknownError(
            f"the cursor is of the ledger {cursor.ledger_id}; this is {ledger_id}",
            hint="check the state URL, or begin anew from a snapshot of this ledger",
        )
    if cursor.position > (end := ledger.position()):
        raise PastUnknownError(
            f"the ledger's log has no position {cursor.position} any more; it ends at {end}: an older one was restored",
            hint=_BEGIN_ANEW,
        )
    if cursor_at(ledger, ledger_id, cursor.position) != cursor:
        raise PastUnknownError(
            f"the ledger's log was rolled back: position {cursor.position} is not the one that the cursor came from",
            hint=_BEGIN_ANEW,
        )
    return cursor


def cursor_as_of(ledger: StateReader, ledger_id: str, as_of: AsOf | None, now: datetime) -> Cursor:
    """The cursor behind the last change up to `as_of`; None is the end of the log.

    Raises `InvalidValueError`, `PastUnknownError`, and `ClockSkewError` for a moment of which the log cannot know yet.
    """
    if isinstance(as_of, str):
        if is_cursor(as_of):
            return confirmed(ledger, ledger_id, as_of)
        try:
            as_of = datetime.fromisoformat(as_of)
        except ValueError:
            raise InvalidValueError(f"{as_of!r} is neither a moment nor a cursor", hint=_MOMENT_FORM) from None
    if as_of is None:
        as_of = ledger.position()
    elif isinstance(as_of, datetime):
        as_of = _position_at(ledger, as_of, now)
    elif type(as_of) is not int:
        raise InvalidValueError(f"{as_of!r} is neither a position, a moment nor a cursor", hint=_MOMENT_FORM)
    return cursor_at(ledger, ledger_id, as_of)


def _position_at(ledger: StateReader, moment: datetime, now: datetime) -> int:
    if moment.utcoffset() is None:
        raise InvalidValueError(f"{moment.isoformat()} is a time without a zone", hint="give it one, such as UTC")
    try:
        moment = moment.astimezone(UTC)
    except OverflowError:
        raise InvalidValueError(f"{moment.isoformat()} is beyond all times", hint=_MOMENT_FORM) from None
    last = _entry_at(ledger, ledger.position())
    if last is not None and last.at > now + _CLOCKS_AGREE:
        raise ClockSkewError(
            f"the ledger's last change is stamped {iso_utc(last.at)} and this machine's clock shows {iso_utc(now)}",
            hint="correct the clocks, or ask as of a position, which does not depend on a clock",
        )
    if moment > now and (last is None or moment > last.at):
        raise ClockSkewError(
            f"{iso_utc(moment)} is in the future; this machine's clock shows {iso_utc(now)}",
            hint="ask as of a past moment, or omit as_of for now",
        )
    return ledger.position_at(moment)
