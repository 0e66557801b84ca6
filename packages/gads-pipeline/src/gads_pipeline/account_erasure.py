"""The erasure of an account from ledger, sink and warehouse: in steps that are resumed, with a receipt at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from gads_domain.adapters import warehouse_adapter
from gads_domain.clock import SystemClock, iso_utc
from gads_domain.control import scope_of
from gads_domain.documents import members_of
from gads_domain.erasure import Erasure, in_force, require_none_erased
from gads_domain.errors import ConfigurationError, HeldElsewhereError, UsageError
from gads_domain.partition_key import GOOGLE_ADS
from gads_domain.ports.sink import LEAST_SWEEP_AGE, PrunableSink, SweepableSink
from gads_pipeline.composition import (
    open_ledger_for_control_plane,
    open_ledger_reader,
    open_prunable_sink,
    open_sink_reader,
    open_warehouse,
)
from gads_pipeline.operator_acts import require_reason

if TYPE_CHECKING:
    from datetime import datetime

    from gads_domain.ports.ledger import ControlPlaneLedger, StateReader
    from gads_domain.ports.warehouse import WarehouseAdapter
    from gads_domain.state import OperatorAct
    from gads_orchestrator.plan import WorkRequest
    from gads_pipeline.configuration import Configuration

RECEIPT_VERSION = "1.0"
_PARTITIONS_A_STEP = 1_000
_LOOK_SECONDS = 0.2
_COUNTS = ("partitions", "results", "changes")
_ACT = ("at", "actor", "command", "reason")

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of an account: rows of the ledger and of the warehouse by kind, and sealed runs in the sink.

    `warehouse` is None where no adapter that could open it is installed.
    """

    ledger: Mapping[str, int]
    raw_partitions: int
    warehouse: Mapping[str, int] | None

    @property
    def count(self) -> int:
        """All of them together."""
        return sum(self.ledger.values()) + self.raw_partitions + sum((self.warehouse or {}).values())

    def to_document(self) -> dict[str, Any]:
        """The member `left` of a receipt."""
        warehouse = None if self.warehouse is None else dict(self.warehouse)
        return {"ledger": dict(self.ledger), "raw_partitions": self.raw_partitions, "warehouse": warehouse}


@dataclass(frozen=True, slots=True)
class ErasureReceipt:
    """What went of an account and what was left when it was looked for again: contracts/erasure/v1.

    `erasure` is None in a dry run of an account that is not erased yet; `left` is then what would go.
    """

    customer_id: str
    erasure: Erasure | None
    left: Kept
    checked_at: datetime
    dry_run: bool = False

    def to_document(self) -> dict[str, Any]:
        """The receipt as JSON."""
        return {
            "receipt_version": RECEIPT_VERSION,
            "source": GOOGLE_ADS,
            "customer_id": self.customer_id,
            "dry_run": self.dry_run,
            **erasure_document(self.erasure),
            "left": self.left.to_document(),
            "checked_at": iso_utc(self.checked_at),
        }

    def rows(self) -> list[dict[str, Any]]:
        """What went and what is left, a row each."""
        gone: dict[str, int] = {}
        if self.erasure is not None:
            counts = members_of(self.erasure, _COUNTS)
            gone = {**{f"ledger: {name}": count for name, count in counts.items()}, **self.erasure.elsewhere}
        left = {f"ledger: {name}": count for name, count in self.left.ledger.items()}
        left |= {"raw_partitions": self.left.raw_partitions, **(self.left.warehouse or {})}
        return [{"what": name, "gone": gone.get(name, 0), "left": left.get(name, 0)} for name in {**gone, **left}]


def erasure_document(erasure: Erasure | None) -> dict[str, Any]:
    """The members of a receipt that are of the tombstone."""
    if erasure is None:
        return {"ordered": None, "erased": None, "ended_at": None, "readmitted": None}
    readmission = erasure.readmission
    return {
        "ordered": members_of(erasure.order, _ACT),
        "erased": {**members_of(erasure, (*_COUNTS, "digest")), **erasure.elsewhere},
        **members_of(erasure, ("ended_at",)),
        "readmitted": None if readmission is None else members_of(readmission, _ACT),
    }


def erase_account(
    configuration: Configuration, customer_id: str, record: OperatorAct, dry_run: bool, progress: Progress
) -> ErasureReceipt:
    """Order the erasure of an account and carry it out to its end; called again, it finishes, or looks again."""
    require_reason("erasing an account", record.reason)
    with open_ledger_reader(configuration) as reader:
        ordered = in_force(reader.erasures(GOOGLE_ADS)).get(customer_id)
        kept = _kept(configuration, reader, customer_id)
    if ordered is None and not kept.count:
        raise UsageError(
            f"nothing is kept of account {customer_id}, and it is not erased",
            hint="`Pipeline.accounts` lists the accounts; accounts.exclude keeps one from being extracted",
        )
    if dry_run:
        return ErasureReceipt(customer_id, ordered, kept, record.at, dry_run=True)
    sink = open_prunable_sink(configuration)
    with open_ledger_for_control_plane(configuration) as ledger:
        ordered = ledger.order_erasure(GOOGLE_ADS, customer_id, record)
        _await_leases(ledger, customer_id, timedelta(seconds=configuration.run.lease_seconds), progress)
        while ordered.cleared_at is None:
            ordered = ledger.erase(GOOGLE_ADS, customer_id, SystemClock().now(), _PARTITIONS_A_STEP)
            progress(f"ledger: {ordered.partitions:,} partitions with {ordered.results:,} results are gone")
        _erase_raw(configuration, sink, ledger, customer_id, progress)
        _erase_rows(configuration, ledger, customer_id, progress)
        left, now = _kept(configuration, ledger, customer_id), SystemClock().now()
        if left.count:
            raise HeldElsewhereError(
                f"not all of account {customer_id} is gone: {left.to_document()}", hint="erase it again; it goes on"
            )
        return ErasureReceipt(customer_id, ledger.end_erasure(GOOGLE_ADS, customer_id, now), left, now)


