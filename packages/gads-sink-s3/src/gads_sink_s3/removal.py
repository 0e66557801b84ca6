"""Removes sealed runs: one listing a run, then all payloads by one request, then all seals by another."""

from collections.abc import Sequence

from gads_domain.layout import METADATA_NAME, partition_prefix
from gads_domain.metadata import PAYLOAD_NAME
from gads_domain.partition_key import PartitionKey
from gads_domain.run import RunId
from gads_sink_s3.bucket import Bucket, Version


def remove_runs(bucket: Bucket, partitions: Sequence[tuple[PartitionKey, RunId]]) -> list[int]:
    """Remove `partitions`, and return the bytes of each, 0 if it is not sealed: see `PrunableSink`.

    Of a bucket with versions all go: noncurrent ones are no longer there to be restored. A seal that was deleted by
    other means, and so is noncurrent, goes too.
    """
    payloads: list[Version] = []
    former_seals: list[Version] = []
    seals: list[Version] = []
    freed = []
    for key, run_id in partitions:
        folder = partition_prefix(key, run_id)
        found = bucket.versions_below(folder)
        own_seals = [one for one in found if one.path == f"{folder}/{METADATA_NAME}"]
        own_payloads = [one for one in found if PAYLOAD_NAME.fullmatch(one.path.removeprefix(f"{folder}/"))]
        if not own_seals:
            freed.append(0)
            continue
        payloads += own_payloads
        former_seals += [one for one in own_seals if not one.is_latest]
        seals += [one for one in own_seals if one.is_latest]
        freed.append(sum(one.size for one in [*own_payloads, *own_seals]))
    for batch in (payloads, former_seals, seals):  # the latest last, or a former one would come to light
        bucket.remove_versions(batch)
    return freed
