"""Events as log records of the `gads_etl` loggers."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from types import MappingProxyType
from typing import Any

from gads_domain.activity import ended_in_words
from gads_domain.clock import iso_utc
from gads_domain.figures import counted
from gads_domain.state import ValidationOutcome
from gads_orchestrator.events import (
    AccountStopped,
    ActRecorded,
    CallEnded,
    CallsRest,
    Event,
    PartitionEvent,
    PartitionSealed,
    PartitionUnchanged,
    PartitionValidated,
    RowsReceived,
    RunEnded,
    RunPlanned,
    RunStopped,
    ServePaused,
    ServeResumed,
    SliceDeferred,
    SliceEvent,
    WorkerLost,
    event_document,
    event_name,
)
from gads_pipeline.events import (
    CompletenessRead,
    DaysFailed,
    Notice,
    SinkPruned,
    ValidationEnded,
    WarehouseLoaded,
    WarehouseLoadFailed,
)
from gads_telemetry.log_format import LOGGER

_NOT_ATTEMPTED = "pending: "
"""Begins the reason of days that were not attempted: what kept them from it is an event of its own."""

_WARNING = "warning: "

Said = tuple[int, str, str]
"""The level, the logger's last name and the message of an event; empty for its name and members."""


@dataclass(slots=True)
class _Round:
    """What a run has done so far."""

    passed: int = 0
    unchanged: int = 0
    rejected: int = 0
    rows: int = 0
    began: datetime | None = None

    def count(self, event: Event) -> None:
        if isinstance(event, PartitionValidated):
            passed = event.outcome == ValidationOutcome.PASSED
            self.passed += passed
            self.rejected += not passed
        elif isinstance(event, PartitionUnchanged):
            self.unchanged += 1
        elif isinstance(event, PartitionSealed):
            self.rows += event.record_count

    def __str__(self) -> str:
        counts = ((self.unchanged, "unchanged"), (self.rejected, "failed"))
        passed = f"{counted(self.passed, 'partition')} passed"
        return ", ".join([passed, *(f"{count:,} {what}" for count, what in counts if count)])


