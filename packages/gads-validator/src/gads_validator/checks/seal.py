"""Checks on the seal alone: that it is the bytes that were sealed, and of the partition that it lies in."""

from gads_domain.errors import DamagedPartitionError, NotSealedError, UnsupportedContractError
from gads_domain.metadata import PartitionMetadata
from gads_domain.metadata_codec import Seal, decode_seal
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.sink import RawReader
from gads_domain.run import RunId
from gads_domain.state import CheckResult

SEAL = "seal"
IDENTITY = "identity"

_LARGEST = (1 << 63) - 1
"""Beyond it no ledger could put the number on record."""


def check_seal(reader: RawReader, key: PartitionKey, run_id: RunId) -> tuple[CheckResult, Seal | None]:
    """Canonical bytes, a right sum and a known contract version; the seal is None unless all hold.

    A seal that was listed, or validated before, and is gone does not hold either.
    """
    try:
        data = reader.metadata_bytes(key, run_id)
    except NotSealedError:
        return CheckResult.of(SEAL, "metadata.json is gone"), None
    try:
        seal = decode_seal(data)
    except (DamagedPartitionError, UnsupportedContractError) as error:
        return CheckResult.of(SEAL, error.message, metadata_bytes=len(data)), None
    facts = seal.metadata.facts
    if max(facts.schema_version, facts.record_count, seal.metadata.payload_bytes) > _LARGEST:
        return CheckResult.of(SEAL, "metadata.json has a number that no partition can have"), None
    return CheckResult.of(SEAL, metadata_bytes=len(data)), seal


def check_identity(metadata: PartitionMetadata, key: PartitionKey, run_id: RunId) -> CheckResult:
    """The key and the run in the metadata are those of the path."""
    if metadata.key == key and metadata.run_id == run_id:
        return CheckResult.of(IDENTITY)
    expected = {"partition": str(key), "run_id": str(run_id)}
    found = {"partition": str(metadata.key), "run_id": str(metadata.run_id)}
    wrong = [f"{name} is {found[name]}, the path says {it}" for name, it in expected.items() if found[name] != it]
    return CheckResult.of(IDENTITY, "; ".join(wrong), **{f"found_{name}": value for name, value in found.items()})
