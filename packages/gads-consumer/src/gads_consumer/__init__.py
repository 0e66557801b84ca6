"""Read-only, snapshot-pinned access to authoritative Google Ads partitions, as Arrow; begin with `Consumer`.

What needs Arrow is imported when it is first used, so that importing the package is light.
"""

from typing import TYPE_CHECKING

from gads_domain.lazy_exports import export_lazily

if TYPE_CHECKING:
    from gads_consumer.changes import Change as Change
    from gads_consumer.changes import ChangeKind as ChangeKind
    from gads_consumer.changes import Changes as Changes
    from gads_consumer.changes import Delta as Delta
    from gads_consumer.completeness import Readiness as Readiness
    from gads_consumer.consumer import Consumer as Consumer
    from gads_consumer.consumer import load_snapshot as load_snapshot
    from gads_consumer.cursor import Cursor as Cursor
    from gads_consumer.errors import AccountErasedError as AccountErasedError
    from gads_consumer.errors import IncompleteError as IncompleteError
    from gads_consumer.errors import LedgerAbsentError as LedgerAbsentError
    from gads_consumer.errors import ManifestError as ManifestError
    from gads_consumer.errors import NewerContractError as NewerContractError
    from gads_consumer.errors import NothingAuthoritativeError as NothingAuthoritativeError
    from gads_consumer.errors import PartitionAlteredError as PartitionAlteredError
    from gads_consumer.errors import PartitionGoneError as PartitionGoneError
    from gads_consumer.errors import PastUnknownError as PastUnknownError
    from gads_consumer.errors import SchemaMismatchError as SchemaMismatchError
    from gads_consumer.errors import UnknownReportError as UnknownReportError
    from gads_consumer.file_export import ExportFormat as ExportFormat
    from gads_consumer.file_export import export as export
    from gads_consumer.file_export import preview as preview
    from gads_consumer.payloads import PayloadCopy as PayloadCopy
    from gads_consumer.payloads import PayloadFile as PayloadFile
    from gads_consumer.scan import Scan as Scan
    from gads_consumer.snapshot import Snapshot as Snapshot
    from gads_domain.current_partition import CurrentPartition as CurrentPartition
    from gads_domain.gaps import Gap as Gap
else:
    export_lazily(
        globals(),
        {
            ".changes": "Change ChangeKind Changes Delta",
            ".completeness": "Readiness",
            ".consumer": "Consumer load_snapshot",
            ".cursor": "Cursor",
            ".errors": "AccountErasedError IncompleteError LedgerAbsentError ManifestError NewerContractError "
            "NothingAuthoritativeError PartitionAlteredError PartitionGoneError PastUnknownError SchemaMismatchError "
            "UnknownReportError",
            ".file_export": "ExportFormat export preview",
            ".payloads": "PayloadCopy PayloadFile",
            ".scan": "Scan",
            ".snapshot": "Snapshot",
            "gads_domain.current_partition": "CurrentPartition",
            "gads_domain.gaps": "Gap",
        },
    )
