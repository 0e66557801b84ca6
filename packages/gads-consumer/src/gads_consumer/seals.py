"""Reading a seal and making sure that it is the very one that the ledger vouches for."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

from gads_consumer.errors import NewerContractError, PartitionAlteredError, PartitionGoneError
from gads_domain.current_partition import CurrentPartition
from gads_domain.errors import NotSealedError
from gads_domain.metadata import CONTRACT_VERSION, ColumnSpec, TableSchema
from gads_domain.ports.sink import RawReader

_MAJOR = CONTRACT_VERSION.split(".")[0]
_KNOWN_SCHEMAS = 1024


@dataclass(frozen=True, slots=True)
class Seal:
    """What a reader needs of `metadata.json`."""

    partition: CurrentPartition
    payload_name: str
    payload_bytes: int
    payload_sha256: str
    schema: TableSchema


class SealReader:
    """Reads seals; threads may share it."""

    def __init__(self, reader: RawReader) -> None:
        self._reader = reader
        self._schemas: dict[str, tuple[object, TableSchema]] = {}

    def read(self, partition: CurrentPartition) -> Seal:
        """The seal of `partition`.

        Raises `PartitionGoneError` if there is none, `PartitionAlteredError` if it is not the one vouched for,
        `NewerContractError` if it was written under another major version of the raw partition's contract.
        """
        try:
            data = self._reader.metadata_bytes(partition.key, partition.run_id)
        except NotSealedError:
            raise PartitionGoneError(f"{partition} is vouched for by the ledger and is not in the sink") from None
        document = _vouched_document(data, partition)
        version = document.get("contract_version")
        if not isinstance(version, str) or version.split(".")[0] != _MAJOR:
            raise NewerContractError(f"{partition} was sealed under contract version {version}; this reads {_MAJOR}.x")
        try:
            seal = self._seal(document, partition)
        except (KeyError, TypeError, AttributeError):
            raise PartitionAlteredError(f"the seal of {partition} lacks what a seal has") from None
        _require_same(document, partition)
        return seal

    def _seal(self, document: dict[str, Any], partition: CurrentPartition) -> Seal:
        return Seal(
            partition,
            str(document["payload_name"]),
            int(document["payload_bytes"]),
            str(document["payload_sha256"]),
            self._schema(document["schema"]),
        )

    def _schema(self, told: dict[str, Any]) -> TableSchema:
        """The schema that a seal tells; those of a snapshot mostly tell the same, and comparing costs less."""
        fingerprint, columns = str(told["fingerprint"]), told["columns"]
        known = self._schemas.get(fingerprint)
        if known is not None and known[0] == columns:
            return known[1]
        schema = TableSchema(tuple(ColumnSpec(column["name"], column["field"], column["type"]) for column in columns))
        if len(self._schemas) >= _KNOWN_SCHEMAS:
            self._schemas.clear()
        self._schemas[fingerprint] = (columns, schema)
        return schema


def _vouched_document(data: bytes, partition: CurrentPartition) -> dict[str, Any]:
    """What `data` says, if it is the canonical document whose sum the ledger holds.

    A seal's sum is over the same bytes without the member that carries it, so taking that member out and summing
    what is left proves every byte, without writing the document again.
    """
    member = f'"seal_sha256":"{partition.seal_sha256}",'.encode()
    body = data.replace(member, b"", 1)
    if len(body) + len(member) != len(data) or hashlib.sha256(body).hexdigest() != partition.seal_sha256:
        raise PartitionAlteredError(f"the seal of {partition} is not the one that the ledger vouches for")
    document: dict[str, Any] = json.loads(body)
    return document


def _require_same(document: dict[str, Any], partition: CurrentPartition) -> None:
    key = partition.key
    told = {
        "source": key.source,
        "customer_id": key.customer_id,
        "report": key.report,
        "logical_date": key.logical_date.isoformat(),
        "run_id": partition.run_id.value,
        "record_count": partition.record_count,
        "schema_version": partition.schema_version,
    }
    for name, value in told.items():
        if document.get(name) != value:
            raise PartitionAlteredError(f"the seal of {partition} says {name} {document.get(name)!r}, not {value!r}")
