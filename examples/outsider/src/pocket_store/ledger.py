"""A ledger in one pickle. Each call reads one whole, immutable version of it; each change writes the next one."""

from __future__ import annotations

import fcntl
import os
import pickle
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from gads_domain.control import (
    MARKING,
    UNMARKING,
    ActKind,
    Lease,
    Mark,
    RetentionPolicy,
    SchedulingState,
    scheduling_text,
)
from gads_domain.erasure import Erasure, digest_over, in_force
from gads_domain.errors import InvalidValueError, LedgerError, NotSealedError, UsageError
from gads_domain.expectations import DrawnList, Expectations, after_drawing, after_forgetting, inferred, without
from gads_domain.gaps import AuthoritativeDays
from gads_domain.local_path import path_of
from gads_domain.metadata import KnownContent
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.pins import Pin, require_pin
from gads_domain.quota import (
    BUCKET,
    WINDOW,
    CallScope,
    Rest,
    RestAsked,
    Spending,
    Spent,
    SpentOperations,
    bucket_of,
)
from gads_domain.retention import prunable
from gads_domain.run import RunId
from gads_domain.state import (
    AuthorityChange,
    Confirmation,
    KeyHistory,
    OperatorAct,
    PartitionState,
    PartitionStatus,
    PrunedRun,
    RecordedAct,
    SchemaPin,
    StateChange,
    StateFilter,
    ValidationOutcome,
    ValidationResult,
)
from gads_domain.state_machine import confirmed, retry, settle

_Answer = TypeVar("_Answer")
_ANEW = (ActKind.RETRY, ActKind.UNMARK_TERMINAL)
_BY_KEY = ("states", "results", "revoked", "accepted", "pruned", "pinned", "marks", "counted_from")


