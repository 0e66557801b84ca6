"""The ledger, cut by rights: what a reader, the validator and the control plane may do with it."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

from gads_domain.control import Lease, Mark, RetentionPolicy, SchedulingState
from gads_domain.erasure import Erasure
from gads_domain.expectations import DrawnList, Expectations
from gads_domain.gaps import AuthoritativeDays
from gads_domain.metadata import KnownContent
from gads_domain.partition_key import PartitionKey
from gads_domain.quota import CallScope, Rest, RestAsked, Spending, Spent
from gads_domain.run import RunId
from gads_domain.state import (
    AuthorityChange,
    Confirmation,
    KeyHistory,
    OperatorAct,
    PartitionState,
    PrunedRun,
    RecordedAct,
    SchemaPin,
    StateChange,
    StateFilter,
)


class StateReader(Protocol):
    """What every process may ask of the ledger.

    Laws:

    1. A partition without a row is `pending`, at version 0, with nothing else set.
    2. Reading changes nothing; a ledger that does not exist reads as empty and is not created by it.
    3. What one call returns is one consistent moment of the ledger, of however many partitions it tells.
    4. The log only grows, but for 13; a reader that has read up to a sequence number never finds a new entry at or
        below it.
    5. Along the log `at` never goes back: where the writer's clock is behind, an entry takes the time before it.
    6. What was the case at a position stays so, but for 13: `as_of` a position that the log has reached never changes,
       and as of the last position it agrees with the rows.
    7. `scheduling_states` returns every matching partition that has a row or a mark, each once, in key order; `history`
       names the runs that every revocation on record withdraws, and those that every acceptance on record accepts.
       `authority_changes_of` a key are its own.
    8. `newest_run` is the latest run that has a validation result on record which no revocation withdraws; None if
       there is none. Its cost does not grow with the number of results.
    9. `expectations` are those of the drawn lists on record. While none was drawn, they are inferred from the rows:
       each report of each account is expected from its first row's day to its last one's, and there are no accounts.
    10. `authoritative_days` are those of the partitions that match and whose status is `success` as of its position,
        as `as_of` says. Its cost as of the last position grows with the holes between days, and not with the days.
    11. `spent` is what `spend` granted, each operation until 24 hours after it and at most `BUCKET` longer; `rests` are
        on record until their time has come.
    12. `known_contents` are those of the matching partitions whose status is `success`, whose authoritative run is not
        revoked, and which hold nothing for a decision. A result says by which run it was last confirmed.
    13. `erasures` are those on record, in the order of their orders. An erasure takes an account out of the log and of
        every position of the past, but for the changes that it made itself (`cause` is `erase`); of each change that
        went, `erased_change` returns the fingerprint.
    14. `account_rows` counts whatever is kept of an account besides its erasures and the changes that they made.
    15. `superseded` are the matching partitions with a row that have a validation result of a run that is neither
        authoritative nor pruned. `open_prunes` are the pruned runs that are not known to be removed; `history` has all.
        `pinned` are the runs of all pins that end after `now`.
    """

    def get(self, key: PartitionKey) -> PartitionState:
        """The state of `key`; a pending one if there is no row."""

    def get_many(self, keys: Sequence[PartitionKey]) -> list[PartitionState]:
        """The states of `keys`, in their order, of one moment."""

    def find(self, wanted: StateFilter, *, limit: int | None = None) -> Iterator[PartitionState]:
        """The rows that match, in key order (source, customer, report, day)."""

    def history(self, key: PartitionKey) -> KeyHistory:
        """The row of `key`, its attempts in the order they were recorded, the revoked runs."""

    def histories(self, keys: Sequence[PartitionKey]) -> list[KeyHistory]:
        """The histories of `keys`, in their order, of one moment: for each what `history` says, at less cost.

        Raises what `history` raises if that is so of any of them.
        """

    def acts(self, key: PartitionKey) -> list[RecordedAct]:
        """The control plane's acts on `key`, oldest first."""

    def schema_pin(self, source: str, report: str, schema_version: int) -> SchemaPin | None:
        """The schema that this version of the report stands for, if a run has fixed it."""

    def authority_changes(self, *, after: int = 0, limit: int | None = None) -> list[AuthorityChange]:
        """The authority changes with a sequence number above `after`, in order."""

    def authority_changes_of(self, key: PartitionKey) -> list[AuthorityChange]:
        """The authority changes of `key`, in order."""

    def position(self) -> int:
        """The sequence number of the last authority change; 0 if there is none."""

    def as_of(self, wanted: StateFilter, position: int) -> Iterator[AuthorityChange]:
        """The last authority change at or below `position` of each partition that matches, in key order.

        A partition without a change by then is not there: it was pending. `wanted.statuses` is compared with the
        status after the change.
        """

    def position_at(self, moment: datetime) -> int:
        """The sequence number of the last authority change whose `at` is not after `moment` (aware); 0 if none."""

    def reports(self, source: str) -> list[str]:
        """The names of the reports of `source` that have a row, or a change that an erasure made, sorted."""

    def authoritative_days(self, wanted: StateFilter, position: int | None = None) -> AuthoritativeDays:
        """The authoritative days of each account and report that match, now or as of a `position`, of one source.

        `wanted` names the source; its statuses are not looked at.
        """

    def scheduling_states(self, wanted: StateFilter) -> Iterator[SchedulingState]:
        """The scheduling state of each partition that has a row or a mark, in key order, of one moment."""

    def known_contents(self, wanted: StateFilter) -> Mapping[PartitionKey, KnownContent]:
        """What the authoritative run of the partitions that match has sealed, of one moment; law 12 says of which.

        `wanted.statuses` and `held` are not looked at.
        """

    def marks(self, key: PartitionKey) -> frozenset[Mark]:
        """The marks on `key`."""

    def leases(self, now: datetime) -> list[Lease]:
        """The leases that are held at `now`, by scope."""

    def spent(self, budget: str, now: datetime) -> Spent:
        """What was spent of `budget` and still counts at `now`."""

    def rests(self, budget: str, now: datetime) -> list[Rest]:
        """The rests of `budget` whose time has not come at `now`, by scope."""

    def newest_run(self) -> RunId | None:
        """The latest run with a validation result that is not revoked, whatever its outcome; None if there is none.

        A run must be later than this one, or its results lose to rows that are older than its own.
        """

    def expectations(self, source: str) -> Expectations:
        """The account list of `source` as last drawn, and what is expected of it, of one moment."""

    def superseded(self, wanted: StateFilter) -> Iterator[PartitionKey]:
        """The partitions that match and may have a run that retention lets go, in key order, of one moment.

        `wanted.statuses` and `held` are not looked at.
        """

    def open_prunes(self, limit: int) -> list[PrunedRun]:
        """Up to `limit` pruned runs whose removal from the sink is not on record, in key order."""

    def pinned(self, now: datetime) -> frozenset[tuple[PartitionKey, RunId]]:
        """The runs that readers have pinned."""

    def erasures(self, source: str) -> list[Erasure]:
        """The erasures of accounts of `source`, oldest first; those that were lifted are among them."""

    def erased_change(self, sequence: int) -> str | None:
        """The fingerprint of the authority change with this number, if an erasure has removed it."""

    def account_rows(self, source: str, customer_id: str) -> Mapping[str, int]:
        """How many rows of each kind are kept of an account; only kinds with any."""

    def ledger_id(self) -> str | None:
        """Names this ledger among all ledgers, for good; None while it does not exist."""

    def close(self) -> None:
        """Let go of the ledger; using it afterwards is an error."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@runtime_checkable
class ListsAccounts(Protocol):
    """A reader that gives the list of accounts without reading what is expected of each report of them.

    Laws:

    1. `account_list` is `expectations(source)` with nothing expected.
    """

    def account_list(self, source: str) -> Expectations:
        """The account list as last drawn."""
        ...


class ValidatorLedger(StateReader, Protocol):
    """What the validator alone may do.

    Laws:

    1. `record` writes a change only if the row is still at `change.before.version`, and `change.pin` only if no
       other schema is fixed for that version; otherwise it writes nothing of that change and reports it as not
       recorded. Changes of one call stand or fall each for itself and are durable together when the call returns.
    2. Row, attempt, pin and log entry of one change appear in one transaction or not at all.
    3. An entry is appended to the log exactly when status or authority moved.
    4. A change from `failed` to `pending` is refused with `UsageError`: only the control plane makes it.
    5. `confirm` puts a confirmation on record if its run is authoritative with this content and not revoked, and the
       partition has no `last_error`, holds nothing, and has no confirmation as new: what `settle` makes of it where
       nothing else is due. Of any other it changes nothing. The row's version rises, so that a decision made before is
       stale; no result and no log entry comes of it.
    6. Of an account whose erasure is in force nothing is written: `record` and `confirm` raise `AccountErasedError`,
       and then write nothing of the call, whenever the change was decided.
    """

    def record(self, changes: Sequence[StateChange]) -> list[bool]:
        """Write the changes; for each, in order, whether it was recorded or met a conflict."""

    def confirm(self, confirmations: Sequence[Confirmation]) -> list[bool]:
        """Put on record that the rows of runs came again; for each, in order, whether it was.

        What was not is decided by `is_confirmed` of the partition's history, and recorded like any other change.
        """


class ControlPlaneLedger(StateReader, Protocol):
    """What the control plane may do: acts on record, and never `success` or `failed`.

    Laws:

    1. `retry` moves `failed` to `pending`, with the act and the log entry in the same transaction, and changes
       nothing else; a partition in any other status is left alone and reported so. Asked twice, the second changes
       nothing. By policy (`act.by_policy`) a partition with a mark is left alone too.
    2. Attempts, authority and raw data are out of its reach.
    3. `mark` and `unmark` change a mark and nothing else, with the act in the same transaction; what is so already is
       left alone, leaves no act and is reported so. No row comes into being by a mark.
    4. `revoke` records the revocation of a run that was validated, once; the row keeps status and authority, but a
       decision that was made before it is stale. A run that was never validated is left alone and reported so.
    5. Each act is recorded with the scheduling state before and after; acts are never changed or removed.
    6. A scope is leased to one owner at a time: of several that ask at once one gets it. A lease that has expired or
       was released may be given again, with a higher number than any before it, and says if it was not released; its
       former owner can neither renew it nor spend by it. The owner of a lease that asks again gets a new one. What is
       given back with a taking is released whether or not anything is taken, as by `release_leases`.
    7. `spend` counts operations if no rest covers the call, the budget allows all of them and the lease holds, and
       otherwise nothing. Of a limit that all who spend agree on, never more is granted within 24 hours, as any of their
       clocks shows them: what is spent by a clock that is behind counts from the latest time that the ledger has seen
       of the budget. What was spent stays spent.
    8. `record_list` leads from the expectations on record to `after_drawing` of them in one step, and returns the new
       ones; of several lists recorded at once none is lost. No row, authority change or act comes of it.
    9. `accept` records the acceptance of a run that is held for a decision, once; the row keeps status, authority and
       held run, but a decision that was made before it is stale. Any other run is left alone and reported so.
    10. `rest` begins at `now`, or at the latest time that the ledger has seen of the budget if that is later. Of
        several rests of one scope the one that ends last holds; none is shortened, and each ends by time, or with the
        account that is erased.
    11. `forget` leads from the expectations on record to `after_forgetting` of them, with an act on the first day that
        was expected of each report of the account. Where that changes nothing, it leaves no act and is reported so.
    12. `break_lease` ends a lease at the time of the act if it is still the one that is held then, as if it had
        expired, with an act on the day of the act. Of any other lease it leaves no act and reports so.
    13. `order_erasure` takes all authority of an account in one step: for each of its partitions that is `success`, in
        key order, an entry leads from its run to none, with the cause `erase`; it has no row any more, no list has it
        and nothing is expected of it. An account whose erasure is in force stays as it is.
    14. While an erasure is in force, `take_leases` raises `AccountErasedError`, no lease of the account is renewed and
        nothing is spent by one; no act is recorded of it, which is reported so, and a list that is recorded leaves it
        out. All this is so from the moment of the order.
    15. `erase` removes what is kept of the account, of up to `limit` partitions a call, until nothing is left: then
        `cleared_at` is set. `digest`, made by `digest_over`, and the counts are the same for every `limit`. What is of
        other accounts stays, and so does the position. Called again, it changes nothing.
    16. `count_erased` adds to what went elsewhere. `end_erasure` sets `ended_at` once the account is cleared. `readmit`
        lifts an erasure that has ended, once; any other raises `UsageError`. The account then begins from nothing, and
        may be erased again.
    17. `prune` puts exactly those of the runs on record that `prunable` lets go at the time of the act, by the pins
        that end later; a decision that was made before it is stale, and status, authority and `updated_at` stay. It
        leaves the act with each run, and none among `acts`. What is pruned already stays so, and is answered with None.
    18. `end_prunes` sets `removed_at` and `freed` of a pruned run, once, and touches nothing else.
    """

    def prune(
        self, runs: Sequence[tuple[PartitionKey, RunId]], policy: RetentionPolicy, act: OperatorAct
    ) -> list[PrunedRun | None]:
        """Put on record that runs are to be removed from the sink; for each, in order, None if it has to stay."""

    def end_prunes(self, removed: Sequence[PrunedRun]) -> None:
        """Put on record when the sink had removed these runs, and how many bytes each of them freed."""

    def retry(self, keys: Sequence[PartitionKey], act: OperatorAct) -> list[bool]:
        """Move each failed key back to `pending`; for each, in order, whether it was moved."""

    def mark(self, keys: Sequence[PartitionKey], mark: Mark, act: OperatorAct) -> list[bool]:
        """Put `mark` on each key; for each, in order, whether it was not there before."""

    def unmark(self, keys: Sequence[PartitionKey], mark: Mark, act: OperatorAct) -> list[bool]:
        """Take `mark` off each key; for each, in order, whether it was there."""

    def revoke(self, runs: Sequence[tuple[PartitionKey, RunId]], act: OperatorAct) -> list[bool]:
        """Revoke each run of its key; for each, in order, whether the revocation is new."""

    def accept(self, runs: Sequence[tuple[PartitionKey, RunId]], act: OperatorAct) -> list[bool]:
        """Accept each run that its key holds for a decision; for each, in order, whether the acceptance is new."""

    def take_leases(
        self, scopes: Sequence[str], owner: str, now: datetime, until: datetime, giving_back: Sequence[Lease] = ()
    ) -> list[Lease | None]:
        """Lease each scope that no other owner holds at `now`; for each, in order, the lease or None.

        `giving_back` is released before, in the same step, so that going from one scope to the next costs one write.
        """

    def renew_leases(self, leases: Sequence[Lease], now: datetime, until: datetime) -> list[Lease | None]:
        """Hold each lease until `until`; for each, in order, the lease as it is now, or None if it was lost."""

    def release_leases(self, leases: Sequence[Lease]) -> None:
        """Give back each lease that is still held by its owner; the others are left alone."""

    def break_lease(self, lease: Lease, act: OperatorAct) -> bool:
        """Take `lease` from its holder; whether it was still held at the time of the act."""

    def spend(
        self, call: CallScope, operations: int, limit: int | None, lease: Lease | None, now: datetime
    ) -> Spending:
        """Count `operations` for `call`, of which `limit` are allowed in 24 hours (None: as many as the API allows).

        With a `lease`, only if it is still held at `now`. Raises `InvalidValueError` for less than one operation.
        """

    def rest(self, call: CallScope, asked: RestAsked, now: datetime) -> Rest:
        """Put on record what the API asked after `call`; returns the rest as it holds now.

        Raises `InvalidValueError` for a rest that is not longer than nothing.
        """

    def record_list(self, drawn: DrawnList) -> Expectations:
        """Put an account list that was drawn on record; returns what is expected from now on."""

    def forget(self, source: str, customer_id: str, act: OperatorAct) -> bool:
        """Take an account that the last list does not select out of what is expected; whether anything was."""

    def order_erasure(self, source: str, customer_id: str, act: OperatorAct) -> Erasure:
        """Put the erasure of an account on record, and withdraw all its authority; returns the one in force."""

    def erase(self, source: str, customer_id: str, now: datetime, limit: int) -> Erasure:
        """Remove what is kept of the account, of up to `limit` partitions; returns the erasure as it is now.

        Raises `UsageError` if no erasure of the account is in force.
        """

    def count_erased(self, source: str, customer_id: str, counts: Mapping[str, int]) -> Erasure:
        """Add to what went elsewhere by the erasure in force; raises `UsageError` if there is none."""

    def end_erasure(self, source: str, customer_id: str, now: datetime) -> Erasure:
        """Put on record that nothing of the account is left anywhere; raises `UsageError` if it is not cleared."""

    def readmit(self, source: str, customer_id: str, act: OperatorAct) -> Erasure:
        """Lift the erasure of an account, and return it; raises `UsageError` if none in force has ended."""
