"""Where a partition lies in a storage: the one translation between a partition and its path, for every backend.

    <source>/customer_id=<id>/report=<name>/logical_date=<YYYY-MM-DD>/run_id=<run_id>/
        payload-<nonce>.parquet
        metadata.json

Paths are relative to the storage's root, with `/` between segments and none at the ends. Each partition has exactly
one path, and a path that differs from it in any character belongs to no partition.
"""

from collections.abc import Callable

from gads_domain.errors import InvalidValueError
from gads_domain.metadata import PAYLOAD_NAME
from gads_domain.partition_key import PartitionKey, parse_date, require_customer_id, require_name
from gads_domain.run import RunId

METADATA_NAME = "metadata.json"
"""The seal; the last name to appear in a partition's folder."""

_SEGMENTS: tuple[tuple[str, Callable[[str], object]], ...] = (
    ("", lambda text: require_name(text, "source")),
    ("customer_id=", require_customer_id),
    ("report=", lambda text: require_name(text, "report name")),
    ("logical_date=", parse_date),
    ("run_id=", RunId),
)

DEPTH = len(_SEGMENTS)
"""How many folders lie between the root and a partition's files."""


def key_prefix(key: PartitionKey) -> str:
    """The path that holds every run of `key`."""
    day = key.logical_date.isoformat()
    return f"{key.source}/customer_id={key.customer_id}/report={key.report}/logical_date={day}"


def partition_prefix(key: PartitionKey, run_id: RunId) -> str:
    """The path that holds the payload and the seal of `(key, run_id)`."""
    return f"{key_prefix(key)}/run_id={run_id.value}"


def parse_prefix(text: str) -> tuple[PartitionKey, RunId]:
    """Read what `partition_prefix` wrote; raises `InvalidValueError` for every other text."""
    segments = text.split("/")
    if len(segments) != DEPTH:
        raise InvalidValueError(f"{text!r} is not the path of a partition")
    values = [_value(depth, segment) for depth, segment in enumerate(segments)]
    return PartitionKey(values[0], values[1], values[2], parse_date(values[3])), RunId(values[4])


def run_in(name: str) -> RunId:
    """The run whose folder in a partition's has this name; raises `InvalidValueError` for every other name."""
    return RunId(_value(DEPTH - 1, name))


def is_segment(depth: int, name: str) -> bool:
    """Whether `name` can be the folder number `depth` (0 is the source) of a partition's path."""
    try:
        _value(depth, name)
    except InvalidValueError:
        return False
    return True


def narrowed_prefix(source: str | None = None, customer_id: str | None = None, report: str | None = None) -> str:
    """The path that holds all that a listing narrowed so may return; empty for everything.

    Raises `InvalidValueError` if a later part is given without an earlier one, or a part is not valid.
    """
    parts = (source, customer_id, report)
    given = [part for part in parts if part is not None]
    if list(parts[: len(given)]) != given:
        raise InvalidValueError(
            "a listing is narrowed from the left", hint="give the source, then the customer id, then the report"
        )
    segments = [f"{_SEGMENTS[depth][0]}{part}" for depth, part in enumerate(given)]
    for depth, segment in enumerate(segments):
        _value(depth, segment)
    return "/".join(segments)


def payload_name(nonce: str) -> str:
    """The payload's name of the writer with this nonce, 16 hex digits; raises `InvalidValueError`."""
    return require_payload_name(f"payload-{nonce}.parquet")


def require_payload_name(name: str) -> str:
    """Return `name` if it can be a payload's, and so no path to anywhere else; raises `InvalidValueError`."""
    if not PAYLOAD_NAME.fullmatch(name):
        raise InvalidValueError(
            f"{name!r} cannot name a payload", hint="it looks like payload-0123456789abcdef.parquet"
        )
    return name


def _value(depth: int, segment: str) -> str:
    label, require = _SEGMENTS[depth]
    if not segment.startswith(label):
        raise InvalidValueError(f"{segment!r} does not begin with {label!r}")
    value = segment.removeprefix(label)
    require(value)
    return value