@dataclass
class Content:
    """All that the ledger holds."""

    ledger_id: str = field(default_factory=lambda: secrets.token_hex(16))
    states: dict[PartitionKey, PartitionState] = field(default_factory=dict)
    results: dict[PartitionKey, list[tuple[int, ValidationResult]]] = field(default_factory=dict)
    """Each with the version of the row that it led to."""
    revoked: dict[PartitionKey, frozenset[RunId]] = field(default_factory=dict)
    accepted: dict[PartitionKey, frozenset[RunId]] = field(default_factory=dict)
    pruned: dict[PartitionKey, tuple[PrunedRun, ...]] = field(default_factory=dict)
    pinned: dict[PartitionKey, dict[tuple[RunId, str], datetime]] = field(default_factory=dict)
    """Until when a run is kept, by the pin's name."""
    pins: dict[tuple[str, str, int], SchemaPin] = field(default_factory=dict)
    changes: list[AuthorityChange] = field(default_factory=list)
    position: int = 0
    """The sequence number of the last change; an erasure leaves holes before it."""
    acts: list[RecordedAct] = field(default_factory=list)
    marks: dict[PartitionKey, frozenset[Mark]] = field(default_factory=dict)
    counted_from: dict[PartitionKey, int] = field(default_factory=dict)
    """The version of the row at an operator's last retry: tries are counted from there."""
    leases: dict[str, Lease] = field(default_factory=dict)
    lease_number: int = 0
    spent: dict[str, list[tuple[datetime, int]]] = field(default_factory=dict)
    """When how many operations of a budget were spent; along the list time never goes back."""
    rests: dict[CallScope, Rest] = field(default_factory=dict)
    drawn: dict[str, Expectations] = field(default_factory=dict)
    erasures: list[Erasure] = field(default_factory=list)
    erased_changes: dict[int, str] = field(default_factory=dict)

    def expectations(self, source: str) -> Expectations:
        """What is expected by the lists that were drawn, or else by the rows."""
        if source in self.drawn:
            return self.drawn[source]
        keys = [key for key in self.states if key.source == source]
        return inferred(source, [(key.customer_id, key.report, key.logical_date) for key in keys])

    def record_list(self, drawn: DrawnList) -> Expectations:
        """Put a list on record, without the accounts that are erased."""
        erased = in_force(one for one in self.erasures if one.source == drawn.source)
        self.drawn[drawn.source] = after_drawing(self.expectations(drawn.source), without(drawn, erased))
        return self.drawn[drawn.source]

    def spent_at(self, budget: str, now: datetime) -> Spent:
        """What of `budget` still counts at `now`."""
        parts = [(count, bucket_of(at) + BUCKET + WINDOW) for at, count in self.spent.get(budget, ())]
        return Spent(tuple(SpentOperations(count, free_at) for count, free_at in parts if free_at > now))

    def rests_at(self, budget: str, now: datetime) -> list[Rest]:
        """The rests of `budget` that are not over at `now`."""
        found = [rest for rest in self.rests.values() if rest.scope.budget == budget and rest.not_before > now]
        return sorted(found, key=lambda rest: (rest.scope.customer_id, rest.scope.report))

    def at_or_after_the_last(self, budget: str, now: datetime) -> datetime:
        """`now`, or when the last operation was spent if that is later."""
        return max([now, *(at for at, _ in self.spent.get(budget, [])[-1:])])

    def forget(self, source: str, customer_id: str, act: OperatorAct) -> bool:
        """Take an account out of what is expected, with an act on the first day of each of its reports."""
        before = self.expectations(source)
        after = after_forgetting(before, customer_id, act.actor, act.reason)
        if after is before:
            return False
        self.drawn[source] = after
        first_days = {e.report: e.first_day for e in reversed(before.expected) if e.customer_id == customer_id}
        for report, day in first_days.items():
            self.act(PartitionKey(source, customer_id, report, day), ActKind.FORGET, act, lambda: None)
        return True

    def state(self, key: PartitionKey) -> PartitionState:
        """The row of `key`, or the pending one."""
        return self.states.get(key, PartitionState(key))

    def history(self, key: PartitionKey) -> KeyHistory:
        """The row of `key` with its results, revocations and acceptances."""
        results = tuple(result for _, result in self.results.get(key, ()))
        decided = (self.revoked.get(key, frozenset()), self.accepted.get(key, frozenset()))
        return KeyHistory(self.state(key), results, *decided, self.pruned.get(key, ()))

    def prune(self, key: PartitionKey, run_id: RunId, policy: RetentionPolicy, act: OperatorAct) -> PrunedRun | None:
        """Note that a run is to be removed, if it may go."""
        history, changes = self.history(key), [one for one in self.changes if one.key == key]
        pinned = {run for (run, _), until in self.pinned.get(key, {}).items() if until > act.at}
        if run_id not in prunable(history, changes, pinned, policy, act.at):
            return None
        seals = [one.seal_sha256 for one in history.results if one.run_id == run_id]
        pruned = PrunedRun(key, run_id, act, seals[-1])
        self.pruned[key] = tuple(sorted((*history.pruned, pruned), key=lambda one: one.run_id))
        self.states[key] = replace(history.state, version=history.state.version + 1)
        return pruned

    def pin(self, name: str, runs: Sequence[tuple[PartitionKey, RunId]], until: datetime, now: datetime) -> Pin:
        """Keep all of `runs`, or none."""
        require_pin(name, until, now)
        self.require_none_erased(key for key, _ in runs)
        for key, run_id in runs:
            history = self.history(key)
            for pruned in history.pruned:
                if pruned.run_id == run_id:
                    raise pruned.error()
            if not any(one.run_id == run_id and one.has_seal for one in history.results):
                raise NotSealedError(f"{key} has no validated run {run_id}")
        self.unpin(name)
        for key, run_id in runs:
            self.pinned.setdefault(key, {})[run_id, name] = until
        return Pin(name, len(set(runs)), until)

    def unpin(self, name: str) -> bool:
        """End a pin."""
        before = self.pinned
        kept = {key: {one: end for one, end in some.items() if one[1] != name} for key, some in before.items()}
        self.pinned = {key: some for key, some in kept.items() if some}
        return self.pinned != before

    def pins_at(self, now: datetime) -> list[Pin]:
        """The pins that are not over."""
        found: dict[str, list[datetime]] = {}
        for some in self.pinned.values():
            for (_, name), until in some.items():
                if until > now:
                    found.setdefault(name, []).append(until)
        return [Pin(name, len(ends), max(ends)) for name, ends in sorted(found.items())]

    def erasure(self, source: str, customer_id: str) -> Erasure | None:
        """The erasure of the account that is in force."""
        return in_force(one for one in self.erasures if one.source == source).get(customer_id)

    def require_none_erased(self, keys: Iterable[PartitionKey]) -> None:
        """Refuse partitions of an erased account."""
        for key in keys:
            if (erasure := self.erasure(key.source, key.customer_id)) is not None:
                raise erasure.refusal()

    def change_erasure(self, source: str, customer_id: str, **changes: Any) -> Erasure:
        """Replace the erasure in force by a changed one; raises `UsageError` if there is none."""
        erasure = self.erasure(source, customer_id)
        if erasure is None:
            raise UsageError(f"no erasure of account {customer_id} is in force")
        place = self.erasures.index(erasure)
        self.erasures[place] = replace(erasure, **changes)
        return self.erasures[place]

    def of_account(self, source: str, customer_id: str) -> dict[str, list[Any]]:
        """What is kept of an account, by kind: keys, or positions in a list."""

        def is_own(key: PartitionKey) -> bool:
            return (key.source, key.customer_id) == (source, customer_id)

        drawn = self.drawn.get(source, Expectations(source))
        kinds: dict[str, Iterable[Any]] = {
            **{name: filter(is_own, getattr(self, name)) for name in _BY_KEY},
            "changes": (one for one in self.changes if is_own(one.key) and one.cause != "erase"),
            "acts": (one for one in self.acts if is_own(one.key)),
            "accounts": (one for one in drawn.accounts if one.customer_id == customer_id),
            "expected": (one for one in drawn.expected if one.customer_id == customer_id),
            "leases": (scope for scope in self.leases if scope.startswith(f"{source}/{customer_id}/")),
            "rests": (scope for scope in self.rests if scope.customer_id == customer_id),
        }
        return {name: found for name, some in kinds.items() if (found := list(some))}

    def order_erasure(self, source: str, customer_id: str, act: OperatorAct) -> Erasure:
        """Put the tombstone on record, withdraw what is authoritative, and expect nothing any more."""
        known = self.erasure(source, customer_id)
        if known is not None:
            return known
        self.erasures.append(Erasure(source, customer_id, act))
        for key in sorted(self.of_account(source, customer_id).get("states", ())):
            before = self.states[key]
            if before.status is PartitionStatus.SUCCESS:
                self.write(before, PartitionState(key, updated_at=act.at), "erase")
            del self.states[key]
        if source in self.drawn:
            drawn = self.drawn[source]
            accounts = tuple(one for one in drawn.accounts if one.customer_id != customer_id)
            expected = tuple(one for one in drawn.expected if one.customer_id != customer_id)
            self.drawn[source] = replace(drawn, accounts=accounts, expected=expected)
        return self.erasures[-1]

    def erase(self, source: str, customer_id: str, now: datetime, limit: int) -> Erasure:
        """Remove the next partitions; what is of none goes last."""
        erasure = self.change_erasure(source, customer_id)
        if erasure.cleared_at is not None:
            return erasure
        kept = self.of_account(source, customer_id)
        keys = sorted(kept.get("results", ()))[: max(limit, 1)]
        gone = [one for one in kept.get("changes", ()) if one.key in keys or not keys]
        self.erased_changes |= {one.sequence: one.fingerprint for one in gone}
        self.changes = [one for one in self.changes if one.sequence not in self.erased_changes]
        counts: dict[str, Any]
        if keys:
            histories = [self.history(key) for key in keys]
            counts = {
                "partitions": erasure.partitions + len(keys),
                "results": erasure.results + sum(len(history.results) for history in histories),
                "changes": erasure.changes + len(gone),
                "digest": digest_over(erasure.digest, histories),
            }
        else:
            keys = [key for name in _BY_KEY for key in kept.get(name, ())]
            keys += [one.key for one in kept.get("acts", ())]
            for name in ("leases", "rests"):
                for scope in kept.get(name, ()):
                    del getattr(self, name)[scope]
            counts = {"cleared_at": now}
        for name in _BY_KEY:
            for key in keys:
                getattr(self, name).pop(key, None)
        self.acts = [one for one in self.acts if one.key not in keys]
        return self.change_erasure(source, customer_id, **counts)

    def known(self, key: PartitionKey) -> KnownContent | None:
        """What the authoritative run of `key` has sealed; None if it is revoked, or another is held for a decision."""
        state, run_id = self.state(key), self.state(key).current_run_id
        if run_id is None or run_id in self.revoked.get(key, ()) or state.held_run_id is not None:
            return None
        sealed = [result.content_sha256 for _, result in self.results[key] if result.run_id == run_id]
        digest = next(filter(None, reversed(sealed)), None)
        if digest is None or state.schema_version is None or state.record_count is None:
            return None
        return KnownContent(run_id, digest, state.schema_version, state.record_count)

    def confirm(self, confirmation: Confirmation) -> bool:
        """Note that the rows of an authoritative run came again, if nothing that is newer says otherwise."""
        state, known = self.state(confirmation.key), self.known(confirmation.key)
        sealed = None if known is None else (known.run_id, known.content_sha256)
        if state.last_error or sealed != (confirmation.of, confirmation.content_sha256):
            return False
        if confirmation.by <= (state.confirmed_run_id or confirmation.of):
            return False
        self.write(state, settle(self.history(confirmation.key), None, confirmation.at, confirmation), "")
        return True

    def selected(self, wanted: StateFilter) -> Iterator[PartitionState]:
        """The rows that match, in key order, and the pending ones of keys that have a mark only."""
        for key in sorted({*self.states, *(key for key, marks in self.marks.items() if marks)}):
            state = self.state(key)
            known = not wanted.held or state.held_run_id is not None
            if known and wanted.selects(key) and (not wanted.statuses or state.status in wanted.statuses):
                yield state

    def scheduling(self, state: PartitionState) -> SchedulingState:
        """What a planner has to know of the partition."""
        key = state.key
        results, marks = self.results.get(key, []), self.marks.get(key, frozenset())
        passed = [version for version, result in results if result.outcome is ValidationOutcome.PASSED]
        start = max([self.counted_from.get(key, 0), *passed])
        failed = [result for version, result in results if version > start]
        if state.status is PartitionStatus.SUCCESS:
            failed = [result for result in failed if state.current_run_id and result.run_id > state.current_run_id]
        tried = results[-1][1].validated_at if results else None
        last = state.updated_at if state.status is PartitionStatus.SUCCESS else tried
        failure = failed[-1].failure if failed else None
        tries = len({result.run_id for result in failed})
        return SchedulingState(key, state.status, last, tries, failure, marks, state.held_run_id)

    def write(self, before: PartitionState, after: PartitionState, cause: str) -> None:
        """Replace the row, and append a change if status or authority differ."""
        self.states[after.key] = after
        if after.current_run_id and after.confirmed_run_id and after.confirmed_at:
            results = self.results[after.key]
            by = (after.current_run_id, after.confirmed_run_id, after.confirmed_at)
            again = confirmed((result for _, result in results), *by)
            self.results[after.key] = [(version, one) for (version, _), one in zip(results, again, strict=True)]
        if (before.status, before.current_run_id) == (after.status, after.current_run_id):
            return
        assert after.updated_at is not None
        at = max([after.updated_at, *(change.at for change in self.changes[-1:])])
        self.position += 1
        self.changes.append(
            AuthorityChange(
                sequence=self.position,
                key=after.key,
                from_run=before.current_run_id,
                to_run=after.current_run_id,
                status_before=before.status,
                status_after=after.status,
                schema_version=after.schema_version,
                record_count=after.record_count,
                seal_sha256=after.seal_sha256,
                at=at,
                cause=cause,
            )
        )

    def scheduling_text(self, key: PartitionKey) -> str:
        """How an act records the partition before or after it."""
        decided = (self.revoked.get(key, ()), self.accepted.get(key, ()))
        return scheduling_text(self.state(key).status, self.marks.get(key, ()), *decided)

    def act(self, key: PartitionKey, kind: ActKind, act: OperatorAct, change: Callable[[], None]) -> bool:
        """Make the change, and record the act with what it changed."""
        before, text = self.state(key).status, self.scheduling_text(key)
        change()
        after = (self.state(key).status, text, self.scheduling_text(key))
        self.acts.append(RecordedAct(len(self.acts) + 1, key, kind, act, before, *after))
        if kind in _ANEW and not act.by_policy:
            self.counted_from[key] = self.state(key).version
        return True

    def erasure_of(self, scope: str) -> Erasure | None:
        """The erasure in force of the account that a lease is of."""
        source, _, account = scope.partition("/")
        return self.erasure(source, account.partition("/")[0])

    def holds(self, lease: Lease, now: datetime) -> bool:
        """Whether the lease is still its owner's; of an erased account none is."""
        held = None if self.erasure_of(lease.scope) else self.leases.get(lease.scope)
        return held is not None and held.number == lease.number and held.expires_at > now

    def release(self, leases: Sequence[Lease]) -> None:
        """End each lease that was not given anew."""
        for lease in leases:
            held = self.leases.get(lease.scope)
            if held is not None and held.number == lease.number:
                del self.leases[lease.scope]