def readmit_account(configuration: Configuration, customer_id: str, record: OperatorAct) -> Erasure:
    """Lift the erasure of an account; returns it."""
    require_reason("readmitting an account", record.reason)
    with open_ledger_reader(configuration) as reader:
        if customer_id not in in_force(reader.erasures(GOOGLE_ADS)):
            raise UsageError(f"account {customer_id} is not erased", hint="`Pipeline.accounts` shows which are")
    with open_ledger_for_control_plane(configuration) as ledger:
        return ledger.readmit(GOOGLE_ADS, customer_id, record)


def without_erased(
    request: WorkRequest, ledger: StateReader, named: Iterable[str]
) -> tuple[WorkRequest, tuple[str, ...]]:
    """The request without the accounts that are erased, and a note for each of them.

    Raises `AccountErasedError` if one of them was `named`, or no other account is left.
    """
    erasures = ledger.erasures(GOOGLE_ADS)
    require_none_erased(erasures, named)
    erased = in_force(erasures)
    left_out = [account.customer_id for account in request.accounts if account.customer_id in erased]
    accounts = tuple(account for account in request.accounts if account.customer_id not in erased)
    if left_out and not accounts:
        require_none_erased(erasures, left_out)
    chosen = request.chosen
    if chosen is not None:
        chosen = {pair: days for pair, days in chosen.items() if pair[0] not in erased}
    notes = tuple(f"skipped: {erased[customer_id]}; it can be readmitted" for customer_id in left_out)
    return replace(request, accounts=accounts, chosen=chosen) if left_out else request, notes


def _await_leases(ledger: ControlPlaneLedger, customer_id: str, length: timedelta, progress: Progress) -> None:
    """Wait until no process can be at work on the account: its leases are not renewed, so that they end by time."""
    scope, until, noted = scope_of(GOOGLE_ADS, customer_id, ""), SystemClock().now() + length, False
    while (now := SystemClock().now()) < until:
        held = [lease for lease in ledger.leases(now) if lease.scope.startswith(scope)]
        if not held:
            return
        if not noted:
            progress(f"waiting for {len(held)} leases of processes that are at work on it, {length} at most")
            noted = True
        time.sleep(_LOOK_SECONDS)


def _erase_raw(
    configuration: Configuration,
    sink: PrunableSink,
    ledger: ControlPlaneLedger,
    customer_id: str,
    progress: Progress,
) -> None:
    """Remove every sealed run, and what killed writers left behind longer ago than a writer lives."""
    reader = open_sink_reader(configuration)
    while batch := list(islice(reader.sealed(source=GOOGLE_ADS, customer_id=customer_id), _PARTITIONS_A_STEP)):
        freed = sink.remove(batch)
        counts = {"raw_partitions": len(batch), "raw_bytes": sum(freed)}
        gone = ledger.count_erased(GOOGLE_ADS, customer_id, counts).elsewhere
        progress(f"sink: {gone['raw_partitions']:,} raw partitions are gone, {gone['raw_bytes']:,} bytes")
    if isinstance(sink, SweepableSink):
        for _ in sink.sweep(LEAST_SWEEP_AGE, dry_run=False):
            pass


def _erase_rows(configuration: Configuration, ledger: ControlPlaneLedger, customer_id: str, progress: Progress) -> None:
    """Bring the warehouse to where the ledger is, and remove what is of the account beside its partitions."""
    if _warehouse_opener(configuration) is None:
        return
    from gads_warehouse import WarehouseLoader  # Arrow, which an account without a warehouse does without

    with open_warehouse(configuration) as (warehouse, consumer):
        rows = sum(warehouse.account_rows(customer_id).values())
        WarehouseLoader(consumer, warehouse).erase(customer_id)
        if rows:
            ledger.count_erased(GOOGLE_ADS, customer_id, {"warehouse_rows": rows})
            progress(f"warehouse: {rows:,} rows are gone")


def _kept(configuration: Configuration, ledger: StateReader, customer_id: str) -> Kept:
    """Count what is kept, by asking ledger, sink and warehouse."""
    sealed = open_sink_reader(configuration).sealed(source=GOOGLE_ADS, customer_id=customer_id)
    count, adapter, rows = sum(1 for _ in sealed), _warehouse_opener(configuration), None
    if adapter is not None:
        with adapter.open_warehouse(configuration.warehouse.url, configuration.base) as warehouse:
            rows = warehouse.account_rows(customer_id)
    return Kept(ledger.account_rows(GOOGLE_ADS, customer_id), count, rows)


def _warehouse_opener(configuration: Configuration) -> WarehouseAdapter | None:
    """What opens the warehouse; None where no such adapter is installed, and no table was ever made with this one."""
    try:
        return warehouse_adapter(configuration.warehouse.url)
    except ConfigurationError:
        return None
