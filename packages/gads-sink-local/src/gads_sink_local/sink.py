"""A folder as a sink: what a reader has, plus writers, the check, the sweep and removal."""

import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gads_domain.errors import AlreadySealedError, ConfigurationError, StorageError
from gads_domain.layout import METADATA_NAME, partition_prefix
from gads_domain.metadata import PartitionFacts
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.sink import Leftover, PartitionWriter
from gads_domain.run import RunId
from gads_sink_local.errors import reported
from gads_sink_local.folders import FolderMaker, has_file, make_root, sync_folder
from gads_sink_local.reader import LocalReader
from gads_sink_local.removal import remove_run
from gads_sink_local.sweep import sweep
from gads_sink_local.writer import LocalPartitionWriter, Outcome, finalize_together


class LocalSink(LocalReader):
    """`RawSink` on the folder `root`, which the first writer makes if it is missing. Threads may share it."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._maker = FolderMaker(root)

    def open_writer(self, key: PartitionKey, run_id: RunId) -> LocalPartitionWriter:
        """Begin a payload; raises `AlreadySealedError` or `StorageError`."""
        prefix = partition_prefix(key, run_id)
        with reported(f"cannot write {key} of run {run_id}"):
            # The name first: if it were last, a seal that appears in between would be taken for something else.
            if os.path.lexists(f"{self._root}/{prefix}/{METADATA_NAME}"):
                if has_file(self._root, prefix.split("/"), METADATA_NAME):
                    raise AlreadySealedError(f"{key} of run {run_id} is sealed")
                raise StorageError(f"{METADATA_NAME} of {key} in run {run_id} is not a regular file")
        return LocalPartitionWriter(self._root, self._maker, key, run_id)

    def finalize_together(self, writers: Sequence[tuple[PartitionWriter, PartitionFacts]]) -> list[Outcome]:
        """Seal what each of `writers` has written: see `SealsTogether`."""
        own = [(writer, facts) for writer, facts in writers if isinstance(writer, LocalPartitionWriter)]
        sealed = iter(finalize_together(own))
        return [
            next(sealed) if isinstance(writer, LocalPartitionWriter) else _finalize_wrapped(writer, facts)
            for writer, facts in writers
        ]

    def check(self) -> None:
        """Make, sync, link and remove in a folder of its own; raises `ConfigurationError` or `StorageError`."""
        with reported(f"cannot write to {self._root}"):
            made = make_root(self._root)
            probe = self._root / f".check-{secrets.token_hex(8)}"
            try:
                self._probe(probe)
            finally:
                for folder in reversed(made):
                    with suppress(OSError):
                        folder.rmdir()

    def sweep(self, older_than: timedelta, *, dry_run: bool) -> Iterator[Leftover]:
        """Remove what killed writers left: see `SweepableSink`."""
        return sweep(self._root, older_than, dry_run=dry_run, now=datetime.now(UTC))

    def remove(self, partitions: Sequence[tuple[PartitionKey, RunId]]) -> list[int]:
        """Remove sealed runs: see `PrunableSink`."""
        return [remove_run(self._root, key, run_id) for key, run_id in partitions]

    def _probe(self, folder: Path) -> None:
        full, other = folder / "full", folder / "other"
        try:
            for made in (folder, full, other):
                made.mkdir()
            with (full / "file").open("wb") as stream:
                stream.write(b"\0" * 4096)
                stream.flush()
                os.fsync(stream.fileno())
            self._probe_link(full / "file", other / "link")
            sync_folder(folder)
            with suppress(OSError):
                other.rename(full)
                raise self._no_posix("a folder takes the place of one that is not empty")
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _probe_link(self, file: Path, link: Path) -> None:
        """What has no hard links is most often no file system underneath, and renames a folder file by file."""
        try:
            link.hardlink_to(file)
        except OSError as error:
            raise self._no_posix("it has no hard links") from error

    def _no_posix(self, finding: str) -> ConfigurationError:
        return ConfigurationError(
            f"the file system of {self._root} cannot keep partitions: {finding}",
            hint="point storage.sink at a POSIX file system",
        )


def _finalize_wrapped(writer: PartitionWriter, facts: PartitionFacts) -> Outcome:
    try:
        return writer.finalize(facts)
    except Exception as error:
        return error
