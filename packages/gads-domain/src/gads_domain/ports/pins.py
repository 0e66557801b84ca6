"""Pins: what a reader still needs of superseded runs, put on record without a right to write anything else."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import Protocol, Self

from gads_domain.errors import InvalidValueError
from gads_domain.partition_key import PartitionKey
from gads_domain.run import RunId

LONGEST_PIN = timedelta(days=400)
"""How far ahead a pin may end; one that is needed for longer is set anew."""


@dataclass(frozen=True, slots=True)
class Pin:
    """`runs` runs are kept until `until`, under a name by which the pin is set anew or released."""

    name: str
    runs: int
    until: datetime


def require_pin(name: str, until: datetime, now: datetime) -> None:
    """Raise `InvalidValueError` unless `name` is printable text and `until` (aware) a time at which a pin may end."""
    if not name or len(name) > 200 or not name.isprintable():
        raise InvalidValueError("the name of a pin is 1 to 200 printable characters")
    if not now < until <= now + LONGEST_PIN:
        raise InvalidValueError(f"a pin ends after now, and at most {LONGEST_PIN.days} days from now, not at {until}")


class PinLedger(Protocol):
    """What a reader may put on record: which runs it needs, and until when.

    Laws:

    1. `pin` keeps all of the runs or, if one of them is pruned, erased or has no validation result, none, and raises.
       When it has returned, no run of it is pruned until `until`, whatever was decided before.
    2. A pin under a name that is in use already counts in place of the former one.
    3. `pins` are those that end after `now`, by name. `release` ends one at once; one that is over is none.
    4. Nothing but pins is within its reach.
    """

    def pin(self, name: str, runs: Sequence[tuple[PartitionKey, RunId]], until: datetime, now: datetime) -> Pin:
        """Keep `runs` in the sink until `until`.

        Raises `PrunedRunError`, `AccountErasedError`, `NotSealedError` for a run without a validation result, and
        `InvalidValueError` as `require_pin` does.
        """

    def release(self, name: str) -> bool:
        """End the pin; whether there was one."""

    def pins(self, now: datetime) -> list[Pin]:
        """The pins that end after `now`, by name."""

    def close(self) -> None:
        """Let go of the ledger; using it afterwards is an error."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...
