"""The errors every room speaks: each knows whether to try again, how a command exits, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar


class ExitCode(IntEnum):
    """What a command's exit status means; the one place that says so."""

    OK = 0
    """All that was asked for is `success`."""
    INCOMPLETE = 1
    """Some of what was asked for is not `success`; the output names it."""
    USAGE = 2
    """The command line or the configuration cannot be used as it is."""
    CREDENTIALS = 4
    """The API does not accept who is asking."""
    HELD = 5
    """Somebody else holds what is left to do; what was done before that is kept."""
    BUG = 70
    """A fault of this software."""


class GadsError(Exception):
    """Base of every error that a user is meant to read.

    `code` is stable and for programs, the message is one line for people, `hint` says what to do next.
    """

    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False
    exit_code: ClassVar[ExitCode] = ExitCode.BUG
    default_hint: ClassVar[str] = ""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = self.default_hint if hint is None else hint

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.message, self.hint))


def _rebuild(kind: type[GadsError], message: str, hint: str) -> GadsError:
    return kind(message, hint=hint)


class UsageError(GadsError):
    """What was asked for cannot be meant."""

    code = "usage"
    exit_code = ExitCode.USAGE


class InvalidValueError(UsageError, ValueError):
    """A value that breaks the rules of its type, such as a customer id with letters."""

    code = "invalid_value"


class ConfigurationError(UsageError):
    """The configuration, or something it points at, cannot be used."""

    code = "configuration"
    default_hint = "put it right and let gads-etl check look at the rest"


class QueryError(UsageError):
    """A GAQL text that does not parse, or asks for what the API version does not have."""

    code = "query"


class UnsupportedContractError(UsageError):
    """An artefact written under a contract version that this software does not know."""

    code = "unsupported_contract"
    default_hint = "install a newer gads-etl; nothing was changed"


class CredentialsError(GadsError):
    """The API, or the token server, does not accept who is asking."""

    code = "credentials"
    exit_code = ExitCode.CREDENTIALS


class HeldElsewhereError(GadsError):
    """Somebody else holds what this needs; trying later may help."""

    code = "held_elsewhere"
    retryable = True
    exit_code = ExitCode.HELD


class AlreadySealedError(HeldElsewhereError):
    """The partition of this run is sealed; nobody may write it again."""

    code = "already_sealed"
    retryable = False
    default_hint = "reprocess with a new run; a sealed partition never changes"


class LedgerConflictError(HeldElsewhereError):
    """The ledger moved between the read and the write of a decision; read again and decide again."""

    code = "ledger_conflict"


class StorageError(GadsError):
    """The sink could not do what was asked; what it had not sealed stays invisible."""

    code = "storage"
    retryable = True
    exit_code = ExitCode.INCOMPLETE


class StorageFullError(StorageError):
    """No space is left where the sink writes."""

    code = "storage_full"
    retryable = False
    default_hint = "free space or point storage.sink elsewhere, then run again with --retry-failed"


class NotSealedError(StorageError):
    """There is no sealed partition of this key and run."""

    code = "not_sealed"
    retryable = False


class DamagedPartitionError(StorageError):
    """A sealed partition whose bytes are not the bytes that were sealed."""

    code = "damaged_partition"
    retryable = False
    default_hint = "the storage changed a sealed file; reprocess the partition and check the disk"


class LedgerError(GadsError):
    """The ledger cannot be used: not a ledger, damaged, or not readable."""

    code = "ledger"
    exit_code = ExitCode.USAGE


class ApiError(GadsError):
    """The Google Ads API refused or failed a request."""

    code = "api"
    exit_code = ExitCode.INCOMPLETE


class TransientApiError(ApiError):
    """A failure of the API that passes: unavailable, internal, deadline, temporarily exhausted."""

    code = "api_transient"
    retryable = True
    default_hint = "run again with --retry-failed; rows of other accounts are not affected"


class QuotaExhaustedError(ApiError):
    """The developer token has no operations left for the day."""

    code = "api_quota"
    retryable = True
    default_hint = "go on after the quota is renewed; what was not asked for is still pending"


class PermanentApiError(ApiError):
    """A refusal that the same request will always meet: no permission, not enabled, bad query."""

    code = "api_permanent"


CHECK_FAILED = "check_failed"
"""The code of a run that was sealed and then rejected."""
WORKER_LOST = "worker_lost"
"""The code of a slice over which worker after worker died."""


def failure_codes() -> frozenset[str]:
    """Every code that a failed partition can have on record: those of the errors, and those that no error has."""
    found, kinds = {CHECK_FAILED, WORKER_LOST}, [GadsError]
    while kinds:
        kind = kinds.pop()
        found.add(kind.code)
        kinds += kind.__subclasses__()
    return frozenset(found)


@dataclass(frozen=True, slots=True)
class FailureReason:
    """An error as it is put on record: what a program switches on, what a person reads, what to do."""

    code: str
    message: str
    retryable: bool
    hint: str = ""

    @classmethod
    def of(cls, error: BaseException) -> FailureReason:
        """Put `error` on record; anything that is not a `GadsError` is recorded as a bug of ours."""
        if isinstance(error, GadsError):
            return cls(error.code, error.message, error.retryable, error.hint)
        return cls("internal", f"{type(error).__name__}: {error}", retryable=False)

    def __str__(self) -> str:
        return f"{self.code}: {self.message}"
