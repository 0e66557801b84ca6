"""`PartitionMetadata` to the bytes of `metadata.json` and back, so that no changed byte goes unseen.

The bytes are canonical JSON (sorted keys, no spaces, UTF-8, one newline at the end) and carry `seal_sha256`, the
SHA-256 of the same document without that member. A reader demands both: that the bytes are the canonical form of
what they say, and that the sum is right. Every single changed byte breaks one of the two.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, TypeVar

from gads_domain.clock import from_iso_utc
from gads_domain.documents import members_of, plain
from gads_domain.errors import DamagedPartitionError, InvalidValueError, UnsupportedContractError
from gads_domain.metadata import CONTRACT_VERSION, ColumnSpec, PartitionFacts, PartitionMetadata, TableSchema
from gads_domain.partition_key import KEY_MEMBERS, PartitionKey, parse_date
from gads_domain.run import RunId

_T = TypeVar("_T")
_SEAL = "seal_sha256"
_KEPT_SCHEMAS = 1024
_FACTS = ("extracted_at", "api_version", "query", "schema_version", "record_count", "request_ids")

LARGEST_SEAL = 4 * 1024 * 1024
"""Bytes of a `metadata.json` at most: its query and its columns take kilobytes."""

_schemas: dict[str, tuple[list[Any], TableSchema]] = {}
_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode


@dataclass(frozen=True, slots=True)
class Seal:
    """What sound bytes of a `metadata.json` say, and the sum that they carry."""

    metadata: PartitionMetadata
    sha256: str


def encode_metadata(metadata: PartitionMetadata) -> bytes:
    """The bytes that seal the partition; equal metadata give equal bytes.

    Raises `InvalidValueError` for text that UTF-8 cannot carry (a lone surrogate), or for more than `LARGEST_SEAL`.
    """
    try:
        data = _encoded(metadata)
    except UnicodeEncodeError as error:
        raise InvalidValueError(f"metadata holds text that is not Unicode: {error.reason}") from None
    if len(data) > LARGEST_SEAL:
        raise InvalidValueError(f"metadata of {len(data):,} bytes is longer than {LARGEST_SEAL:,}")
    return data


def _encoded(metadata: PartitionMetadata) -> bytes:
    facts = metadata.facts
    document: dict[str, Any] = {
        "contract_version": metadata.contract_version,
        **members_of(metadata.key, KEY_MEMBERS),
        **members_of(metadata, ("run_id", "query_hash", "payload_name", "payload_bytes", "payload_sha256")),
        **members_of(facts, _FACTS),
        "schema": {"fingerprint": facts.schema.fingerprint, **plain(facts.schema)},
        "writer": {"name": facts.writer_name, "version": facts.writer_version},
    }
    if facts.day_field is not None:
        document["day_field"] = facts.day_field
    return _sealed(document)[1]


def seal_sha256(data: bytes) -> str:
    """The sum that `data`, the bytes of a sound `metadata.json`, carries; raises `DamagedPartitionError`."""
    return str(_sound_document(data)[_SEAL])


def decode_metadata(data: bytes) -> PartitionMetadata:
    """The metadata of sealed bytes; raises as `decode_seal` does."""
    return decode_seal(data).metadata


def decode_seal(data: bytes) -> Seal:
    """Read sealed bytes. Members that this version does not know are ignored, but are under the seal.

    Raises `DamagedPartitionError` if the bytes are not what was sealed, `UnsupportedContractError` for another
    major version of the contract.
    """
    document = _sound_document(data)
    metadata = _metadata(document)
    if metadata.query_hash != document["query_hash"]:
        raise DamagedPartitionError("metadata.json: query_hash is not the hash of query")
    if metadata.facts.schema.fingerprint != document["schema"]["fingerprint"]:
        raise DamagedPartitionError("metadata.json: schema.fingerprint is not the fingerprint of schema.columns")
    return Seal(metadata, document[_SEAL])


def decode_known_seal(data: bytes, sha256: str) -> PartitionMetadata:
    """Read sealed bytes whose sum is on record elsewhere, as in the ledger, at half the cost of `decode_seal`.

    The sum is over the same bytes without the member that carries it: taking that member out and summing the rest
    proves every byte without writing the document again. Raises as `decode_seal` does.
    """
    member = f'"{_SEAL}":"{sha256}",'.encode()
    body = data.replace(member, b"", 1)
    if len(body) + len(member) != len(data) or hashlib.sha256(body).hexdigest() != sha256:
        raise DamagedPartitionError("metadata.json is not the one on record")
    return _metadata(_document(body))


def _metadata(document: dict[str, Any]) -> PartitionMetadata:
    version = _member(document, "contract_version", str)
    if version.split(".")[0] != CONTRACT_VERSION.split(".")[0]:
        raise UnsupportedContractError(
            f"metadata.json is of contract version {version}; this reads {CONTRACT_VERSION.split('.')[0]}.x"
        )
    writer = _member(document, "writer", dict)
    _member(document, "query_hash", str)
    try:
        return PartitionMetadata(
            key=PartitionKey(
                _member(document, "source", str),
                _member(document, "customer_id", str),
                _member(document, "report", str),
                parse_date(_member(document, "logical_date", str)),
            ),
            run_id=RunId(_member(document, "run_id", str)),
            facts=PartitionFacts(
                extracted_at=from_iso_utc(_member(document, "extracted_at", str)),
                api_version=_member(document, "api_version", str),
                query=_member(document, "query", str),
                schema_version=_member(document, "schema_version", int),
                schema=_schema(_member(document, "schema", dict)),
                record_count=_member(document, "record_count", int),
                request_ids=tuple(_each(_member(document, "request_ids", list), str, "request_ids")),
                writer_name=_member(writer, "name", str),
                writer_version=_member(writer, "version", str),
                day_field=_member(document, "day_field", str) if "day_field" in document else None,
            ),
            payload_name=_member(document, "payload_name", str),
            payload_bytes=_member(document, "payload_bytes", int),
            payload_sha256=_member(document, "payload_sha256", str),
            contract_version=version,
        )
    except ValueError as error:
        raise DamagedPartitionError(f"metadata.json: {error}") from None


def _schema(document: dict[str, Any]) -> TableSchema:
    """One object for all seals of a schema, so that what follows from it is worked out once."""
    fingerprint, columns = _member(document, "fingerprint", str), _member(document, "columns", list)
    known = _schemas.get(fingerprint)
    if known is not None and known[0] == columns:
        return known[1]
    schema = TableSchema(
        tuple(
            ColumnSpec(_member(column, "name", str), _member(column, "field", str), _member(column, "type", str))
            for column in _each(columns, dict, "schema.columns")
        )
    )
    if len(_schemas) >= _KEPT_SCHEMAS:
        _schemas.clear()
    _schemas[fingerprint] = (columns, schema)
    return schema


def _sound_document(data: bytes) -> dict[str, Any]:
    document = _document(data)
    if not isinstance(document.get(_SEAL), str):
        raise DamagedPartitionError("metadata.json has no seal_sha256")
    try:
        sound = _sealed(document) == (document[_SEAL], data)
    except (ValueError, RecursionError):
        sound = False
    if not sound:
        raise DamagedPartitionError("metadata.json is not the bytes that were sealed")
    return document


def _document(data: bytes) -> dict[str, Any]:
    if len(data) > LARGEST_SEAL:
        raise DamagedPartitionError(f"metadata.json is longer than {LARGEST_SEAL:,} bytes")
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise DamagedPartitionError("metadata.json is not a JSON object")
    return document


def _sealed(document: dict[str, Any]) -> tuple[str, bytes]:
    """The sum over `document` and the bytes that carry it; a sum that is in there already does not count.

    The members around the sum are written once for both.
    """
    before = _canonical({name: value for name, value in document.items() if name < _SEAL})[1:-1]
    after = _canonical({name: value for name, value in document.items() if name > _SEAL})[1:-1]
    seal = hashlib.sha256(_joined(before, after)).hexdigest()
    return seal, _joined(before, f'"{_SEAL}":"{seal}"', after)


def _joined(*members: str) -> bytes:
    return f"{{{','.join(filter(None, members))}}}\n".encode()


def _member(document: dict[str, Any], name: str, kind: type[_T]) -> _T:
    value = document.get(name)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise DamagedPartitionError(f"metadata.json: {name} is not {kind.__name__}")
    return value


def _each(values: list[Any], kind: type[_T], name: str) -> list[_T]:
    for value in values:
        if not isinstance(value, kind):
            raise DamagedPartitionError(f"metadata.json: {name} holds something that is not {kind.__name__}")
    return values
