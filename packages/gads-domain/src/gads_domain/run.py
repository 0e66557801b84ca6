"""The run, whose id fences what is written."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from gads_domain.errors import InvalidValueError

_RUN_ID = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})T([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{3})Z-[0-9a-f]{8}")


@dataclass(frozen=True, slots=True, order=True)
class RunId:
    """Names one run, such as `20240602T040506789Z-7f3a9c21`: start in UTC to the millisecond, then 32 random bits.

    Sorts as text in time order and is safe in a path of every file system and in an object key.
    """

    value: str

    def __post_init__(self) -> None:
        try:
            _start_of(self.value)
        except ValueError:
            raise InvalidValueError(
                f"{self.value!r} is not a run id", hint="it looks like 20240602T040506789Z-7f3a9c21"
            ) from None

    def __str__(self) -> str:
        return self.value

    @property
    def started_at(self) -> datetime:
        """When the run began, in UTC, to the millisecond."""
        return _start_of(self.value)

    @classmethod
    def compose(cls, started_at: datetime, entropy: bytes) -> "RunId":
        """Build the id of a run that began at `started_at` (aware); `entropy` is four random bytes."""
        if started_at.tzinfo is None or len(entropy) != 4:
            raise InvalidValueError("a run id needs an aware time and four bytes of entropy")
        moment = started_at.astimezone(UTC)
        return cls(f"{moment:%Y%m%dT%H%M%S}{moment.microsecond // 1000:03d}Z-{entropy.hex()}")


@lru_cache(maxsize=4096)
def _start_of(text: str) -> datetime:
    """Raises `ValueError` for what is no run id. Remembered: a run writes many partitions."""
    match = _RUN_ID.fullmatch(text)
    if match is None:
        raise ValueError
    # strptime does the same and takes ten times as long, which a ledger of a million rows feels.
    year, month, day, hour, minute, second, milliseconds = map(int, match.groups())
    return datetime(year, month, day, hour, minute, second, milliseconds * 1000, UTC)


@dataclass(frozen=True, slots=True)
class RunContext:
    """One execution of a command or of the orchestrator; made once, where it starts, and handed down.

    Everything the run writes carries `run_id`; a retry inside the run keeps it, a new run never reuses it.
    `actor` says who started it, `command` what was typed, both for the record.
    """

    run_id: RunId
    actor: str = ""
    command: str = ""
