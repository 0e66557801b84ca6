"""Keeps the tables of a warehouse equal to what the ledger holds authoritative, on any engine that has the port."""

from gads_warehouse.comparison import Comparison, ReportComparison, compare
from gads_warehouse.errors import OtherLedgerError, WarehouseDamagedError
from gads_warehouse.loader import LoadReport, WarehouseLoader
from gads_warehouse.status import ReportStatus, WarehouseStatus, status
from gads_warehouse.verification import Difference, DifferenceKind, Verification, verify

__all__ = [
    "Comparison",
    "Difference",
    "DifferenceKind",
    "LoadReport",
    "OtherLedgerError",
    "ReportComparison",
    "ReportStatus",
    "Verification",
    "WarehouseDamagedError",
    "WarehouseLoader",
    "WarehouseStatus",
    "compare",
    "status",
    "verify",
]
