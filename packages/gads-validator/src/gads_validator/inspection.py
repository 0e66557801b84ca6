"""The inspection of one sealed run: every check that needs nothing but the partition itself."""

from contextlib import closing
from dataclasses import dataclass

import pyarrow as pa

from gads_domain.errors import DamagedPartitionError
from gads_domain.metadata import PartitionMetadata
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.sink import RawReader
from gads_domain.run import RunId
from gads_domain.state import CheckResult
from gads_payload.small_table import Rows
from gads_validator.checks.declared import DeclaredChecks, check_declared
from gads_validator.checks.grain import check_grain, grain_hint
from gads_validator.checks.payload import (
    PAYLOAD_SIZE,
    check_readable,
    check_record_count,
    check_schema,
    check_sha256,
    check_size,
    measure,
)
from gads_validator.checks.rows import ROW_CHECKS
from gads_validator.checks.seal import check_identity, check_seal

NOTHING_DECLARED = DeclaredChecks()
"""For a report whose owner declares no checks."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found in one sealed run, the ledger not asked.

    `metadata` and `seal_sha256` are None if the seal is not sound, `table` if the rows could not be read or are no
    longer held, `content_sha256` unless every check held.
    `grain_hint` says what to do about rows that repeat the grain.
    """

    results: tuple[CheckResult, ...]
    metadata: PartitionMetadata | None = None
    seal_sha256: str | None = None
    content_sha256: str | None = None
    table: pa.Table | None = None
    grain_hint: str = ""

    @property
    def passed(self) -> bool:
        """Whether every check held."""
        return all(result.passed for result in self.results)


def inspect(
    reader: RawReader, key: PartitionKey, run_id: RunId, declared: DeclaredChecks = NOTHING_DECLARED
) -> Inspection:
    """Check what is sealed as `(key, run_id)`, and report everything that is wrong with it.

    Nothing is checked after an unsound seal, and no rows of bytes other than those that were sealed. Raises
    `StorageError` if the storage fails, which proves nothing about the partition.
    """
    sealed, seal = check_seal(reader, key, run_id)
    if seal is None:
        return Inspection((sealed,))
    metadata = seal.metadata
    results = [sealed, check_identity(metadata, key, run_id)]
    table = _check_payload(reader, key, run_id, metadata, results)
    if table is None:
        return Inspection(tuple(results), metadata, seal.sha256)
    rows = Rows(table)
    results += [check(metadata, rows, key) for check in ROW_CHECKS]
    unique = check_grain(metadata, rows, declared.grain)
    results += [unique, *check_declared(declared, metadata.facts.schema, rows)]
    passed = all(result.passed for result in results)
    content = rows.content_sha256() if passed else None
    hint = "" if unique.passed else grain_hint(metadata, table, declared.grain)
    return Inspection(tuple(results), metadata, seal.sha256, content, table, hint)


def rows_of(reader: RawReader, key: PartitionKey, run_id: RunId) -> tuple[PartitionMetadata, pa.Table]:
    """The metadata and rows of a run that passed before; raises `DamagedPartitionError` if it no longer would."""
    sealed, seal = check_seal(reader, key, run_id)
    results = [sealed]
    table = None if seal is None else _check_payload(reader, key, run_id, seal.metadata, results)
    if seal is not None and table is not None:
        return seal.metadata, table
    failed = next(result for result in results if not result.passed)
    raise DamagedPartitionError(f"{failed.name}: {failed.detail}")


def _check_payload(
    reader: RawReader, key: PartitionKey, run_id: RunId, metadata: PartitionMetadata, results: list[CheckResult]
) -> pa.Table | None:
    """Append the results of the payload's checks; return the rows if they are as the metadata describes them."""
    try:
        stream = reader.open_payload(key, run_id, metadata.payload_name)
    except DamagedPartitionError as error:
        results.append(CheckResult.of(PAYLOAD_SIZE, error.message, expected_bytes=metadata.payload_bytes))
        return None
    with closing(stream):
        payload = measure(stream)
        intact = (check_size(metadata, payload), check_sha256(metadata, payload))
        results += intact
        if not all(result.passed for result in intact):
            return None
        readable, table, announced = check_readable(payload)
    results.append(readable)
    if table is None:
        return None
    results.append(check_record_count(metadata, table, announced))
    shape = check_schema(metadata, table)
    results.append(shape)
    return table if shape.passed else None
