"""Read-only, snapshot-pinned access to authoritative Google Ads partitions, as Arrow; begin with `Consumer`.

What needs Arrow is imported when it is first used, so that importing the package is light.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from gads_consumer.errors import (
    IncompleteError,
    LedgerAbsentError,
    ManifestError,
    NewerContractError,
    NothingAuthoritativeError,
    PartitionAlteredError,
    PartitionGoneError,
    PastUnknownError,
    SchemaMismatchError,
    UnknownReportError,
)
from gads_domain.current_partition import CurrentPartition
from gads_domain.gaps import Gap

if TYPE_CHECKING:
    from gads_consumer.changes import Change, ChangeKind, Changes, Delta
    from gads_consumer.completeness import Readiness
    from gads_consumer.consumer import Consumer, load_snapshot
    from gads_consumer.cursor import Cursor
    from gads_consumer.file_export import ExportFormat, export, preview
    from gads_consumer.payloads import PayloadCopy
    from gads_consumer.scan import Scan
    from gads_consumer.snapshot import Snapshot
else:
    _MODULES = {
        "Change": "changes",
        "ChangeKind": "changes",
        "Changes": "changes",
        "Consumer": "consumer",
        "Cursor": "cursor",
        "Delta": "changes",
        "ExportFormat": "file_export",
        "PayloadCopy": "payloads",
        "Readiness": "completeness",
        "Scan": "scan",
        "Snapshot": "snapshot",
        "export": "file_export",
        "load_snapshot": "consumer",
        "preview": "file_export",
    }

    def __getattr__(name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)


__all__ = [
    "Change",
    "ChangeKind",
    "Changes",
    "Consumer",
    "CurrentPartition",
    "Cursor",
    "Delta",
    "ExportFormat",
    "Gap",
    "IncompleteError",
    "LedgerAbsentError",
    "ManifestError",
    "NewerContractError",
    "NothingAuthoritativeError",
    "PartitionAlteredError",
    "PartitionGoneError",
    "PastUnknownError",
    "PayloadCopy",
    "Readiness",
    "Scan",
    "SchemaMismatchError",
    "Snapshot",
    "UnknownReportError",
    "export",
    "load_snapshot",
    "preview",
]
