"""The errors of a consumer; none of them is ever an empty answer instead."""

from gads_domain.errors import AccountErasedError as AccountErasedError
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
from gads_domain.errors import SinkLostError as SinkLostError


class LedgerAbsentError(LedgerError, code="ledger_absent"):
    """There is no ledger at the URL, which is not the same as a ledger without data."""

    default_hint = "check the state URL; the operator of the pipeline knows where its ledger is"


class UnknownReportError(UsageError, code="unknown_report"):
    """No partition of the report has ever been in the ledger."""


class PastUnknownError(UsageError, code="past_unknown"):
    """A position or cursor that is not in this ledger's log: another ledger's, or the log was rolled back."""


class IncompleteError(GadsError, code="incomplete", retryable=True):
    """Days that were required are not authoritative."""

    default_hint = "wait for the pipeline, or ask gaps() for the reasons; without complete=True the rest can be read"


class NothingAuthoritativeError(GadsError, code="nothing_authoritative", retryable=True):
    """The rows of a snapshot without any partition were asked for: it has no columns and proves nothing."""

    default_hint = "ask gaps() why; a day that is known to have no rows is a partition with zero rows"


class PartitionGoneError(StorageError, code="partition_gone", scope=FailureScope.PARTITION, retryable=False):
    """The files of an authoritative partition are not in the sink."""

    default_hint = (
        "check that the sink URL belongs to this ledger; otherwise ask the operator of the pipeline to "
        "`recheck` and to reprocess the day"
    )


class PartitionAlteredError(DamagedPartitionError, code="partition_altered"):
    """The files in the sink are not the bytes that were validated."""

    default_hint = (
        "the storage changed a sealed file; ask the operator of the pipeline to `recheck` and to reprocess the day"
    )


class NewerContractError(UnsupportedContractError, code="newer_contract"):
    """What was read was written under a contract that this version does not know."""

    default_hint = "install a newer gads-consumer"


class SchemaMismatchError(UsageError, code="schema_mismatch"):
    """Rows of several schema versions were asked for as one table."""


class ManifestError(UsageError, code="manifest"):
    """A file that is no manifest, not the one that was saved, or of another ledger."""
