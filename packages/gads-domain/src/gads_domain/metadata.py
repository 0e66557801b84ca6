"""The metadata of a sealed partition."""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from gads_domain.errors import InvalidValueError
from gads_domain.partition_key import PartitionKey
from gads_domain.run import RunId

CONTRACT_VERSION = "1.1"
"""`major.minor` of contracts/raw-partition; a reader refuses another major and accepts any minor."""

PAYLOAD_NAME = re.compile(r"payload-[0-9a-f]{16}\.parquet")
"""The only names a payload may have; the sixteen digits are the writer's nonce."""

COLUMN_TYPES = frozenset(
    kind for scalar in ("int64", "double", "bool", "string", "binary", "date32") for kind in (scalar, f"list<{scalar}>")
)
"""The types that a column of a payload may have; another one needs another major version of the contract."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_COLUMN_NAME = re.compile(r"[a-z][a-z0-9_]*")
_FIELD = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*")
_API_VERSION = re.compile(r"v[0-9]+")
_CONTRACT_VERSION = re.compile(r"(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)")


@dataclass(frozen=True, slots=True)
class ColumnSpec:
    """A column of the payload: its `name` there, the GAQL `field` it came from, its `type`.

    `type` is one of `int64`, `double`, `bool`, `string`, `binary`, `date32`, or `list<…>` of one of them.
    One that describes a foreign payload may have any other text; a seal may not.
    """

    name: str
    field: str
    type: str

    @property
    def is_metric(self) -> bool:
        """Whether the column measures; every other column is part of the report's grain."""
        return self.field.startswith("metrics.")


class _Derived:
    """Caches what is derived from a schema's columns; not part of the schema's value.

    Millions of partitions share a few schemas, and each partition asks a dozen times.
    """

    __slots__ = ("_fingerprint", "_grain", "_hash")

    _fingerprint: str
    _grain: tuple[str, ...]
    _hash: int


@dataclass(frozen=True, slots=True)
class TableSchema(_Derived):
    """The payload's columns, in order."""

    columns: tuple[ColumnSpec, ...]

    def __hash__(self) -> int:
        try:
            return self._hash
        except AttributeError:
            object.__setattr__(self, "_hash", hash((self.columns,)))
            return self._hash

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) over the names and types, in order: two payloads with the same one have the same shape."""
        try:
            return self._fingerprint
        except AttributeError:
            text = "".join(f"{column.name}\t{column.type}\n" for column in self.columns)
            object.__setattr__(self, "_fingerprint", hashlib.sha256(text.encode()).hexdigest())
            return self._fingerprint

    @property
    def grain(self) -> tuple[str, ...]:
        """The names of the columns that are not metrics; a row is unique in them."""
        try:
            return self._grain
        except AttributeError:
            grain = tuple(column.name for column in self.columns if not column.is_metric)
            object.__setattr__(self, "_grain", grain)
            return self._grain

    def differences(self, other: "TableSchema") -> list[str]:
        """List the columns that `other` has differently, such as `metrics_clicks: int64 -> double`."""
        mine = {column.name: column.type for column in self.columns}
        theirs = {column.name: column.type for column in other.columns}
        found = [f"{name}: {kind} -> absent" for name, kind in mine.items() if name not in theirs]
        found += [f"{name}: absent -> {kind}" for name, kind in theirs.items() if name not in mine]
        found += [f"{name}: {kind} -> {theirs[name]}" for name, kind in mine.items() if theirs.get(name, kind) != kind]
        if not found and list(mine) != list(theirs):
            found.append("the same columns in another order")
        return found


@dataclass(frozen=True, slots=True)
class PartitionFacts:
    """What only the extractor knows about a partition; the sink adds what it wrote and seals both.

    `query` is the GAQL as it was sent; `request_ids` are the API's, one a stream; `api_version` is like `v26`.
    `day_field` is the GAQL field, among the schema's, that tells a row's day; None where rows tell none, as in a
    snapshot report, and in what was sealed under contract version 1.0.
    """

    extracted_at: datetime
    api_version: str
    query: str
    schema_version: int
    schema: TableSchema
    record_count: int
    request_ids: tuple[str, ...]
    writer_name: str
    writer_version: str
    day_field: str | None = None


@dataclass(frozen=True, slots=True)
class PartitionMetadata:
    """The content of `metadata.json`: the seal of `(key, run_id)`.

    `payload_name` is a name in the partition's own folder, `payload_bytes` its size, `payload_sha256` hex.
    Raises `InvalidValueError` for values that no seal may have.
    """

    key: PartitionKey
    run_id: RunId
    facts: PartitionFacts
    payload_name: str
    payload_bytes: int
    payload_sha256: str
    contract_version: str = CONTRACT_VERSION

    def __post_init__(self) -> None:
        if not PAYLOAD_NAME.fullmatch(self.payload_name):
            raise InvalidValueError(f"{self.payload_name!r} cannot name a payload")
        if not _SHA256.fullmatch(self.payload_sha256):
            raise InvalidValueError("payload_sha256 is not 64 hex digits")
        if self.payload_bytes < 0 or self.facts.record_count < 0:
            raise InvalidValueError("sizes and counts are not negative")
        if self.facts.schema_version < 1:
            raise InvalidValueError(f"schema_version is {self.facts.schema_version}; it starts at 1")
        if self.facts.extracted_at.tzinfo is None:
            raise InvalidValueError("extracted_at is a time without a zone")
        if not _API_VERSION.fullmatch(self.facts.api_version):
            raise InvalidValueError(f"{self.facts.api_version!r} is not an API version", hint="it looks like v26")
        if not _CONTRACT_VERSION.fullmatch(self.contract_version):
            raise InvalidValueError(f"{self.contract_version!r} is not a contract version")
        _require_sealable(self.facts.schema, self.facts.day_field)

    @property
    def query_hash(self) -> str:
        """SHA-256 (hex) of the query as it was sent."""
        return hashlib.sha256(self.facts.query.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class KnownContent:
    """What the run `run_id` has sealed of a day: its rows by their sum, so that the same rows need not be sealed again.

    `content_sha256` is that of `gads_payload.content`: equal exactly for the same columns and rows.
    """

    run_id: RunId
    content_sha256: str
    schema_version: int
    record_count: int


@lru_cache(maxsize=1024)
def _require_sealable(schema: TableSchema, day_field: str | None) -> None:
    """Raise `InvalidValueError` if no seal may have the two; what passed once is remembered, and passes again."""
    if day_field is not None and all(column.field != day_field for column in schema.columns):
        raise InvalidValueError(f"no column comes from {day_field!r}, which is to tell a row's day")
    names = set()
    for column in schema.columns:
        if not _COLUMN_NAME.fullmatch(column.name) or not _FIELD.fullmatch(column.field):
            raise InvalidValueError(f"{column.name!r} from {column.field!r} cannot be a column")
        if column.type not in COLUMN_TYPES:
            raise InvalidValueError(f"{column.type!r} cannot be the type of column {column.name}")
        if column.name in names:
            raise InvalidValueError(f"two columns are named {column.name}")
        names.add(column.name)
