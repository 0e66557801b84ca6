"""What a command's exit status means: the one place that says so."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum
from typing import TYPE_CHECKING

from gads_domain.completeness import Answer
from gads_domain.errors import (
    AccountErasedError,
    ClockSkewError,
    ConfigurationError,
    CredentialsError,
    GadsError,
    LedgerError,
    PermanentApiError,
    SinkLostError,
    StorageCredentialsError,
    UsageError,
)
from gads_domain.state import PartitionStatus

if TYPE_CHECKING:
    from gads_pipeline.outcome import Outcome, Tally


class ExitCode(IntEnum):
    """The exit status of a command."""

    OK = 0
    """All that the command is about is authoritative, or not due yet."""
    INCOMPLETE = 1
    """Something that the command is about is missing, or is not known to be there; the output names it.

    Of `status` also: something critical asks for attention, such as a daemon that fell silent.
    """
    USAGE = 2
    """The command line, the configuration or the clock has to be corrected, or the sink is not the ledger's."""
    REFUSED = 4
    """The API or the storage refuses the credentials, or the API refuses to list the accounts."""
    BUG = 70
    """A bug of this software."""
    UNDELIVERED = 74
    """Stdout did not take the output; what the command did is kept."""
    LATER = 75
    """What is missing passes by itself: the same command, called again later, attempts all of it."""


_BY_SEVERITY = (ExitCode.BUG, ExitCode.USAGE, ExitCode.REFUSED, ExitCode.INCOMPLETE, ExitCode.LATER, ExitCode.OK)

_CODES: tuple[tuple[type[GadsError], ExitCode], ...] = (
    (UsageError, ExitCode.USAGE),
    (AccountErasedError, ExitCode.USAGE),
    (CredentialsError, ExitCode.REFUSED),
    (StorageCredentialsError, ExitCode.REFUSED),
    (PermanentApiError, ExitCode.REFUSED),
    (SinkLostError, ExitCode.USAGE),
)

_BY_CODE = {
    GadsError.code: ExitCode.BUG,
    "warehouse_damaged": ExitCode.USAGE,
    # Whether these pass by themselves is not known where they are read.
    "incomplete": ExitCode.INCOMPLETE,
    "nothing_authoritative": ExitCode.INCOMPLETE,
}
"""Those whose types are in packages that are not imported for this, and bugs."""

_CODES_OF_STOPS = {
    CredentialsError.code: ExitCode.REFUSED,
    StorageCredentialsError.code: ExitCode.REFUSED,
    ConfigurationError.code: ExitCode.USAGE,
    ClockSkewError.code: ExitCode.USAGE,
}


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """The status that says most of what has to be done about several faults; `OK` for none."""
    return min(codes, key=_BY_SEVERITY.index, default=ExitCode.OK)


def exit_code_of(error: GadsError) -> ExitCode:
    """The status of a command that ends with `error`."""
    if error.code in _BY_CODE:
        return _BY_CODE[error.code]
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code
    if error.retryable:
        return ExitCode.LATER
    return ExitCode.USAGE if isinstance(error, LedgerError) else ExitCode.INCOMPLETE


def exit_code_of_outcome(outcome: Outcome, tally: Tally) -> ExitCode:
    """The status of a run, a backfill or `serve --once`, whose partitions `tally` has counted."""
    stop, completeness = outcome.stopped_by, outcome.completeness
    if stop is not None and stop.code in _CODES_OF_STOPS:
        return _CODES_OF_STOPS[stop.code]
    if completeness.answer.answer is Answer.COMPLETE and outcome.is_whole and not tally.failures:
        return ExitCode.OK
    # A failed day that is not due yet is no gap, and a failed restatement leaves none.
    lasting = max(0, tally.unwell[PartitionStatus.FAILED] - completeness.answer.failed)
    lasting += tally.unwell[PartitionStatus.SUCCESS]
    passes = completeness.passes_by_itself and not lasting and (stop is None or stop.retryable)
    return ExitCode.LATER if passes else ExitCode.INCOMPLETE
