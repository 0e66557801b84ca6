"""The values of the ledger as columns, and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from functools import lru_cache, wraps
from typing import Any, TypeVar

from gads_domain.clock import from_iso_utc, iso_utc
from gads_domain.control import Lease, Mark, SchedulingState
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
from gads_state_sqlite.errors import RESTORE

Row = Sequence[Any]

KEY = "source, customer_id, report, logical_date"
STATE = (
    f"{KEY}, status, current_run_id, schema_version, record_count, seal_sha256, "
    "attempt_count, updated_at, last_error, version"
)
RESULT = (
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
BY_KEY = "source = ? AND customer_id = ? AND report = ? AND logical_date = ?"

_Value = TypeVar("_Value")

_STATUSES = {status.value: status for status in PartitionStatus}
_MARK_SETS = {
    (held, terminal): frozenset(mark for mark, on in ((Mark.HELD, held), (Mark.TERMINAL, terminal)) if on)
    for held in (0, 1)
    for terminal in (0, 1)
}


def same_columns(one: str, other: str) -> str:
    """The condition that two tables have the same `KEY`."""
    return " AND ".join(f"{one}.{column} = {other}.{column}" for column in KEY.split(", "))


def decoder(decode: Callable[[Row], _Value]) -> Callable[[Row], _Value]:
    """A row that cannot be read is damage, and not the caller's mistake."""

    @wraps(decode)
    def decoded(row: Row) -> _Value:
        try:
            return decode(row)
        except (ValueError, KeyError, TypeError) as error:
            raise LedgerError(
                f"the ledger is damaged: a row holds a value that is not valid: {error}", hint=RESTORE
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
        state.current_run_id and state.current_run_id.value,
        state.schema_version,
        state.record_count,
        state.seal_sha256,
        state.attempt_count,
        moment_text(state.updated_at, "updated_at"),
        state.last_error,
        state.version,
    )


@decoder
def state_of(row: Row) -> PartitionState:
    """From `STATE`."""
    return PartitionState(
        key=key_of(row),
        status=_STATUSES[row[4]],
        current_run_id=_run(row[5]),
        schema_version=row[6],
        record_count=row[7],
        seal_sha256=row[8],
        attempt_count=row[9],
        updated_at=moment_of(row[10]),
        last_error=row[11],
        version=row[12],
    )


def result_columns(result: ValidationResult, version: int) -> tuple[Any, ...]:
    """`RESULT`; `version` is that of the row that the result led to."""
    failure = result.failure
    return (
        *key_columns(result.key),
        version,
        result.run_id.value,
        result.outcome.value,
        moment_text(result.validated_at, "validated_at"),
        _json(
            [
                {"name": c.name, "passed": c.passed, "detail": c.detail, "figures": dict(c.figures)}
                for c in result.checks
            ]
        ),
        failure and _json({name: getattr(failure, name) for name in ("code", "message", "retryable", "hint")}),
        result.schema_version,
        result.record_count,
        result.seal_sha256,
        result.content_sha256,
        None if result.changes is None else _json(dict(result.changes)),
    )


@decoder
def result_of(row: Row) -> ValidationResult:
    """From `RESULT`."""
    return ValidationResult(
        key=key_of(row),
        run_id=RunId(row[5]),
        outcome=ValidationOutcome(row[6]),
        validated_at=from_iso_utc(row[7]),
        checks=tuple(
            CheckResult(check["name"], check["passed"], check["detail"], check["figures"])
            for check in json.loads(row[8])
        ),
        failure=None if row[9] is None else _failure_of(row[9]),
        schema_version=row[10],
        record_count=row[11],
        seal_sha256=row[12],
        content_sha256=row[13],
        changes=None if row[14] is None else json.loads(row[14]),
    )


@decoder
def authority_change_of(row: Row) -> AuthorityChange:
    """From `LOG`."""
    return AuthorityChange(
        sequence=row[0],
        key=key_of(row[1:]),
        from_run=_run(row[5]),
        to_run=_run(row[6]),
        status_before=_STATUSES[row[7]],
        status_after=_STATUSES[row[8]],
        schema_version=row[9],
        record_count=row[10],
        seal_sha256=row[11],
        at=from_iso_utc(row[12]),
        cause=row[13],
    )


@decoder
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
        status_before=_STATUSES[row[10]],
        status_after=_STATUSES[row[11]],
        before=row[14],
        after=row[15],
    )


def pin_columns(pin: SchemaPin) -> tuple[Any, ...]:
    """`source, report, schema_version, fingerprint, columns`."""
    columns = [[column.name, column.field, column.type] for column in pin.schema.columns]
    return pin.source, pin.report, pin.schema_version, pin.schema.fingerprint, _json(columns)


@decoder
def pin_of(row: Row) -> SchemaPin:
    """From `source, report, schema_version, columns`."""
    columns = tuple(ColumnSpec(name, field, kind) for name, field, kind in json.loads(row[3]))
    return SchemaPin(row[0], row[1], row[2], TableSchema(columns))


@decoder
def scheduling_state_of(row: Row) -> SchedulingState:
    """From `KEY`, status, the last try, the number of tries, the failure, held, terminal."""
    return SchedulingState(
        key=key_of(row),
        status=_STATUSES[row[4]],
        last_tried_at=None if row[5] is None else moment_of(row[5]),
        tries=row[6],
        failure=None if row[7] is None else _failure_of(row[7]),
        marks=marks_of(row[8], row[9]),
    )


def marks_of(held: int, terminal: int) -> frozenset[Mark]:
    """From `held, terminal`."""
    return _MARK_SETS[held, terminal]


def lease_of(row: Row) -> Lease:
    """From `scope, owner, number, expires_at`."""
    return Lease(row[0], row[1], row[2], moment_of(row[3]))


@lru_cache(maxsize=1024)
def _failure_of(text: str) -> FailureReason:
    """Cached: partitions that failed together have the same failure."""
    return FailureReason(**json.loads(text))


_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def _json(value: object) -> str:
    try:
        return _encode(value)
    except (TypeError, ValueError) as error:
        raise InvalidValueError(f"a validation result holds a value that JSON does not have: {error}") from None


# Rows that are written together share their times and often their run; `find` reads millions of both.
@lru_cache(maxsize=4096)
def moment_of(text: str) -> datetime:
    """The time that `moment_text` wrote."""
    if not text.endswith("Z"):
        raise ValueError(f"{text!r} is not in UTC")
    return datetime.fromisoformat(text).astimezone(UTC)


@lru_cache(maxsize=4096)
def _run(text: str | None) -> RunId | None:
    return None if text is None else RunId(text)
