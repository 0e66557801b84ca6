"""The ledger's values as columns and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from functools import wraps
from typing import Any, TypeVar

from gads_domain.clock import from_iso_utc, iso_utc
from gads_domain.errors import FailureReason, InvalidValueError, LedgerError
from gads_domain.metadata import ColumnSpec, TableSchema
from gads_domain.partition_key import PartitionKey
from gads_domain.run import RunId
from gads_domain.state import (
    AuthorityChange,
    CheckResult,
    OperatorAct,
    PartitionState,
    PartitionStatus,
    RecordedAct,
    SchemaPin,
    ValidationOutcome,
    ValidationResult,
)

Row = Sequence[Any]

KEY = "source, customer_id, report, logical_date"
STATE = (
    f"{KEY}, status, current_run_id, schema_version, record_count, seal_sha256, "
    "attempt_count, updated_at, last_error, version"
)
ATTEMPT = (
    f"{KEY}, version, run_id, outcome, judged_at, checks, failure, "
    "schema_version, record_count, seal_sha256, content_sha256, changes"
)
LOG = (
    f"sequence, {KEY}, from_run, to_run, status_before, status_after, "
    "schema_version, record_count, seal_sha256, at, cause"
)
ACT = (
    f"sequence, {KEY}, kind, at, actor, command, reason, status_before, status_after, filter, by_policy, before, after"
)


_Value = TypeVar("_Value")


def _decoder(decode: Callable[[Row], _Value]) -> Callable[[Row], _Value]:
    """What cannot be read is damage, and nothing that the caller did wrong."""

    @wraps(decode)
    def decoded(row: Row) -> _Value:
        try:
            return decode(row)
        except (ValueError, KeyError, TypeError) as error:
            raise LedgerError(
                f"the ledger is damaged: it holds a row that nobody could have written: {error}",
                hint="restore it from a backup, or move it away and validate the sealed runs into a new one",
            ) from error

    return decoded


def moment_text(moment: datetime | None, what: str) -> str:
    """The time as text; raises `InvalidValueError` for one that is absent or does not know its zone."""
    if moment is None or moment.tzinfo is None:
        raise InvalidValueError(f"{what} is not an aware time")
    return iso_utc(moment)


def key_columns(key: PartitionKey) -> tuple[str, str, str, str]:
    """`KEY`."""
    return key.source, key.customer_id, key.report, key.logical_date.isoformat()


def key_of(row: Row) -> PartitionKey:
    """The key in the first four columns."""
    return PartitionKey(row[0], row[1], row[2], date.fromisoformat(row[3]))


def state_columns(state: PartitionState) -> tuple[Any, ...]:
    """`STATE`."""
    return (
        *key_columns(state.key),
        state.status.value,
        _text(state.current_run_id),
        state.schema_version,
        state.record_count,
        state.seal_sha256,
        state.attempt_count,
        moment_text(state.updated_at, "updated_at"),
        state.last_error,
        state.version,
    )


@_decoder
def state_of(row: Row) -> PartitionState:
    """From `STATE`."""
    return PartitionState(
        key=key_of(row),
        status=PartitionStatus(row[4]),
        current_run_id=_run(row[5]),
        schema_version=row[6],
        record_count=row[7],
        seal_sha256=row[8],
        attempt_count=row[9],
        updated_at=moment_of(row[10]),
        last_error=row[11],
        version=row[12],
    )


def attempt_columns(attempt: ValidationResult, version: int) -> tuple[Any, ...]:
    """`ATTEMPT`; `version` is that of the row that the attempt led to."""
    failure = attempt.failure
    return (
        *key_columns(attempt.key),
        version,
        attempt.run_id.value,
        attempt.outcome.value,
        moment_text(attempt.validated_at, "judged_at"),
        _json([_check_document(check) for check in attempt.checks]),
        failure
        and _json(
            {
                "code": failure.code,
                "message": failure.message,
                "retryable": failure.retryable,
                "hint": failure.hint,
            }
        ),
        attempt.schema_version,
        attempt.record_count,
        attempt.seal_sha256,
        attempt.content_sha256,
        None if attempt.changes is None else _json(dict(attempt.changes)),
    )


@_decoder
def attempt_of(row: Row) -> ValidationResult:
    """From `ATTEMPT`."""
    failure = None if row[9] is None else json.loads(row[9])
    return ValidationResult(
        key=key_of(row),
        run_id=RunId(row[5]),
        outcome=ValidationOutcome(row[6]),
        validated_at=from_iso_utc(row[7]),
        checks=tuple(
            CheckResult(check["name"], check["passed"], check["detail"], check["figures"])
            for check in json.loads(row[8])
        ),
        failure=failure and FailureReason(**failure),
        schema_version=row[10],
        record_count=row[11],
        seal_sha256=row[12],
        content_sha256=row[13],
        changes=None if row[14] is None else json.loads(row[14]),
    )


@_decoder
def log_entry_of(row: Row) -> AuthorityChange:
    """From `LOG`."""
    return AuthorityChange(
        sequence=row[0],
        key=key_of(row[1:]),
        from_run=_run(row[5]),
        to_run=_run(row[6]),
        status_before=PartitionStatus(row[7]),
        status_after=PartitionStatus(row[8]),
        schema_version=row[9],
        record_count=row[10],
        seal_sha256=row[11],
        at=from_iso_utc(row[12]),
        cause=row[13],
    )


@_decoder
def act_of(row: Row) -> RecordedAct:
    """From `ACT`."""
    return RecordedAct(
        sequence=row[0],
        key=key_of(row[1:]),
        kind=row[5],
        act=OperatorAct(
            at=from_iso_utc(row[6]),
            actor=row[7],
            command=row[8],
            reason=row[9],
            filter=row[12],
            by_policy=bool(row[13]),
        ),
        status_before=PartitionStatus(row[10]),
        status_after=PartitionStatus(row[11]),
        before=row[14],
        after=row[15],
    )


def pin_columns(pin: SchemaPin) -> tuple[Any, ...]:
    """`source, report, schema_version, fingerprint, columns`."""
    columns = [[column.name, column.field, column.type] for column in pin.schema.columns]
    return pin.source, pin.report, pin.schema_version, pin.schema.fingerprint, _json(columns)


@_decoder
def pin_of(row: Row) -> SchemaPin:
    """From `source, report, schema_version, columns`."""
    columns = tuple(ColumnSpec(name, field, kind) for name, field, kind in json.loads(row[3]))
    return SchemaPin(row[0], row[1], row[2], TableSchema(columns))


@_decoder
def run_of(row: Row) -> RunId:
    """From `run_id`."""
    return RunId(row[0])


def _check_document(check: CheckResult) -> dict[str, Any]:
    return {"name": check.name, "passed": check.passed, "detail": check.detail, "figures": dict(check.figures)}


_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def _json(value: object) -> str:
    try:
        return _encode(value)
    except (TypeError, ValueError) as error:
        raise InvalidValueError(f"a judgement holds what JSON cannot say: {error}") from None


def _text(run_id: RunId | None) -> str | None:
    return None if run_id is None else run_id.value


# Rows written together share their times and often their run; `find` reads millions of both.
_runs: dict[str, RunId] = {}
_moments: dict[str, datetime] = {}
_CACHED = 4096


def _run(text: str | None) -> RunId | None:
    if text is None:
        return None
    known = _runs.get(text)
    if known is None:
        if len(_runs) >= _CACHED:
            _runs.clear()
        known = _runs[text] = RunId(text)
    return known


def moment_of(text: str) -> datetime:
    """The time that `moment_text` wrote."""
    known = _moments.get(text)
    if known is None:
        if len(_moments) >= _CACHED:
            _moments.clear()
        if not text.endswith("Z"):
            raise ValueError(f"{text!r} is not in UTC")
        known = _moments[text] = datetime.fromisoformat(text).astimezone(UTC)
    return known