class PocketReader:
    """Implements `gads_domain.ports.ledger.StateReader`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._closed = False
        self._read: tuple[tuple[int, int], Content] | None = None

    def get(self, key: PartitionKey) -> PartitionState:
        """The state of `key`."""
        return self._content().state(key)

    def get_many(self, keys: Sequence[PartitionKey]) -> list[PartitionState]:
        """The states of `keys`, in their order."""
        return [*map(self._content().state, keys)]

    def find(self, wanted: StateFilter, *, limit: int | None = None) -> Iterator[PartitionState]:
        """The rows that match, in key order."""
        return iter([state for state in self._content().selected(wanted) if state.version][:limit])

    def history(self, key: PartitionKey) -> KeyHistory:
        """The row of `key`, its results and its revoked runs."""
        return self._content().history(key)

    def histories(self, keys: Sequence[PartitionKey]) -> list[KeyHistory]:
        """The histories of `keys`, in their order."""
        return [*map(self._content().history, keys)]

    def acts(self, key: PartitionKey) -> list[RecordedAct]:
        """The control plane's acts on `key`, oldest first."""
        return [recorded for recorded in self._content().acts if recorded.key == key]

    def schema_pin(self, source: str, report: str, schema_version: int) -> SchemaPin | None:
        """The schema of this version of the report."""
        return self._content().pins.get((source, report, schema_version))

    def authority_changes(self, *, after: int = 0, limit: int | None = None) -> list[AuthorityChange]:
        """The changes with a sequence number above `after`, in order."""
        return [change for change in self._content().changes if change.sequence > after][:limit]

    def authority_changes_of(self, key: PartitionKey) -> list[AuthorityChange]:
        """The changes of `key`, in order."""
        return [change for change in self._content().changes if change.key == key]

    def position(self) -> int:
        """The sequence number of the last change."""
        return self._content().position

    def as_of(self, wanted: StateFilter, position: int) -> Iterator[AuthorityChange]:
        """The last change at or below `position` of each partition that matches, in key order."""
        content = self._content()
        last = {one.key: one for one in content.changes if one.sequence <= position and one.key in content.states}
        return iter(
            [
                change
                for key, change in sorted(last.items())
                if wanted.selects(key) and (not wanted.statuses or change.status_after in wanted.statuses)
            ]
        )

    def position_at(self, moment: datetime) -> int:
        """The sequence number of the last change that is not after `moment`."""
        return max((change.sequence for change in self._content().changes if change.at <= moment), default=0)

    def reports(self, source: str) -> list[str]:
        """The reports of `source` that have a row, or a change that an erasure made, sorted."""
        content = self._content()
        erased = (change.key for change in content.changes if change.cause == "erase")
        return sorted({key.report for key in (*content.states, *erased) if key.source == source})

    def authoritative_days(self, wanted: StateFilter, position: int | None = None) -> AuthoritativeDays:
        """The days that are authoritative, now or as of a `position`."""
        at = self.position() if position is None else position
        success = self.as_of(replace(wanted, statuses=(PartitionStatus.SUCCESS,)), at)
        return AuthoritativeDays.of(at, (change.key for change in success))

    def scheduling_states(self, wanted: StateFilter) -> Iterator[SchedulingState]:
        """The scheduling state of each partition that has a row or a mark, in key order."""
        content = self._content()
        return iter([content.scheduling(state) for state in content.selected(wanted)])

    def known_contents(self, wanted: StateFilter) -> dict[PartitionKey, KnownContent]:
        """What the authoritative runs of the partitions that match have sealed."""
        content = self._content()
        return {
            key: known
            for key in sorted(content.states)
            if wanted.selects(key) and (known := content.known(key)) is not None
        }

    def marks(self, key: PartitionKey) -> frozenset[Mark]:
        """The marks on `key`."""
        return self._content().marks.get(key, frozenset())

    def leases(self, now: datetime) -> list[Lease]:
        """The leases that are held at `now`, by scope."""
        return [lease for _, lease in sorted(self._content().leases.items()) if lease.expires_at > now]

    def spent(self, budget: str, now: datetime) -> Spent:
        """What was spent of `budget` and still counts at `now`."""
        return self._content().spent_at(budget, now)

    def rests(self, budget: str, now: datetime) -> list[Rest]:
        """The rests of `budget` whose time has not come at `now`."""
        return self._content().rests_at(budget, now)

    def newest_run(self) -> RunId | None:
        """The latest run with a result that is not revoked."""
        content = self._content()
        runs = {
            result.run_id
            for key, results in content.results.items()
            for _, result in results
            if result.run_id not in content.revoked.get(key, ())
        }
        return max(runs, default=None)

    def expectations(self, source: str) -> Expectations:
        """What is expected of `source`."""
        return self._content().expectations(source)

    def superseded(self, wanted: StateFilter) -> Iterator[PartitionKey]:
        """The partitions that match and may have a run to let go."""
        content = self._content()
        for key, state in sorted(content.states.items()):
            used = len(content.pruned.get(key, ())) + (state.current_run_id is not None)
            if wanted.selects(key) and state.attempt_count > used:
                yield key

    def open_prunes(self, limit: int) -> list[PrunedRun]:
        """The pruned runs whose removal is not on record."""
        pruned = self._content().pruned
        return [one for key in sorted(pruned) for one in pruned[key] if one.removed_at is None][: max(limit, 0)]

    def pinned(self, now: datetime) -> frozenset[tuple[PartitionKey, RunId]]:
        """The runs that are pinned."""
        pinned = self._content().pinned
        return frozenset((key, run) for key, some in pinned.items() for (run, _), until in some.items() if until > now)

    def erasures(self, source: str) -> list[Erasure]:
        """The erasures of accounts of `source`, oldest first."""
        return [one for one in self._content().erasures if one.source == source]

    def erased_change(self, sequence: int) -> str | None:
        """The fingerprint of a change that an erasure has removed."""
        return self._content().erased_changes.get(sequence)

    def account_rows(self, source: str, customer_id: str) -> Mapping[str, int]:
        """How much of each kind is kept of an account."""
        return {name: len(found) for name, found in self._content().of_account(source, customer_id).items()}

    def ledger_id(self) -> str | None:
        """The name of this ledger."""
        return self._content().ledger_id if self._path.exists() else None

    def close(self) -> None:
        """End the use of the ledger."""
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _content(self) -> Content:
        """The newest version; every version is a file of its own, so the inode and the time tell them apart."""
        if self._closed:
            raise LedgerError("the ledger is closed")
        try:
            with self._path.open("rb") as file:
                status = os.fstat(file.fileno())
                version = (status.st_ino, status.st_mtime_ns)
                if self._read is None or self._read[0] != version:
                    self._read = (version, pickle.load(file))
                return self._read[1]
        except FileNotFoundError:
            return Content()


