"""How long to wait before the next try."""

from dataclasses import dataclass

from gads_domain.errors import InvalidValueError

_DOUBLINGS = 60
"""Beyond this many every delay is at its largest, and a larger power would overflow."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential backoff: `first` seconds, then twice as long after each failure, at most `largest`.

    `jitter`, from 0 to 1, is the share of a delay that chance can take away: 1 is full jitter, 0 is none. Raises
    `InvalidValueError` for a first delay that is not positive or is above the largest, and for another jitter.
    """

    first: float
    largest: float
    jitter: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < self.first <= self.largest:
            raise InvalidValueError(
                f"the first delay of {self.first} s is not positive, or above the largest of {self.largest} s"
            )
        if not 0 <= self.jitter <= 1:
            raise InvalidValueError(f"a jitter of {self.jitter} is not a share from 0 to 1")

    def delay(self, failures: int, chance: float = 0.0) -> float:
        """Seconds to wait after `failures` in a row. `chance`, from 0 to 1, is how much of the jitter is taken away.

        A caller draws it (`random.random()`), or computes it where each machine is to wait equally long.
        """
        ceiling = min(self.first * 2.0 ** min(max(failures - 1, 0), _DOUBLINGS), self.largest)
        return ceiling * (1 - self.jitter * chance)
