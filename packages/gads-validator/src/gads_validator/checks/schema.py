"""Checks on the columns: the payload against its metadata, and the metadata against what its version stands for."""

from __future__ import annotations

import pyarrow as pa

from gads_domain.metadata import PartitionMetadata, TableSchema
from gads_domain.state import CheckResult
from gads_payload.schema import arrow_schema, table_schema_of
from gads_validator.checks.result import broken, held

SCHEMA_FINGERPRINT = "schema_fingerprint"


def check_payload_schema(metadata: PartitionMetadata, table: pa.Table) -> CheckResult:
    """The payload has the columns that its metadata names, with those types, in that order."""
    expected = metadata.facts.schema
    found = expected if table.schema.equals(arrow_schema(expected)) else table_schema_of(table.schema)
    figures = {"expected_fingerprint": expected.fingerprint, "found_fingerprint": found.fingerprint}
    if found.fingerprint != expected.fingerprint:
        moved = "; ".join(expected.differences(found))
        return broken(SCHEMA_FINGERPRINT, f"the payload is not of the sealed schema: {moved}", **figures)
    return held(SCHEMA_FINGERPRINT, **figures)


def check_drift(metadata: PartitionMetadata, pinned: TableSchema) -> CheckResult:
    """The sealed schema is the one that this `schema_version` of the report was fixed to."""
    found = metadata.facts.schema
    figures = {"expected_fingerprint": pinned.fingerprint, "found_fingerprint": found.fingerprint}
    if found.fingerprint != pinned.fingerprint:
        moved = "; ".join(pinned.differences(found))
        detail = f"schema_version {metadata.facts.schema_version} stands for another schema: {moved}"
        return broken(SCHEMA_FINGERPRINT, detail, **figures)
    return held(SCHEMA_FINGERPRINT, **figures)