class _Writer(PocketReader):
    def __init__(self, path: Path) -> None:
        super().__init__(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            self._change(lambda _: None)

    def _change(self, change: Callable[[Content], _Answer]) -> _Answer:
        """Let `change` alter the newest version, one writer at a time, and make the result the newest one."""
        with self._path.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._read = None
            content = self._content()
            self._read = None  # readers get a version that `change` does not alter
            answer = change(content)
            partial = self._path.with_suffix(".partial")
            with partial.open("wb") as file:
                pickle.dump(content, file)
                file.flush()
                os.fsync(file.fileno())
            partial.replace(self._path)
            folder = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)
            return answer


class PocketValidatorLedger(_Writer):
    """Implements `gads_domain.ports.ledger.ValidatorLedger`."""

    def record(self, changes: Sequence[StateChange]) -> list[bool]:
        """Write the changes; for each, in order, whether it was recorded."""

        def change_all(content: Content) -> list[bool]:
            content.require_none_erased(change.after.key for change in changes)
            return [_record(content, change) for change in changes]

        return self._change(change_all) if changes else []

    def confirm(self, confirmations: Sequence[Confirmation]) -> list[bool]:
        """Put on record that the rows of runs came again; for each, in order, whether it was."""

        def change_all(content: Content) -> list[bool]:
            content.require_none_erased(one.key for one in confirmations)
            return list(map(content.confirm, confirmations))

        return self._change(change_all) if confirmations else []


