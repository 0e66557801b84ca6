"""The errors that every package raises: each says how far it reaches, whether it passes, and what to do next."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from importlib.metadata import entry_points
from typing import ClassVar


class FailureScope(StrEnum):
    """How far a failure reaches: what has to stop because of it. What was not tried stays `pending`."""

    PARTITION = "partition"
    """The slice that met it, and nothing else."""
    ACCOUNT = "account"
    """Every report of one account."""
    SOURCE = "source"
    """Every account: credentials, quota, an API that cannot be reached or no longer has the version."""
    STORAGE = "storage"
    """Every write to the sink."""
    LEDGER = "ledger"
    """Every read and write of the ledger."""

    @property
    def stops_the_run(self) -> bool:
        """Whether nothing else in the plan can succeed either."""
        return self not in (FailureScope.PARTITION, FailureScope.ACCOUNT)


class GadsError(Exception):
    """Base of every error that a user is meant to read.

    `code` is stable and for programs, the message is one line for people, `hint` says what to do next. `scope` says how
    far the failure reaches, `retryable` whether it passes by itself, so that the same call may succeed later.
    """

    code: ClassVar[str] = "internal"
    scope: ClassVar[FailureScope] = FailureScope.PARTITION
    retryable: ClassVar[bool] = False
    default_hint: ClassVar[str] = ""

    def __init_subclass__(
        cls, *, code: str | None = None, scope: FailureScope | None = None, retryable: bool | None = None
    ) -> None:
        """Take what an error says of itself from its class statement; what is not given is that of its base."""
        super().__init_subclass__()
        cls.code = cls.code if code is None else code
        cls.scope = cls.scope if scope is None else scope
        cls.retryable = cls.retryable if retryable is None else retryable

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = self.default_hint if hint is None else hint

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.message, self.hint))


def _rebuild(kind: type[GadsError], message: str, hint: str) -> GadsError:
    return kind(message, hint=hint)


class UsageError(GadsError, code="usage"):
    """A request that cannot be served as it is."""


class InvalidValueError(UsageError, ValueError, code="invalid_value"):
    """A value that breaks the rules of its type, such as a customer id with letters."""


class ConfigurationError(UsageError, code="configuration", scope=FailureScope.SOURCE):
    """The configuration, or something it points at, cannot be used."""

    default_hint = "correct the configuration, then check it"


class QueryError(UsageError, code="query"):
    """A GAQL text that does not parse, or that asks for what the API version does not have."""


class UnsupportedContractError(UsageError, code="unsupported_contract"):
    """An artefact written under a contract version that this software does not know."""

    default_hint = "install a newer version of this software; nothing was changed"


class CredentialsError(GadsError, code="credentials", scope=FailureScope.SOURCE):
    """The API, or its token server, refuses the credentials."""


class ClockSkewError(UsageError, code="clock_skew", scope=FailureScope.LEDGER):
    """The ledger or the sink holds a run that begins later than this machine's clock shows."""

    default_hint = "correct this machine's clock; if another machine's clock was ahead, revoke the run that it made"


class HeldElsewhereError(GadsError, code="held_elsewhere", scope=FailureScope.LEDGER, retryable=True):
    """Another process holds what this needs; it may succeed later."""


class LeaseLostError(HeldElsewhereError, code="lease_lost", scope=FailureScope.PARTITION):
    """The lease of a slice was lost; another process may be working on it."""


class AlreadySealedError(HeldElsewhereError, code="already_sealed", scope=FailureScope.PARTITION, retryable=False):
    """The partition of this run is sealed and cannot be written again."""

    default_hint = "reprocess with a new run; a sealed partition never changes"


class AccountErasedError(GadsError, code="account_erased", scope=FailureScope.ACCOUNT):
    """The account was erased at `erased_at` and was not readmitted; nothing of it is read, taken or recorded."""

    default_hint = "nothing of it is kept or taken; an operator may readmit it, and it then begins from nothing"

    def __init__(self, message: str, *, hint: str | None = None, erased_at: datetime | None = None) -> None:
        super().__init__(message, hint=hint)
        self.erased_at = erased_at

    def __reduce__(self) -> tuple[object, ...]:
        return (*super().__reduce__(), {"erased_at": self.erased_at})


class PrunedRunError(GadsError, code="pruned", scope=FailureScope.PARTITION):
    """The run was removed from the sink at `pruned_at`, when it had been superseded for long; its rows are gone."""

    default_hint = "take a new snapshot, and pin it for as long as you need it"

    def __init__(self, message: str, *, hint: str | None = None, pruned_at: datetime | None = None) -> None:
        super().__init__(message, hint=hint)
        self.pruned_at = pruned_at

    def __reduce__(self) -> tuple[object, ...]:
        return (*super().__reduce__(), {"pruned_at": self.pruned_at})


class LedgerConflictError(HeldElsewhereError, code="ledger_conflict", scope=FailureScope.PARTITION):
    """The ledger changed between the read and the write of a decision; read again and decide again."""


class StorageError(GadsError, code="storage", scope=FailureScope.STORAGE, retryable=True):
    """The sink could not do what it was asked to; what it had not sealed stays invisible."""


