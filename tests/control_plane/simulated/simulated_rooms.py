"""Clock, API, sink and a light validator without a network, for the real planner, ledger and state machine."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

from gads_domain.errors import FailureReason, GadsError, PermanentApiError, QuotaExhaustedError, TransientApiError
from gads_domain.metadata import ColumnSpec, PartitionFacts, PartitionMetadata, TableSchema
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.ledger import ValidatorLedger
from gads_domain.ports.report_source import DayOutcome, RowProgress, Sealed, Unsealed
from gads_domain.ports.validation import PartitionValidation, UnsealedRun
from gads_domain.report import ReportSlice
from gads_domain.run import RunContext, RunId
from gads_domain.state import StateChange, ValidationOutcome, ValidationResult
from gads_domain.state_machine import is_news, settle
from gads_orchestrator.budget import QuotaGate

SCHEMA = TableSchema((ColumnSpec("segments_date", "segments.date", "date32"),))
FACTS = PartitionFacts(datetime(2024, 1, 1, tzinfo=UTC), "v26", "SELECT", 1, SCHEMA, 1, ("r",), "simulated", "1")


class SimulatedClock:
    """Shows the time it is told, and moves by itself only by what calls take."""

    def __init__(self, start: datetime) -> None:
        self.moment = start

    def now(self) -> datetime:
        return self.moment

    def advance(self, by: timedelta) -> None:
        self.moment += by


class SeededRunIds:
    """Run ids of a simulated clock and a seeded chance."""

    def __init__(self, clock: SimulatedClock, seed: int) -> None:
        self._clock = clock
        self._chance = Random(f"runs {seed}")

    def new_run_id(self) -> RunId:
        self._clock.advance(timedelta(milliseconds=1))
        return RunId.compose(self._clock.now(), self._chance.randbytes(4))


class SimulatedSink:
    """Knows which run sealed what; the content is a digest."""

    def __init__(self) -> None:
        self.contents: dict[PartitionKey, dict[RunId, str]] = {}

    def runs(self, key: PartitionKey) -> list[RunId]:
        return sorted(self.contents.get(key, ()))

    def seal(self, key: PartitionKey, run_id: RunId, content: str) -> None:
        runs = self.contents.setdefault(key, {})
        assert run_id not in runs, "sealed twice under one run"
        runs[run_id] = content


class LightValidator:
    """Judges every sealed run as passed and writes what the state machine makes of it."""

    def __init__(self, sink: SimulatedSink, ledger: ValidatorLedger, clock: SimulatedClock) -> None:
        self._sink = sink
        self._ledger = ledger
        self._clock = clock

    def validate(
        self,
        keys: Sequence[PartitionKey],
        *,
        unsealed: Mapping[PartitionKey, UnsealedRun] | None = None,
        recheck: bool = False,
    ) -> list[PartitionValidation]:
        unsealed = unsealed or {}
        validations = []
        changes: list[StateChange] = []
        for key in keys:
            history = self._ledger.history(key)
            first, judged = history.state, {a.run_id for a in history.results if a.has_seal}
            due = [self._passed(key, run) for run in self._sink.runs(key) if run not in judged]
            if key in unsealed:
                run_id, reason = unsealed[key].run_id, unsealed[key].reason
                if run_id not in self._sink.runs(key):
                    due.append(
                        ValidationResult(key, run_id, ValidationOutcome.UNSEALED, self._clock.now(), failure=reason)
                    )
            attempts = []
            for attempt in due:
                if not is_news(history, attempt):
                    continue
                after = settle(history, attempt, self._clock.now())
                changes.append(StateChange(history.state, after, attempt))
                attempts.append(attempt)
                history = type(history)(after, (*history.results, attempt), history.revoked)
            after = settle(history, None, self._clock.now())
            if after != history.state:
                changes.append(StateChange(history.state, after, None))
            validations.append(PartitionValidation(first, after, tuple(attempts)))
        assert all(self._ledger.record(changes))
        return validations

    def _passed(self, key: PartitionKey, run_id: RunId) -> ValidationResult:
        content = self._sink.contents[key][run_id]
        seal = hashlib.sha256(run_id.value.encode()).hexdigest()
        now = self._clock.now()
        return ValidationResult(key, run_id, ValidationOutcome.PASSED, now, (), None, 1, 1, seal, content)


@dataclass
class Trouble:
    """What the API does wrong, and when: accounts that are denied, hours without service, days without quota."""

    denied: dict[str, tuple[datetime, datetime]] = field(default_factory=dict)
    outages: list[tuple[datetime, datetime, frozenset[str]]] = field(default_factory=list)
    quota_days: dict[date, int] = field(default_factory=dict)
    blips: float = 0.0


@dataclass(frozen=True)
class Asked:
    """One call, as the API saw it."""

    at: datetime
    run_id: str
    customer_id: str
    report: str
    first: date
    last: date
    answer: str


class SimulatedApi:
    """A `ReportSource`: rows change with the age of their day, and troubles come as planned."""

    def __init__(
        self,
        clock: SimulatedClock,
        sink: SimulatedSink,
        trouble: Trouble,
        seed: int,
        gate: QuotaGate,
        call_takes: timedelta = timedelta(seconds=1),
        before_seal: Callable[[PartitionKey], None] = lambda key: None,
    ) -> None:
        self._clock = clock
        self._sink = sink
        self.trouble = trouble
        self._chance = Random(f"blips {seed}")
        self._gate = gate
        self._takes = call_takes
        self._before_seal = before_seal
        self.asked: list[Asked] = []

    def extract(
        self, slice_: ReportSlice, run: RunContext, sink: Any, progress: RowProgress | None = None
    ) -> Iterator[DayOutcome]:
        try:
            self._gate()
            self._clock.advance(self._takes)
            self._answer(slice_, run)
        except GadsError as error:
            reason = FailureReason.of(error)
            yield from (Unsealed(key, reason) for key in slice_.keys)
            return
        for key in slice_.keys:
            self._before_seal(key)
            self._sink.seal(key, run.run_id, self._content(key))
            yield Sealed(
                key, PartitionMetadata(key, run.run_id, FACTS, "payload-0123456789abcdef.parquet", 1, "0" * 64)
            )

    def _answer(self, slice_: ReportSlice, run: RunContext) -> None:
        error = self._error(slice_)
        answer = "ok" if error is None else error.code
        span = (slice_.customer_id, slice_.report.name, slice_.first, slice_.last)
        self.asked.append(Asked(self._clock.now(), run.run_id.value, *span, answer))
        if error is not None:
            raise error

    def _error(self, slice_: ReportSlice) -> GadsError | None:
        now = self._clock.now()
        left = self.trouble.quota_days.get(now.date())
        if left is not None:
            if left <= 0:
                return QuotaExhaustedError("RESOURCE_EXHAUSTED")
            self.trouble.quota_days[now.date()] = left - 1
        since_until = self.trouble.denied.get(slice_.customer_id)
        if since_until is not None and since_until[0] <= now < since_until[1]:
            return PermanentApiError("USER_PERMISSION_DENIED")
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
