"""Validates sealed partitions and changes authority in the ledger."""

from gads_validator.checks.declared import DeclaredChecks
from gads_validator.inspection import Inspection, inspect
from gads_validator.validator import RawPartitionValidator

__all__ = ["DeclaredChecks", "Inspection", "RawPartitionValidator", "inspect"]