def _record(content: Content, change: StateChange) -> bool:
    before, after = content.state(change.after.key), change.after
    if before.version != change.before.version:
        return False
    if PartitionStatus.PENDING is after.status is not before.status:
        raise UsageError("a validation cannot make a partition pending")
    pin = change.pin
    if pin is not None and content.pins.setdefault((pin.source, pin.report, pin.schema_version), pin) != pin:
        return False
    if change.attempt is not None:
        content.results.setdefault(after.key, []).append((after.version, change.attempt))
    content.write(before, after, change.cause)
    return True


class PocketControlPlaneLedger(_Writer):
    """Implements `gads_domain.ports.ledger.ControlPlaneLedger`."""

    def retry(self, keys: Sequence[PartitionKey], act: OperatorAct) -> list[bool]:
        """Make each failed key pending; for each, in order, whether it was."""

        def one(content: Content, key: PartitionKey) -> bool:
            before = content.state(key)
            if before.status is not PartitionStatus.FAILED or (act.by_policy and content.marks.get(key)):
                return False
            after = retry(before, act.at)
            return content.act(key, ActKind.RETRY, act, lambda: content.write(before, after, "retry"))

        return self._change(lambda content: [one(content, key) for key in keys])

    def mark(self, keys: Sequence[PartitionKey], mark: Mark, act: OperatorAct) -> list[bool]:
        """Put `mark` on each key; for each, in order, whether it was not there."""
        return self._set_mark(keys, mark, act, present=True)

    def unmark(self, keys: Sequence[PartitionKey], mark: Mark, act: OperatorAct) -> list[bool]:
        """Take `mark` off each key; for each, in order, whether it was there."""
        return self._set_mark(keys, mark, act, present=False)

    def _set_mark(self, keys: Sequence[PartitionKey], mark: Mark, act: OperatorAct, *, present: bool) -> list[bool]:
        kind = (MARKING if present else UNMARKING)[mark]

        def one(content: Content, key: PartitionKey) -> bool:
            marks = content.marks.get(key, frozenset())
            if (mark in marks) is present or content.erasure(key.source, key.customer_id):
                return False
            after = marks | {mark} if present else marks - {mark}
            return content.act(key, kind, act, lambda: content.marks.update({key: after}))

        return self._change(lambda content: [one(content, key) for key in keys])

    def revoke(self, runs: Sequence[tuple[PartitionKey, RunId]], act: OperatorAct) -> list[bool]:
        """Revoke each run of its key; for each, in order, whether that is new."""
        return self._decide(ActKind.REVOKE, runs, act)

    def accept(self, runs: Sequence[tuple[PartitionKey, RunId]], act: OperatorAct) -> list[bool]:
        """Accept each run that its key holds for a decision; for each, in order, whether that is new."""
        return self._decide(ActKind.ACCEPT, runs, act)

    def _decide(self, kind: ActKind, runs: Sequence[tuple[PartitionKey, RunId]], act: OperatorAct) -> list[bool]:
        def one(content: Content, key: PartitionKey, run_id: RunId) -> bool:
            accepts, state = kind is ActKind.ACCEPT, content.state(key)
            table = content.accepted if accepts else content.revoked
            decided = table.get(key, frozenset())
            known = {state.held_run_id} if accepts else {result.run_id for _, result in content.results.get(key, ())}
            if run_id in decided or run_id not in known or content.erasure(key.source, key.customer_id):
                return False
            # The next version of the row makes what validators have decided by now stale.
            content.states[key] = replace(state, version=state.version + 1, updated_at=act.at)
            return content.act(key, kind, act, lambda: table.update({key: decided | {run_id}}))

        return self._change(lambda content: [one(content, *run) for run in runs])

    def take_leases(
        self, scopes: Sequence[str], owner: str, now: datetime, until: datetime, giving_back: Sequence[Lease] = ()
    ) -> list[Lease | None]:
        """Release `giving_back`, then lease each scope that no other owner holds."""
        if until <= now:
            raise InvalidValueError(f"a lease from {now} until {until} would never be held")

        def one(content: Content, scope: str) -> Lease | None:
            held = content.leases.get(scope)
            if held is not None and held.owner != owner and held.expires_at > now:
                return None
            content.lease_number += 1
            content.leases[scope] = Lease(scope, owner, content.lease_number, until)
            return replace(content.leases[scope], left_behind=held is not None)

        def change(content: Content) -> list[Lease | None]:
            for scope in scopes:
                if (erasure := content.erasure_of(scope)) is not None:
                    raise erasure.refusal()
            content.release(giving_back)
            return [one(content, scope) for scope in scopes]

        return self._change(change)

    def renew_leases(self, leases: Sequence[Lease], now: datetime, until: datetime) -> list[Lease | None]:
        """Hold each lease until `until`; None for one that was lost."""

        def one(content: Content, lease: Lease) -> Lease | None:
            if not content.holds(lease, now):
                return None
            content.leases[lease.scope] = replace(content.leases[lease.scope], expires_at=until)
            return content.leases[lease.scope]

        return self._change(lambda content: [one(content, lease) for lease in leases])

    def release_leases(self, leases: Sequence[Lease]) -> None:
        """Give back each lease that is still held by its owner."""
        self._change(lambda content: content.release(leases))

    def break_lease(self, lease: Lease, act: OperatorAct) -> bool:
        """Take a lease from its holder, with an act on the day of the act."""

        def change(content: Content) -> bool:
            if not content.holds(lease, act.at):
                return False
            content.leases[lease.scope] = replace(content.leases[lease.scope], expires_at=act.at)
            key = PartitionKey.parse(f"{lease.scope}/{act.at.date()}")
            content.act(key, ActKind.BREAK_LEASE, act, lambda: None)
            return True

        return self._change(change)

    def spend(
        self, call: CallScope, operations: int, limit: int | None, lease: Lease | None, now: datetime
    ) -> Spending:
        """Count `operations` for `call` if it does not rest, as many are left, and `lease` holds."""
        if operations < 1:
            raise InvalidValueError(f"{operations} is not a number of operations to spend")

        def change(content: Content) -> Spending:
            if lease is not None and not content.holds(lease, now):
                return Spending.LEASE_LOST
            if any(rest.scope.covers(call) for rest in content.rests_at(call.budget, now)):
                return Spending.RESTING
            if limit is not None and content.spent_at(call.budget, now).count + operations > limit:
                return Spending.EXHAUSTED
            at = content.at_or_after_the_last(call.budget, now)
            content.spent.setdefault(call.budget, []).append((at, operations))
            return Spending.GRANTED

        return self._change(change)

    def rest(self, call: CallScope, asked: RestAsked, now: datetime) -> Rest:
        """Record what the API asked after `call`, unless a rest of the same calls lasts longer."""
        if asked.length <= timedelta():
            raise InvalidValueError(f"a rest of {asked.length} is not longer than nothing")

        def change(content: Content) -> Rest:
            scope = asked.scope_of(call)
            new = Rest(scope, content.at_or_after_the_last(call.budget, now) + asked.length, asked.reason)
            content.rests[scope] = max(content.rests.get(scope, new), new, key=lambda rest: rest.not_before)
            return content.rests[scope]

        return self._change(change)

    def record_list(self, drawn: DrawnList) -> Expectations:
        """Put an account list on record."""
        return self._change(lambda content: content.record_list(drawn))

    def forget(self, source: str, customer_id: str, act: OperatorAct) -> bool:
        """Take an account out of what is expected."""
        return self._change(lambda content: content.forget(source, customer_id, act))

    def prune(
        self, runs: Sequence[tuple[PartitionKey, RunId]], policy: RetentionPolicy, act: OperatorAct
    ) -> list[PrunedRun | None]:
        """Put on record that runs are to be removed."""
        return self._change(lambda content: [content.prune(*run, policy, act) for run in runs])

    def end_prunes(self, removed: Sequence[PrunedRun]) -> None:
        """Put on record that runs were removed."""

        def change(content: Content) -> None:
            for one in removed:
                content.pruned[one.key] = tuple(
                    one if known.run_id == one.run_id and known.removed_at is None else known
                    for known in content.pruned.get(one.key, ())
                )

        self._change(change)

    def order_erasure(self, source: str, customer_id: str, act: OperatorAct) -> Erasure:
        """Put the erasure of an account on record, and withdraw all its authority."""
        return self._change(lambda content: content.order_erasure(source, customer_id, act))

    def erase(self, source: str, customer_id: str, now: datetime, limit: int) -> Erasure:
        """Remove what is kept of an erased account, of up to `limit` partitions."""
        return self._change(lambda content: content.erase(source, customer_id, now, limit))

    def count_erased(self, source: str, customer_id: str, counts: Mapping[str, int]) -> Erasure:
        """Add to what went elsewhere."""

        def change(content: Content) -> Erasure:
            known = content.change_erasure(source, customer_id).elsewhere
            sums = {name: known.get(name, 0) + counts.get(name, 0) for name in {**known, **counts}}
            return content.change_erasure(source, customer_id, elsewhere=sums)

        return self._change(change)

    def end_erasure(self, source: str, customer_id: str, now: datetime) -> Erasure:
        """Put on record that nothing of the account is left anywhere."""

        def change(content: Content) -> Erasure:
            erasure = content.change_erasure(source, customer_id)
            if erasure.cleared_at is None:
                raise UsageError(f"the ledger still has rows of account {customer_id}")
            return content.change_erasure(source, customer_id, ended_at=erasure.ended_at or now)

        return self._change(change)

    def readmit(self, source: str, customer_id: str, act: OperatorAct) -> Erasure:
        """Lift the erasure of an account."""

        def change(content: Content) -> Erasure:
            if content.change_erasure(source, customer_id).ended_at is None:
                raise UsageError(f"the erasure of account {customer_id} has not ended")
            return content.change_erasure(source, customer_id, readmission=act)

        return self._change(change)


