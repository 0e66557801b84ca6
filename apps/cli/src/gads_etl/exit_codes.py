"""What a command's exit status means: the one place that says so."""

from __future__ import annotations

from enum import IntEnum

from gads_domain.errors import (
    ClockSkewError,
    ConfigurationError,
    CredentialsError,
    FailureReason,
    GadsError,
    HeldElsewhereError,
    LedgerError,
    StorageCredentialsError,
    UsageError,
)


class ExitCode(IntEnum):
    """The exit status of a command."""

    OK = 0
    """All that was asked for is `success`."""
    INCOMPLETE = 1
    """Some of what was asked for is not `success`; the output names it."""
    USAGE = 2
    """The command line or the configuration cannot be used as it is."""
    CREDENTIALS = 4
    """The API or the storage refuses the credentials."""
    HELD = 5
    """Another process holds what is left to do; what was done before that is kept."""
    BUG = 70
    """A bug of this software."""


_CODES: tuple[tuple[type[GadsError], ExitCode], ...] = (
    (UsageError, ExitCode.USAGE),
    (LedgerError, ExitCode.USAGE),
    (CredentialsError, ExitCode.CREDENTIALS),
    (StorageCredentialsError, ExitCode.CREDENTIALS),
    (HeldElsewhereError, ExitCode.HELD),
)


_CODES_OF_STOPS = {
    CredentialsError.code: ExitCode.CREDENTIALS,
    StorageCredentialsError.code: ExitCode.CREDENTIALS,
    ConfigurationError.code: ExitCode.USAGE,
    ClockSkewError.code: ExitCode.USAGE,
}


def exit_code_of_stop(reason: FailureReason) -> ExitCode:
    """The status of a command whose execution was stopped by `reason`."""
    return _CODES_OF_STOPS.get(reason.code, ExitCode.INCOMPLETE)


def exit_code_of(error: GadsError) -> ExitCode:
    """The status of a command that ends with `error`."""
    if error.code == GadsError.code:
        return ExitCode.BUG
    if error.code == "warehouse_damaged":
        return ExitCode.USAGE
    return next((code for kind, code in _CODES if isinstance(error, kind)), ExitCode.INCOMPLETE)
