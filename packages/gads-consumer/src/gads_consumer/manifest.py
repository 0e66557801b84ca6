"""A snapshot as a JSON document that pins the same partitions for good; contracts/consumer/v1/manifest.schema.json."""

import hashlib
import json
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, ValidationError

from gads_consumer.cursor import Cursor
from gads_consumer.errors import ManifestError, NewerContractError
from gads_domain.current_partition import CurrentPartition
from gads_domain.errors import InvalidValueError
from gads_domain.local_path import read_file
from gads_domain.partition_key import PartitionKey, parse_date
from gads_domain.run import RunId
from gads_domain.state import PartitionStatus

MANIFEST_VERSION = "1.1"
"""`major.minor` of the manifest; a reader refuses another major and accepts any minor."""

_SUM = "manifest_sha256"
_Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_Name = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
_CustomerId = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,18}$")]
_Moment = Annotated[
    str, StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$")
]


def _strict_day(value: object) -> object:
    """YYYY-MM-DD and no other of the forms that pydantic takes for a date."""
    if isinstance(value, str):
        return parse_date(value)
    if type(value) is not date:
        raise ValueError("not a date as YYYY-MM-DD")
    return value


_Day = Annotated[date, BeforeValidator(_strict_day)]


class _Document(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class ManifestPartition(_Document):
    """One partition of the snapshot."""

    customer_id: _CustomerId
    logical_date: _Day
    run_id: str
    record_count: Annotated[int, Field(ge=0, strict=True)]
    schema_version: Annotated[int, Field(ge=1, strict=True)]
    seal_sha256: _Sha256


class ManifestGap(_Document):
    """A partition that the ledger knew and that was not authoritative."""

    customer_id: _CustomerId
    logical_date: _Day
    status: Literal["pending", "failed"]


class ExportedFile(_Document):
    """The file that was exported beside the manifest."""

    file: str
    format: str
    bytes: Annotated[int, Field(ge=0, strict=True)]
    sha256: _Sha256
    rows: Annotated[int, Field(ge=0, strict=True)]
    columns: tuple[str, ...]


class Manifest(_Document):
    """What is pinned, and what was asked for."""

    manifest_version: str
    ledger_id: Annotated[str, StringConstraints(min_length=1)]
    position: Annotated[int, Field(ge=0, strict=True)]
    cursor: str
    resolved_at: _Moment
    source: _Name
    report: _Name
    since: _Day | None
    until: _Day | None
    customers: tuple[_CustomerId, ...] | None
    after: str | None = None
    """The cursor behind which a delta begins, which holds only what changed since; None for any other snapshot."""
    partitions: tuple[ManifestPartition, ...]
    not_vouched_for: tuple[ManifestGap, ...]
    export: ExportedFile | None = None

    def current(self) -> tuple[CurrentPartition, ...]:
        """The pinned partitions; raises `InvalidValueError` for an impossible one."""
        return tuple(
            CurrentPartition(self._key(one), RunId(one.run_id), one.record_count, one.schema_version, one.seal_sha256)
            for one in self.partitions
        )

    def others(self) -> dict[PartitionKey, PartitionStatus]:
        """The status of the partitions that were known and not authoritative."""
        return {self._key(one): PartitionStatus(one.status) for one in self.not_vouched_for}

    def _key(self, one: ManifestPartition | ManifestGap) -> PartitionKey:
        return PartitionKey(self.source, one.customer_id, self.report, one.logical_date)


def encode_manifest(manifest: Manifest) -> bytes:
    """The document, with a sum over all the rest of it."""
    document = manifest.model_dump(mode="json", exclude_none=False)
    for optional in ("after", "export"):
        if document[optional] is None:
            del document[optional]
    document[_SUM] = _sum_of(document)
    return (json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def decode_manifest(data: bytes, name: str) -> Manifest:
    """Read a manifest; members of a later minor are ignored, but are under the sum.

    Raises `ManifestError` for what is not the document that was saved, `NewerContractError` for another major.
    """
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict) or not isinstance(document.get("manifest_version"), str):
        raise ManifestError(f"{name} is not a snapshot manifest", hint="save one with snapshot.save(path)")
    if document.get(_SUM) != _sum_of({key: value for key, value in document.items() if key != _SUM}):
        raise ManifestError(f"{name} is not as it was saved", hint="restore the file as it was saved")
    version = document["manifest_version"]
    if version.split(".")[0] != MANIFEST_VERSION.split(".")[0]:
        raise NewerContractError(f"{name} is a manifest of version {version}; this reads {MANIFEST_VERSION}")
    try:
        manifest = Manifest.model_validate(document)
        current = manifest.current()
        cursor = Cursor.parse(manifest.cursor)
        behind = Cursor.parse(manifest.after) if manifest.after is not None else None
    except (ValidationError, InvalidValueError) as error:
        raise ManifestError(f"{name} is not a valid manifest: {_first(error)}", hint="save it anew") from None
    if (cursor.ledger_id, cursor.position) != (manifest.ledger_id, manifest.position):
        raise ManifestError(f"{name} has the cursor of another position", hint="save it anew")
    if behind is not None and (behind.ledger_id != cursor.ledger_id or behind.position > cursor.position):
        raise ManifestError(f"{name} begins behind its own position, or in another ledger", hint="save it anew")
    if list(current) != sorted(current) or len({one.key for one in current}) != len(current):
        raise ManifestError(f"{name} names a partition twice or out of order", hint="save it anew")
    return manifest


_LARGEST = 1 << 30
"""Bytes; a manifest has about 300 for a partition."""


def read_manifest(path: Path) -> Manifest:
    """The manifest in the file; raises `ManifestError`, `NewerContractError`."""
    try:
        return decode_manifest(read_file(path, _LARGEST), str(path))
    except OSError as error:
        raise ManifestError(f"{path} cannot be read: {error.strerror}", hint="check the path") from error


def _sum_of(document: dict[str, Any]) -> str:
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def _first(error: ValidationError | InvalidValueError) -> str:
    if isinstance(error, InvalidValueError):
        return error.message
    found = error.errors(include_url=False)[0]
    return f"{'.'.join(map(str, found['loc']))}: {found['msg']}"