class StorageFullError(StorageError, code="storage_full"):
    """No space is left where the sink writes."""

    default_hint = "free space, or move the sink and point storage.sink there; what was not sealed is still pending"


class StorageCredentialsError(StorageError, code="storage_credentials"):
    """The storage refuses the credentials."""

    default_hint = "check the credentials of the storage that storage.sink names; those of the API are another matter"


class SinkLostError(StorageError, code="sink_lost", retryable=False):
    """The sink has nothing of what the ledger says is authoritative: it is gone, empty, or not this ledger's."""

    default_hint = (
        "point storage.sink at the partitions of this ledger, or mount the storage; nothing was changed. If files are "
        "lost for good, `recheck` finds which ones, and where all are lost a new storage.state begins anew"
    )


class NotSealedError(StorageError, code="not_sealed", scope=FailureScope.PARTITION, retryable=False):
    """There is no sealed partition of this key and run."""


class DamagedPartitionError(StorageError, code="damaged_partition", scope=FailureScope.PARTITION, retryable=False):
    """A sealed partition whose bytes are not the bytes that were sealed."""

    default_hint = "the storage changed a sealed file; reprocess the partition and check the disk"


class LedgerError(GadsError, code="ledger", scope=FailureScope.LEDGER):
    """The ledger cannot be used: it is not a ledger, is damaged, or cannot be read."""


class LedgerFullError(LedgerError, code="ledger_full", retryable=True):
    """No space is left where the ledger is kept."""

    default_hint = "free space on the ledger's disk; nothing was half-written"


class ApiError(GadsError, code="api"):
    """The Google Ads API refused or failed a request."""


class TransientApiError(ApiError, code="api_transient", retryable=True):
    """A failure of the API that passes: unavailable, internal, deadline, temporarily exhausted."""

    default_hint = "retry it later; other accounts are not affected"


class ApiUnreachableError(TransientApiError, code="api_unreachable", scope=FailureScope.SOURCE):
    """No connection to the API, or to its token server, could be made."""

    default_hint = "check the network and any proxy; what was not requested is as it was"


class QuotaExhaustedError(ApiError, code="api_quota", scope=FailureScope.SOURCE, retryable=True):
    """The API asks for a rest of every call, and names its end or not; nothing was done that counts as a try."""

    default_hint = "go on after the quota is renewed; what was not requested is as it was"


class AccountQuotaError(QuotaExhaustedError, scope=FailureScope.ACCOUNT):
    """The API asks for a rest of one account's calls; others are answered."""


class ReportQuotaError(QuotaExhaustedError, scope=FailureScope.PARTITION):
    """The API asks for a rest of one report's query; others are answered."""


class BudgetSpentError(QuotaExhaustedError, code="budget_spent"):
    """The operations that the operator allows are spent; the API was not asked."""


class PermanentApiError(ApiError, code="api_permanent"):
    """A refusal that the same request will always meet, such as a bad query."""


class AccountRefusedError(PermanentApiError, scope=FailureScope.ACCOUNT):
    """The API refuses one account whatever the report: no permission, not enabled, not found."""


class AccountUnavailableError(ApiError, code="api_account_unavailable", scope=FailureScope.ACCOUNT, retryable=True):
    """The API refuses one account whatever the report, in a way that may pass: a new account is not found at first."""

    default_hint = "it is asked again later; other accounts are not affected"


CHECK_FAILED = "check_failed"
"""The code of a run that was sealed and then rejected."""
WORKER_LOST = "worker_lost"
"""The code of a slice that cost one worker after another its life."""


FAILURE_CODES = "gads.failure_codes"
"""The entry point group in which a package declares the codes of its own errors, so that none has to be imported."""


def failure_codes() -> frozenset[str]:
    """Every code that a failed partition can have on record, those of the installed adapters included."""
    found = {CHECK_FAILED, WORKER_LOST, *(kind.code for kind in _own_kinds())}
    return frozenset(found | {point.name for point in entry_points(group=FAILURE_CODES)})


def passing_codes() -> frozenset[str]:
    """The codes of failures that may pass by themselves."""
    return frozenset({WORKER_LOST, *(kind.code for kind in _own_kinds() if kind.retryable)})


def _own_kinds() -> Iterator[type[GadsError]]:
    kinds = [GadsError]
    while kinds:
        kind = kinds.pop()
        if kind.__module__ == __name__:
            yield kind
            kinds += kind.__subclasses__()


@dataclass(frozen=True, slots=True)
class FailureReason:
    """An error as it is put on record: a code for programs, a message for people, what to do, and how far it reaches.

    `scope` is of the moment and is not kept by the ledger: what is on record of a partition is about that partition.
    """

    code: str
    message: str
    retryable: bool
    hint: str = ""
    scope: FailureScope = field(default=FailureScope.PARTITION, compare=False)

    @classmethod
    def of(cls, error: BaseException) -> "FailureReason":
        """The record of `error`; anything that is not a `GadsError` is recorded as a bug of this software."""
        if isinstance(error, GadsError):
            return cls(error.code, error.message, error.retryable, error.hint, error.scope)
        return cls("internal", f"{type(error).__name__}: {error}", retryable=False)

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"
