"""The leases of one run: taken before work on a scope, renewed while it goes on, given back when it ends."""

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

from gads_domain.clock import Clock
from gads_domain.control import Lease
from gads_domain.errors import GadsError
from gads_domain.ports.ledger import ControlPlaneLedger

_BEATS_A_LENGTH = 6
"""How often within a lease's length the thread checks whether it is time to renew."""


class LeaseManager:
    """What `owner` holds; several slices of one scope share a lease. The run and its renewing take turns.

    A lease that is no longer used is given back with the next one that is taken, since each step costs the ledger a
    write; without a next one, call `give_back`. A scope that is taken again before that keeps its lease.
    """

    def __init__(self, control: ControlPlaneLedger, owner: str, clock: Clock, length: timedelta) -> None:
        self._control = control
        self._owner = owner
        self._clock = clock
        self._length = length
        self._held: dict[str, Lease] = {}
        self._done_with: dict[str, Lease] = {}
        self._uses: Counter[str] = Counter()
        self._left_behind: set[str] = set()
        self._renewed_at = clock.now()
        self._turn = threading.RLock()

    @contextlib.contextmanager
    def renewed_meanwhile(self) -> Iterator[None]:
        """Renew in a thread for as long as the context lasts, whatever the run waits for.

        Otherwise a long slice would outlive its lease, and another process would begin the same slice.
        """
        over = threading.Event()

        def beat() -> None:
            while not over.wait(self._length.total_seconds() / _BEATS_A_LENGTH):
                # A busy ledger is asked again; a lease that was lost meanwhile grants no operations.
                with contextlib.suppress(GadsError):
                    self.renew()

        renewing = threading.Thread(target=beat, name="gads-etl-leases", daemon=True)
        renewing.start()
        try:
            yield
        finally:
            over.set()
            renewing.join()

    def take(self, scope: str) -> Lease | None:
        """A lease of `scope`, or None while another owner has it."""
        with self._turn:
            held = self._held.get(scope)
            if held is None:
                held = self._taken_up_again(scope) or self._taken(scope)
                if held is None:
                    return None
                self._held[scope] = held
            self._uses[scope] += 1
            return held

    def _taken_up_again(self, scope: str) -> Lease | None:
        """The lease that was just released, unless it is about to expire."""
        lease = self._done_with.get(scope)
        if lease is None or lease.expires_at - self._clock.now() < self._length / 2:
            return None
        return self._done_with.pop(scope)

    def _taken(self, scope: str) -> Lease | None:
        now = self._clock.now()
        giving_back = list(self._done_with.values())
        (taken,) = self._control.take_leases([scope], self._owner, now, now + self._length, giving_back)
        self._done_with.clear()
        if taken is not None and taken.left_behind:
            self._left_behind.add(scope)
        return taken

    def was_left_behind(self, scope: str) -> bool:
        """Whether the holder before this run may have sealed what it did not validate: it died, or was interrupted."""
        return scope in self._left_behind

    def leave_behind(self, scope: str) -> None:
        """Work on `scope` was interrupted: look, now and after this run, for what was sealed and not validated."""
        self._left_behind.add(scope)

    def done(self, scope: str) -> None:
        """End one use; after the last one the lease can be given back."""
        with self._turn:
            self._uses[scope] -= 1
            if self._uses[scope] <= 0:
                del self._uses[scope]
                held = self._held.pop(scope, None)
                if held is not None and scope in self._left_behind:
                    self._expire([held])
                elif held is not None:
                    self._done_with[scope] = held

    def _expire(self, leases: list[Lease]) -> None:
        """Let `leases` end now by time: they are free, and were not given back."""
        now = self._clock.now()
        self._control.renew_leases(leases, now - timedelta.resolution, now)

    def give_back(self) -> None:
        """Give back the leases that are no longer used."""
        with self._turn:
            if self._done_with:
                self._control.release_leases(list(self._done_with.values()))
                self._done_with.clear()

    def renew(self) -> None:
        """Renew the held leases when a third of their time is over, and forget those that were lost."""
        with self._turn:
            now = self._clock.now()
            if not self._held or now - self._renewed_at < self._length / 3:
                return
            scopes = list(self._held)
            renewed = self._control.renew_leases([self._held[s] for s in scopes], now, now + self._length)
            self._renewed_at = now
            for scope, lease in zip(scopes, renewed, strict=True):
                if lease is None:
                    del self._held[scope]
                else:
                    self._held[scope] = lease

    def release_all(self) -> None:
        """Give everything back, but leave behind what is still in use."""
        with self._turn:
            if self._held:
                self._expire(list(self._held.values()))
            self._held.clear()
            self.give_back()
            self._uses.clear()