class PocketPinLedger(_Writer):
    """Implements `gads_domain.ports.pins.PinLedger`."""

    def pin(self, name: str, runs: Sequence[tuple[PartitionKey, RunId]], until: datetime, now: datetime) -> Pin:
        """Keep `runs` until `until`."""
        return self._change(lambda content: content.pin(name, runs, until, now))

    def release(self, name: str) -> bool:
        """End a pin; whether there was one."""
        return self._change(lambda content: content.unpin(name))

    def pins(self, now: datetime) -> list[Pin]:
        """The pins that are not over."""
        return self._content().pins_at(now)


class PocketLedgerAdapter:
    """What the entry point `pocket` of `gads.ledgers` names."""

    def open_reader(self, url: str, base: Path) -> PocketReader:
        """Open for reading; an absent ledger is not created."""
        return PocketReader(path_of(url, base))

    def open_for_validator(self, url: str, base: Path) -> PocketValidatorLedger:
        """Open as the validator."""
        return PocketValidatorLedger(path_of(url, base))

    def open_for_control_plane(self, url: str, base: Path) -> PocketControlPlaneLedger:
        """Open as the control plane."""
        return PocketControlPlaneLedger(path_of(url, base))

    def open_pins(self, url: str, base: Path) -> PocketPinLedger:
        """Open for pins alone."""
        return PocketPinLedger(path_of(url, base))

    def check(self, url: str, base: Path) -> None:
        """Raise `LedgerError` unless the folder could hold the ledger."""
        folder = path_of(url, base).parent
        while not folder.exists():
            folder = folder.parent
        if not os.access(folder, os.W_OK):
            raise LedgerError(f"{folder} cannot be written")


ADAPTER = PocketLedgerAdapter()
