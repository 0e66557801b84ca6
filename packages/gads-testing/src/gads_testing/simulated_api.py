"""An API, a sink and a clock without network or disk, for the real planner, ledger and state machine."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from gads_domain.clock import moment_after
from gads_domain.errors import (
    AccountRefusedError,
    FailureReason,
    FailureScope,
    GadsError,
    LeaseLostError,
    QuotaExhaustedError,
    TransientApiError,
)
from gads_domain.metadata import ColumnSpec, KnownContent, PartitionFacts, PartitionMetadata, TableSchema
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.report_source import (
    NOTHING_KNOWN,
    DayOutcome,
    OperationQuota,
    RowProgress,
    Sealed,
    SliceResult,
    Unchanged,
    Unsealed,
)
from gads_domain.quota import RestAsked, RestReach
from gads_domain.report import ReportSlice
from gads_domain.run import RunContext, RunId

SCHEMA = TableSchema((ColumnSpec("segments_date", "segments.date", "date32"),))
FACTS = PartitionFacts(datetime(2024, 1, 1, tzinfo=UTC), "v26", "SELECT", 1, SCHEMA, 1, ("r",), "simulated", "1")


class SimulatedClock:
    """Shows the time that it is set to; calls of the API advance it."""

    def __init__(self, start: datetime) -> None:
        self.moment = start

    def now(self) -> datetime:
        return self.moment

    def advance(self, by: timedelta) -> None:
        self.moment += by


class SeededRunIds:
    """Run ids from a simulated clock and a seed."""

    def __init__(self, clock: SimulatedClock, seed: int) -> None:
        self._clock = clock
        self._chance = Random(f"runs {seed}")

    def new_run_id(self, after: RunId | None = None) -> RunId:
        self._clock.advance(timedelta(milliseconds=1))
        return RunId.compose(moment_after(after, self._clock.now()), self._chance.randbytes(4))


class SimulatedSink:
    """Keeps the digest of what each run sealed."""

    def __init__(self) -> None:
        self.contents: dict[PartitionKey, dict[RunId, str]] = {}

    def runs(self, key: PartitionKey) -> list[RunId]:
        return sorted(self.contents.get(key, ()))

    def seal(self, key: PartitionKey, run_id: RunId, content: str) -> None:
        runs = self.contents.setdefault(key, {})
        assert run_id not in runs, "sealed twice under one run"
        runs[run_id] = content

    def remove(self, partitions: Sequence[tuple[PartitionKey, RunId]]) -> list[int]:
        return [len(self.contents.get(key, {}).pop(run_id, "")) for key, run_id in partitions]

    def digests(self, key: PartitionKey, run_id: RunId) -> tuple[str, str]:
        return hashlib.sha256(run_id.value.encode()).hexdigest(), self.contents[key][run_id]


@dataclass
class Trouble:
    """The API's planned failures: denied accounts, outages, days without quota, and random errors."""

    denied: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)
    outages: list[tuple[datetime, datetime, frozenset[str]]] = field(default_factory=list)
    quota_days: dict[date, int] = field(default_factory=dict)
    blips: float = 0.0


@dataclass(frozen=True)
class Call:
    """One call of the API, and its answer."""

    at: datetime
    run_id: str
    customer_id: str
    report: str
    first: date
    last: date
    answer: str


class CountedQuota:
    """Counts what is taken of a quota."""

    def __init__(self, quota: OperationQuota) -> None:
        self._quota = quota
        self.taken = 0

    def take(self) -> None:
        self._quota.take()
        self.taken += 1

    def rest(self, asked: RestAsked) -> None:
        self._quota.rest(asked)


def failed_slice(slice_: ReportSlice, error: GadsError, operations: int) -> SliceResult:
    """The result of a call that failed: failed days, or a failure that reaches further."""
    reason = FailureReason.of(error)
    is_wide = reason.scope.stops_the_run or isinstance(error, LeaseLostError)
    days = () if is_wide else tuple(Unsealed(key, reason) for key in slice_.keys)
    return SliceResult(days, operations, reason if is_wide or reason.scope is FailureScope.ACCOUNT else None)


class SimulatedApi:
    """A `ReportSource` whose rows change with the age of their day and that fails as `trouble` says."""

    def __init__(
        self,
        clock: SimulatedClock,
        sink: SimulatedSink,
        trouble: Trouble,
        seed: int,
        call_takes: timedelta = timedelta(seconds=1),
        before_seal: Callable[[PartitionKey], None] = lambda key: None,
    ) -> None:
        self._clock = clock
        self._sink = sink
        self.trouble = trouble
        self._chance = Random(f"blips {seed}")
        self._takes = call_takes
        self._before_seal = before_seal
        self.calls: list[Call] = []

    def extract(
        self,
        slice_: ReportSlice,
        run: RunContext,
        sink: Any,
        quota: OperationQuota | None = None,
        progress: RowProgress | None = None,
        known: Mapping[PartitionKey, KnownContent] = NOTHING_KNOWN,
    ) -> SliceResult:
        assert quota is not None
        counted = CountedQuota(quota)
        try:
            self._answer(slice_, run, counted)
        except GadsError as error:
            return failed_slice(slice_, error, counted.taken)
        days: list[DayOutcome] = []
        for key in slice_.keys:
            self._before_seal(key)
            content, was = self._content(key), known.get(key)
            if was is not None and was.content_sha256 == content:
                days.append(Unchanged(key, was.run_id, content, was.record_count, ("r",)))
                continue
            self._sink.seal(key, run.run_id, content)
            metadata = PartitionMetadata(key, run.run_id, FACTS, "payload-0123456789abcdef.parquet", 1, "0" * 64)
            days.append(Sealed(key, metadata))
        return SliceResult(tuple(days), counted.taken)

    def _answer(self, slice_: ReportSlice, run: RunContext, quota: OperationQuota) -> None:
        quota.take()
        self._clock.advance(self._takes)
        error = self._error(slice_)
        answer = "ok" if error is None else error.code
        span = (slice_.customer_id, slice_.report.name, slice_.first, slice_.last)
        self.calls.append(Call(self._clock.now(), run.run_id.value, *span, answer))
        if isinstance(error, QuotaExhaustedError):
            self.ask_for_rest(error, quota)
        if error is not None:
            raise error

    def ask_for_rest(self, error: GadsError, quota: OperationQuota) -> None:
        """Let every call rest until the day without quota is over."""
        now = self._clock.now()
        tomorrow = now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
        quota.rest(RestAsked(RestReach.PROJECT, tomorrow - now, error.message))

    def _error(self, slice_: ReportSlice) -> GadsError | None:
        now = self._clock.now()
        left = self.trouble.quota_days.get(now.date())
        if left is not None:
            if left <= 0:
                return QuotaExhaustedError("RESOURCE_EXHAUSTED")
            self.trouble.quota_days[now.date()] = left - 1
        since_until = self.trouble.denied.get(slice_.customer_id)
        if since_until is not None and since_until[0] <= now < since_until[1]:
            return AccountRefusedError("USER_PERMISSION_DENIED")
        for begins, ends, accounts in self.trouble.outages:
            if begins <= now < ends and slice_.customer_id in accounts:
                return TransientApiError("UNAVAILABLE")
        if self._chance.random() < self.trouble.blips:
            return TransientApiError("INTERNAL")
        return None

    def _content(self, key: PartitionKey) -> str:
        age = (self._clock.now().date() - key.logical_date).days
        settled_after = int(hashlib.sha256(str(key).encode()).hexdigest()[:2], 16) % 4
        return hashlib.sha256(f"{key} {min(age, settled_after)}".encode()).hexdigest()
