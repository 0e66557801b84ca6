"""The values of the ledger as columns, and back."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache, partial
from operator import attrgetter
from typing import Any, Generic, TypeVar

from gads_domain.clock import iso_utc
from gads_domain.control import Lease, Mark, SchedulingState
from gads_domain.documents import members_of
from gads_domain.errors import FailureReason, InvalidValueError, LedgerError
from gads_domain.metadata import ColumnSpec, KnownContent, TableSchema
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
BY_KEY = "source = ? AND customer_id = ? AND report = ? AND logical_date = ?"
BY_NUMBER = (
    "account_report = (SELECT id FROM account_reports WHERE source = ? AND customer_id = ? AND report = ?) "
    "AND logical_date = ?"
)
"""As `BY_KEY`, in the tables."""

_Value = TypeVar("_Value")

_STATUSES = {status.value: status for status in PartitionStatus}
_MARK_SETS = (frozenset[Mark](), frozenset({Mark.HELD}), frozenset({Mark.TERMINAL}), frozenset(Mark))


def moment_text(moment: datetime | None, what: str) -> str:
    """The time as text; raises `InvalidValueError` for one that is absent or does not know its zone."""
    if moment is None or moment.tzinfo is None:
        raise InvalidValueError(f"{what} is not an aware time")
    return iso_utc(moment)


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@lru_cache(maxsize=4096)
def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def microseconds(moment: datetime | None, what: str) -> int:
    """The time as a number, as tables of many rows have it; raises as `moment_text` does."""
    if moment is None or moment.tzinfo is None:
        raise InvalidValueError(f"{what} is not an aware time")
    return _microseconds(moment)


def key_columns(key: PartitionKey) -> tuple[str, str, str, str]:
    """`KEY`."""
    return key.source, key.customer_id, key.report, key.logical_date.isoformat()


def key_of(row: Row) -> PartitionKey:
    """The key in the first four columns."""
    return PartitionKey(row[0], row[1], row[2], date.fromisoformat(row[3]))


def marks_of(number: int) -> frozenset[Mark]:
    """From `held + 2 * terminal`."""
    return _MARK_SETS[number]


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
def moment_of(text: str | int) -> datetime:
    """The time that `moment_text` or `microseconds` wrote."""
    if isinstance(text, int):
        return _EPOCH + text * _MICROSECOND
    if not text.endswith("Z"):
        raise ValueError(f"{text!r} is not in UTC")
    return datetime.fromisoformat(text).astimezone(UTC)


@lru_cache(maxsize=4096)
def _run(text: str | None) -> RunId | None:
    return None if text is None else RunId(text)


def _run_text(run: RunId | None) -> str | None:
    return None if run is None else run.value


@lru_cache(maxsize=256)
def _checks(text: str) -> tuple[CheckResult, ...]:
    """A check that held is its name; earlier versions recorded its figures, too."""
    return tuple(
        CheckResult(one, True)
        if isinstance(one, str)
        else CheckResult(one["name"], True)
        if one["passed"]
        else CheckResult(one["name"], False, one["detail"], one["figures"])
        for one in json.loads(text)
    )


def checks_text(checks: Sequence[CheckResult]) -> str:
    """The checks as JSON."""
    return _json([_check(one) for one in checks])


def _check(check: CheckResult) -> str | dict[str, object]:
    if check.passed:
        return check.name
    return {"name": check.name, "passed": False, "detail": check.detail, "figures": dict(check.figures)}


def compact_checks(text: str) -> str:
    """What an earlier version wrote of checks, as it is written now."""
    return _json([one["name"] if one["passed"] else one for one in json.loads(text)])


def _sum_text(value: bytes | str) -> str:
    """Tables before the compact ones have it as text."""
    return value.hex() if isinstance(value, bytes) else value


def sum_bytes(text: str | None) -> bytes | str | None:
    """A sum as bytes; what is no sum stays as it is."""
    try:
        value = bytes.fromhex(text or "")
    except ValueError:
        return text
    return value if value.hex() == text else text


def _failure_text(failure: FailureReason | None) -> str | None:
    if failure is None:
        return None
    return _json(members_of(failure, ("code", "message", "retryable", "hint")))


def _columns(text: str) -> TableSchema:
    return TableSchema(tuple(ColumnSpec(name, field, kind) for name, field, kind in json.loads(text)))


def _columns_text(schema: TableSchema) -> str:
    return _json([[column.name, column.field, column.type] for column in schema.columns])


def _changes_text(changes: Mapping[str, object] | None) -> str | None:
    return None if changes is None else _json(dict(changes))


_value = attrgetter("value")
Conversion = Callable[[Any], Any]

_CONVERSIONS: dict[str, tuple[Conversion, Conversion]] = {
    **dict.fromkeys(("status", "status_before", "status_after"), (_STATUSES.__getitem__, _value)),
    **dict.fromkeys(
        ("current_run_id", "held_run_id", "confirmed_run_id", "confirmed_by", "run_id", "from_run", "to_run"),
        (_run, _run_text),
    ),
    **{
        name: (moment_of, partial(moment_text, what=name))
        for name in ("expires_at", "first_listed_at", "last_listed_at", "span", "not_before")
    },
    "at": (moment_of, partial(microseconds, what="at")),
    "updated_at": (moment_of, partial(microseconds, what="updated_at")),
    "judged_at": (moment_of, partial(microseconds, what="validated_at")),
    "confirmed_at": (moment_of, lambda at: at and microseconds(at, "confirmed_at")),
    **dict.fromkeys(("seal_sha256", "content_sha256"), (_sum_text, sum_bytes)),
    **dict.fromkeys(("first_day", "last_day"), (date.fromisoformat, lambda day: day and day.isoformat())),
    **dict.fromkeys(("by_policy", "selected"), (bool, int)),
    "outcome": (ValidationOutcome, _value),
    "checks": (_checks, checks_text),
    "failure": (_failure_of, _failure_text),
    "changes": (json.loads, _changes_text),
    "columns": (_columns, _columns_text),
    "manager_path": (lambda text: tuple(json.loads(text)), _json),
}
"""From a column that is not null to its value, and back, by the column's name; the others are kept as they are."""


