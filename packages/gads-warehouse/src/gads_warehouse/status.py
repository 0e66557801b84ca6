"""What is loaded, behind and orphaned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from gads_domain.completeness import Completeness
from gads_domain.documents import members_of
from gads_domain.ports.warehouse import FullLoad, ViewFigure, Warehouse, WarehousePosition
from gads_warehouse.comparison import ReportComparison, compare, notes_on, state_of

if TYPE_CHECKING:  # it brings Arrow
    from gads_consumer.consumer import Consumer


@dataclass(frozen=True, slots=True)
class ReportStatus:
    """One report: partitions and rows shown, first and last day, and how many partitions differ from the ledger.

    `behind` are authoritative and not shown, or shown of another run; `orphaned` are shown, or have rows, and are not
    authoritative; `mismatched` have other rows than were loaded.
    """

    report: str
    partitions: int
    rows: int
    first_day: date | None
    last_day: date | None
    behind: int
    orphaned: int
    mismatched: int


@dataclass(frozen=True, slots=True)
class WarehouseStatus:
    """Where the tables are, where the ledger is, and each report; true in a condition if nothing differs.

    `loaded` is None for an empty warehouse and while `full_load`, a load of everything, is under way.
    """

    loaded: WarehousePosition | None
    full_load: FullLoad | None
    ledger: WarehousePosition
    reports: tuple[ReportStatus, ...]
    invalid_identity: Mapping[str, int]
    """The number of rows and pointers that belong to no possible partition, by table."""
    views: tuple[ViewFigure, ...]
    """The views whose number of rows is not what the tables give for it."""
    views_current: bool
    """Whether all views are as this software makes them."""
    completeness: Completeness
    """What is expected and due, and not authoritative: tables that equal the ledger may lack it all the same."""

    def __bool__(self) -> bool:
        differs = any(one.behind or one.orphaned or one.mismatched for one in self.reports)
        views = self.views_current and not self.views
        return not differs and not self.invalid_identity and self.full_load is None and views

    def notes(self) -> Iterator[str]:
        """Where the tables are, and what is wrong beside the reports' counts, a sentence each."""
        load, at = self.full_load, "nothing is loaded"
        if load is not None:
            at = f"a full load to position {load.target.position} is incomplete: {load.done:,} partitions done, "
            at += f"{load.remaining:,} to do; `Pipeline.load_warehouse` resumes it"
        elif self.loaded is not None:
            at = f"the tables are at position {self.loaded.position}"
        yield f"{at}; the ledger is at position {self.ledger.position}"
        yield from notes_on(self.invalid_identity, self.views, views_current=self.views_current)
        if days := self.completeness.days:
            yield f"{days:,} day{'' if days == 1 else 's'} expected and not authoritative: see `Pipeline.gaps`"

    def to_document(self) -> dict[str, Any]:
        """The comparison as JSON."""
        load, completeness = self.full_load, self.completeness
        return {
            "version": 3,
            "position": None if self.loaded is None else self.loaded.position,
            "full_load": None
            if load is None
            else {"target": load.target.position, "done": load.done, "remaining": load.remaining},
            "ledger_position": self.ledger.position,
            "current": bool(self),
            "completeness": {
                "answer": completeness.answer.value,
                "days": completeness.days,
                "unknown": completeness.unknown or None,
            },
            **members_of(self, ("reports", "invalid_identity", "views_current", "views")),
        }


def status(consumer: Consumer, warehouse: Warehouse) -> WarehouseStatus:
    """Compare all pointers with the ledger, and the views' rows with the tables'; no payload is read.

    Raises `OtherLedgerError`.
    """
    state = state_of(consumer, warehouse)
    found = compare(consumer, warehouse)
    return WarehouseStatus(
        state if isinstance(state, WarehousePosition) else None,
        state if isinstance(state, FullLoad) else None,
        found.position,
        tuple(_of_report(one) for one in found.reports),
        found.invalid_identity,
        tuple(one for one in warehouse.view_figures(counts_only=True) if not one.agrees),
        warehouse.is_current(),
        _completeness(consumer),
    )


def _completeness(consumer: Consumer) -> Completeness:
    reports = {one.report for one in consumer.expectations().expected}
    if not reports:
        return Completeness((), unknown="nothing is on record as expected")
    return consumer.ready(reports).completeness


def _of_report(found: ReportComparison) -> ReportStatus:
    days = [one.logical_date for one in found.shown]
    return ReportStatus(
        found.report,
        len(found.shown),
        sum(one.record_count for one in found.shown),
        min(days, default=None),
        max(days, default=None),
        len(found.absent) + len(found.outdated),
        len(found.orphaned) + len(found.strays),
        len(found.mismatched),
    )
