"""Chooses the next slice: in the plan's order, and so that no account has every worker while others wait."""

from collections import Counter, deque
from collections.abc import Iterator

from gads_orchestrator.plan import PlannedSlice


class Dispatcher:
    """Hands out the slices of a plan, looking ahead a little.

    Laws:

    1. A slice is never handed out before one of an earlier reason that has been seen.
    2. Within one reason, an account that has `share` slices under work yields to any that has fewer, as far as
       the look ahead reaches; alone it may have every worker.
    """

    def __init__(self, slices: Iterator[PlannedSlice], *, workers: int) -> None:
        self._rest = slices
        self._seen: deque[PlannedSlice] = deque()
        self._ahead = 8 * workers
        self.share = max(1, workers // 2)
        self._under_work: Counter[str] = Counter()

    def next(self) -> PlannedSlice | None:
        """The slice to begin now; None if there is none left."""
        while len(self._seen) < self._ahead:
            found = next(self._rest, None)
            if found is None:
                break
            self._seen.append(found)
        if not self._seen:
            return None
        reason = min(planned.reason for planned in self._seen)
        candidates = [number for number, planned in enumerate(self._seen) if planned.reason is reason]
        chosen = next((number for number in candidates if self._load(number) < self.share), None)
        if chosen is None:
            chosen = min(candidates, key=self._load)
        planned = self._seen[chosen]
        del self._seen[chosen]
        self._under_work[planned.account.customer_id] += 1
        return planned

    def put_back(self, planned: PlannedSlice) -> None:
        """What is left of a slice that was handed out goes first."""
        self._seen.appendleft(planned)

    def ended(self, planned: PlannedSlice) -> None:
        """A slice that was handed out is no longer under work."""
        self._under_work[planned.account.customer_id] -= 1

    def drop_all(self) -> int:
        """Hand out no more; how many slices that were looked ahead at are dropped."""
        dropped = len(self._seen)
        self._seen.clear()
        self._rest = iter(())
        return dropped

    def _load(self, number: int) -> int:
        return self._under_work[self._seen[number].account.customer_id]
