"""Removes what killed writers leave: payloads that no seal names, uploads that were never completed, probes."""

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import groupby

from gads_domain.errors import DamagedPartitionError, InvalidValueError, UnsupportedContractError
from gads_domain.layout import METADATA_NAME, parse_prefix
from gads_domain.metadata import PAYLOAD_NAME
from gads_domain.metadata_codec import decode_metadata
from gads_domain.ports.sink import Leftover, LeftoverKind, require_sweep_age
from gads_sink_s3.bucket import Bucket, Stored
from gads_sink_s3.condition import PROBES
from gads_sink_s3.errors import reported

_PROBE = re.compile(re.escape(PROBES) + r"/probe-[0-9a-f]{16}")


def sweep(bucket: Bucket, older_than: timedelta, *, dry_run: bool, now: datetime) -> Iterator[Leftover]:
    """Find, and unless `dry_run` remove, what is older than `older_than` at `now`; see `SweepableSink`.

    Lists everything below the location once, in one page of memory.
    """
    require_sweep_age(older_than)
    return _sweep(bucket, now - older_than, dry_run=dry_run)


def _sweep(bucket: Bucket, before: datetime, *, dry_run: bool) -> Iterator[Leftover]:
    with reported("cannot sweep", str(bucket.location)):
        for folder, group in groupby(bucket.below(""), key=lambda stored: stored.path.rpartition("/")[0]):
            for stored, kind in _leftovers(bucket, folder, list(group), before):
                if not dry_run:
                    bucket.remove(stored.path)
                yield Leftover(stored.path, kind, stored.modified_at, stored.size)
        for upload in bucket.open_uploads():
            if not _is_payload(upload.path) or upload.begun_at is None or upload.begun_at >= before:
                continue
            if not dry_run:
                bucket.abort_upload(upload.path, upload.upload_id)
            yield Leftover(upload.path, LeftoverKind.UNFINISHED, upload.begun_at, None)


def _leftovers(
    bucket: Bucket, folder: str, group: list[Stored], before: datetime
) -> Iterator[tuple[Stored, LeftoverKind]]:
    old = [stored for stored in group if stored.modified_at < before]
    if folder == PROBES:
        yield from ((stored, LeftoverKind.PROBE) for stored in old if _PROBE.fullmatch(stored.path))
        return
    if not _is_partition(folder):
        return
    payloads = [stored for stored in old if PAYLOAD_NAME.fullmatch(stored.path.removeprefix(f"{folder}/"))]
    # A seal beside one payload: the common case, and one that costs no request.
    if not payloads or [stored.path for stored in group] == [f"{folder}/{METADATA_NAME}", payloads[0].path]:
        return
    # Read now, not when the listing was made: a writer may have sealed since.
    seal = bucket.read(f"{folder}/{METADATA_NAME}")
    named = _named(seal) if seal is not None else ""
    if named is not None:
        yield from ((stored, LeftoverKind.ORPHAN) for stored in payloads if stored.path != f"{folder}/{named}")


def _named(seal: bytes) -> str | None:
    """The payload that the seal names; None if the seal cannot be read, and then nothing may be removed."""
    try:
        return decode_metadata(seal).payload_name
    except (DamagedPartitionError, UnsupportedContractError):
        return None


def _is_payload(path: str) -> bool:
    folder, _, name = path.rpartition("/")
    return bool(PAYLOAD_NAME.fullmatch(name)) and _is_partition(folder)


def _is_partition(folder: str) -> bool:
    try:
        parse_prefix(folder)
    except InvalidValueError:
        return False
    return True