class Record(Generic[_Value]):
    """Columns as the arguments of `make`, in the same order; the four of a key are one argument."""

    def __init__(self, make: Callable[..., _Value], columns: str, **own: tuple[Conversion, Conversion]) -> None:
        self.columns = columns
        self._make = make
        names = columns.split(", ")
        self._key = names.index("source") if KEY in columns else None
        if self._key is not None:
            names[self._key : self._key + 4] = ["key"]
        conversions = [(place, {**_CONVERSIONS, **own}.get(name)) for place, name in enumerate(names)]
        self._decode = [(place, one[0]) for place, one in conversions if one is not None]
        self._encode = [(place, one[1]) for place, one in conversions if one is not None]
        if is_dataclass(make):
            self._values = attrgetter(*(field.name for field in fields(make)[: len(names)]))

    def read(self, row: Row) -> _Value:
        """The value of `row`. A row that cannot be read is damage, and not the caller's mistake."""
        place = self._key
        try:
            values = list(row) if place is None else [*row[:place], key_of(row[place:]), *row[place + 4 :]]
            for index, decode in self._decode:
                value = values[index]
                if value is not None:
                    values[index] = decode(value)
            return self._make(*values)
        except (ValueError, KeyError, TypeError) as error:
            raise LedgerError(
                f"the ledger is damaged: a row holds a value that is not valid: {error}", hint=RESTORE
            ) from error

    def write(self, value: _Value) -> tuple[Any, ...]:
        """The columns of `value`. Raises `InvalidValueError` for what they cannot hold."""
        values = list(self._values(value))
        for index, encode in self._encode:
            values[index] = encode(values[index])
        if self._key is not None:
            values[self._key : self._key + 1] = key_columns(values[self._key])
        return tuple(values)


def _act(sequence: int, key: PartitionKey, kind: str, *values: Any) -> RecordedAct:
    return RecordedAct(sequence, key, kind, OperatorAct(*values[:6]), *values[6:])


STATE = Record(
    PartitionState,
    f"{KEY}, status, current_run_id, schema_version, record_count, seal_sha256, "
    "attempt_count, updated_at, last_error, version, held_run_id, confirmed_run_id, confirmed_at",
)
RESULT = Record(
    ValidationResult,
    f"{KEY}, run_id, outcome, judged_at, checks, failure, "
    "schema_version, record_count, seal_sha256, content_sha256, changes, vanished_rows, confirmed_by, confirmed_at",
)
LOG = Record(
    AuthorityChange,
    f"sequence, {KEY}, from_run, to_run, status_before, status_after, "
    "schema_version, record_count, seal_sha256, at, cause",
)
ACT = Record(
    _act,
    f"sequence, {KEY}, kind, at, actor, command, reason, filter, by_policy, status_before, status_after, before, after",
)
KNOWN = Record(KnownContent, "run_id, content_sha256, schema_version, record_count")
PIN = Record(SchemaPin, "source, report, schema_version, columns")
SCHEDULING = Record(
    SchedulingState,
    f"{KEY}, status, judged_at, tries, failure, marks, held_run_id",
    marks=(_MARK_SETS.__getitem__, _MARK_SETS.index),
)
LEASE = Record(Lease, "scope, owner, number, expires_at")