class EventLog:
    """An `Observer` that logs each event to a logger below `gads_etl`, its members as the record's attribute `gads`.

    A failure is a warning, or an error if it keeps everything from going on, once and with its reason. What went well
    is one line a run (`INFO`); slices, calls and partitions are `DEBUG`, and so is, with `outcome_is_printed`, what a
    program prints itself at its end: failures, how things stand, a validation, a load.
    """

    def __init__(self, *, outcome_is_printed: bool = False) -> None:
        self._is_log_alone = not outcome_is_printed
        self._round = _Round()
        self._stopped_by = ""
        self._stands = ""

    def on_events(self, *events: Event) -> None:
        """Log them, one record each."""
        for event in events:
            if isinstance(event, RowsReceived):
                continue
            self._round.count(event)
            level, name, message = self._said(event)
            logger = _logger(name)
            if logger.isEnabledFor(level):
                logger.log(level, "%s", message or _plainly(event), extra={"gads": event_document(event)})

    def _said(self, event: Event) -> Said:
        if isinstance(event, SliceEvent):
            return self._of_slice(event)
        if isinstance(event, PartitionEvent):
            return logging.DEBUG, "act" if isinstance(event, ActRecorded) else "partition", ""
        say = _SAYINGS.get(type(event))
        return say(self, event) if say is not None else (logging.DEBUG, "run", "")

    def _of_slice(self, event: SliceEvent) -> Said:
        if isinstance(event, CallEnded):
            return logging.DEBUG, "call", ""
        if isinstance(event, SliceDeferred) and event.code == "awaited":
            return logging.INFO, "slice", "another process has it; waiting for its lease to end"
        return logging.DEBUG, "slice", ""

    def _planned(self, event: RunPlanned) -> Said:
        self._round = _Round(began=event.at)
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in event.by_reason.items())
        planned = f"{counted(event.partitions, 'partition')} in {counted(event.operations, 'request')}"
        return logging.DEBUG, "run", f"planned: {planned} ({reasons})" if reasons else f"planned: {planned}"

    def _ended(self, event: RunEnded) -> Said:
        seconds = (event.at - (self._round.began or event.at)).total_seconds()
        cost = f"{counted(event.operations, 'request')}, {counted(self._round.rows, 'row')}, {seconds:,.0f} s"
        if event.ended == "done":
            self._stopped_by = ""
        return logging.INFO, "run", f"run {ended_in_words(event.ended)}: {self._round}; {cost}"

    def _run_stopped(self, event: RunStopped) -> Said:
        is_new = self._is_log_alone and self._stopped_by != event.code
        self._stopped_by = event.code
        return logging.ERROR if is_new else logging.DEBUG, "run", _with_hint(event)

    def _account_stopped(self, event: AccountStopped) -> Said:
        return logging.WARNING, "account", f"refused ({event.code}); nothing more is requested of it in this run"

    def _rest(self, event: CallsRest) -> Said:
        return logging.WARNING, "call", f"waiting until {iso_utc(event.not_before)}: {event.reason}"

    def _lost(self, event: WorkerLost) -> Said:
        return logging.WARNING, "run", f"worker {event.worker} died; another continues from what it sealed"

    def _paused(self, event: ServePaused) -> Said:
        again = f"trying again in {event.seconds:,.0f} s"
        if event.code == self._stopped_by:
            return logging.WARNING, "serve", f"paused ({event.code}); {again}"
        return logging.ERROR, "serve", f"paused; {again}: {_with_hint(event)}"

    def _resumed(self, event: ServeResumed) -> Said:
        return logging.INFO, "serve", "working again"

    def _notice(self, event: Notice) -> Said:
        warns = event.message.startswith(_WARNING)
        return logging.WARNING if warns else logging.INFO, "notice", event.message.removeprefix(_WARNING)

    def _days_failed(self, event: DaysFailed) -> Said:
        is_named = self._is_log_alone and not event.reason.startswith(_NOT_ATTEMPTED)
        return logging.WARNING if is_named else logging.DEBUG, "days", f"not success: {event.reason}"

    def _completeness(self, event: CompletenessRead) -> Said:
        is_news = self._is_log_alone and self._stands != str(event)
        self._stands = str(event)
        return logging.INFO if is_news else logging.DEBUG, "days", str(event)

    def _loaded(self, event: WarehouseLoaded) -> Said:
        counts = f"{event.added:,} added, {event.replaced:,} replaced, {event.removed:,} removed"
        is_news = self._is_log_alone and (event.added or event.replaced or event.removed)
        message = f"loaded to position {event.position}: {counts}; {counted(event.rows, 'row')}, {event.seconds:,.1f} s"
        return logging.INFO if is_news else logging.DEBUG, "warehouse", message

    def _load_failed(self, event: WarehouseLoadFailed) -> Said:
        level = logging.ERROR if self._is_log_alone else logging.DEBUG
        return level, "warehouse", f"not loaded: {_with_hint(event)}"

    def _validated(self, event: ValidationEnded) -> Said:
        counts = f"{event.rejected_runs:,} rejected, {counted(event.not_success, 'partition')} not success"
        early = f"; it ended early: {event.reason}" if event.code else ""
        looked = f"{counted(event.looked_at, 'partition')} checked, {counted(event.validated_runs, 'run')} validated"
        level = logging.INFO if self._is_log_alone else logging.DEBUG
        return level, "validation", f"{looked}, {counts}, {event.seconds:,.1f} s{early}"

    def _pruned(self, event: SinkPruned) -> Said:
        message = f"{counted(event.runs, 'superseded run')} removed from the sink, {event.freed:,} bytes"
        return logging.INFO if event.runs else logging.DEBUG, "sink", message


_SAYINGS: Mapping[type[Event], Callable[[EventLog, Any], Said]] = MappingProxyType(
    {
        RunPlanned: EventLog._planned,
        RunEnded: EventLog._ended,
        RunStopped: EventLog._run_stopped,
        AccountStopped: EventLog._account_stopped,
        CallsRest: EventLog._rest,
        WorkerLost: EventLog._lost,
        ServePaused: EventLog._paused,
        ServeResumed: EventLog._resumed,
        Notice: EventLog._notice,
        DaysFailed: EventLog._days_failed,
        CompletenessRead: EventLog._completeness,
        WarehouseLoaded: EventLog._loaded,
        WarehouseLoadFailed: EventLog._load_failed,
        ValidationEnded: EventLog._validated,
        SinkPruned: EventLog._pruned,
    }
)


@cache  # a million events find theirs in a dictionary, without the lock of `logging`
def _logger(name: str) -> logging.Logger:
    return logging.getLogger(f"{LOGGER}.{name}")


def _with_hint(event: RunStopped | ServePaused | WarehouseLoadFailed) -> str:
    return f"{event.message}; {event.hint}" if event.hint else event.message


_NAMED = ("event", "at", "run_id", "customer_id", "report", "first", "last", "logical_date")
"""Members that a formatter shows in their own places."""


def _plainly(event: Event) -> str:
    """The event's name and what its type adds: `slice_ended operations=1`."""
    members = {name: value for name, value in event_document(event).items() if name not in _NAMED and value != ""}
    shown = {name: f"{value:.3f}" if isinstance(value, float) else value for name, value in members.items()}
    return " ".join([event_name(type(event)), *(f"{name}={value}" for name, value in shown.items())])
