"""Removes sealed runs: payloads first, then the seal, then the folders that are empty by it."""

import os
from contextlib import suppress
from pathlib import Path

from gads_domain.layout import METADATA_NAME, partition_prefix
from gads_domain.metadata import PAYLOAD_NAME
from gads_domain.partition_key import PartitionKey
from gads_domain.run import RunId
from gads_sink_local.errors import reported
from gads_sink_local.folders import is_absent, trail


def remove_run(root: Path, key: PartitionKey, run_id: RunId) -> int:
    """Remove one sealed run, and return its bytes, 0 if it is not sealed: see `PrunableSink`."""
    segments = partition_prefix(key, run_id).split("/")
    with reported(f"cannot remove {key} of run {run_id}"):
        try:
            with trail(root, segments) as folders:
                return _removed(segments, *folders[-3:])
        except OSError as error:
            if is_absent(error):
                return 0
            raise


def _removed(segments: list[str], report: int, day: int, run: int) -> int:
    """What `run`, which lies in `day` and that in `report`, held; all three are durable afterwards."""
    seal = _size(METADATA_NAME, run)
    payloads = sum(_take(name, run) for name in os.listdir(run) if PAYLOAD_NAME.fullmatch(name))
    # Without this a crash could bring a payload back, and leave it without the seal that would have it removed.
    os.fsync(run)
    _take(METADATA_NAME, run)
    os.fsync(run)
    for name, folder in ((segments[-1], day), (segments[-2], report)):
        # A folder with anything else in it stays. A writer that finds its folder gone makes it again.
        with suppress(OSError):
            os.rmdir(name, dir_fd=folder)
    return seal + payloads


def _size(name: str, folder: int) -> int:
    return os.stat(name, dir_fd=folder, follow_symlinks=False).st_size


def _take(name: str, folder: int) -> int:
    try:
        size = _size(name, folder)
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return 0  # another removal was faster
    return size
