"""What can keep a consumer from an answer: never an empty one in place of these."""

from __future__ import annotations

from gads_domain.errors import ClockSkewError as ClockSkewError
from gads_domain.errors import (
    DamagedPartitionError,
    FailureScope,
    GadsError,
    LedgerError,
    StorageError,
    UnsupportedContractError,
    UsageError,
)


class LedgerAbsentError(LedgerError):
    """There is no ledger at the URL, which is not the same as a ledger without data."""

    code = "ledger_absent"
    default_hint = "check the state URL; whoever runs the pipeline knows where its ledger is"


class UnknownReportError(UsageError):
    """No partition of the report has ever been in the ledger."""

    code = "unknown_report"


class PastUnknownError(UsageError):
    """A position or cursor that is not in this ledger's log: another ledger's, or the log was rolled back."""

    code = "past_unknown"


class IncompleteError(GadsError):
    """Days that were demanded are not vouched for."""

    code = "incomplete"
    retryable = True
    default_hint = "wait for the pipeline, or ask gaps() for the reasons; without complete=True the rest can be read"


class NothingVouchedForError(GadsError):
    """The rows were asked of a snapshot that holds no partition: it has no rows, no columns and says nothing."""

    code = "nothing_vouched_for"
    retryable = True
    default_hint = "ask gaps() why; a day that is known to have no rows is a partition with zero rows"


class PartitionGoneError(StorageError):
    """The ledger vouches for a partition whose files are not in the sink."""

    code = "partition_gone"
    scope = FailureScope.PARTITION
    retryable = False
    default_hint = (
        "check that the sink URL belongs to this ledger; otherwise whoever runs the pipeline finds the loss with "
        "gads-etl validate --recheck and reprocesses the day"
    )


class PartitionAlteredError(DamagedPartitionError):
    """The files in the sink are not the bytes that the ledger vouches for."""

    code = "partition_altered"
    default_hint = (
        "the storage changed a sealed file; whoever runs the pipeline confirms it with gads-etl validate --recheck "
        "and reprocesses the day"
    )


class NewerContractError(UnsupportedContractError):
    """What was read was written under a contract that this version does not know."""

    code = "newer_contract"
    default_hint = "install a newer gads-consumer"


class SchemaMismatchError(UsageError):
    """Rows of several schema versions were asked for as one table."""

    code = "schema_mismatch"


class ManifestError(UsageError):
    """A file that is no manifest, not the one that was saved, or of another ledger."""

    code = "manifest"
