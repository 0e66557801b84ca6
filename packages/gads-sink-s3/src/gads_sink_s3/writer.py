"""Writing one partition: bytes into an object of the writer's own, then the seal."""

from __future__ import annotations

import hashlib
import secrets
import time
from types import TracebackType
from typing import Self

from gads_domain.errors import AlreadySealedError, StorageError
from gads_domain.layout import METADATA_NAME, partition_prefix, payload_name
from gads_domain.metadata import PartitionFacts, PartitionMetadata
from gads_domain.metadata_codec import encode_metadata
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.sink import LONGEST_WRITE
from gads_domain.run import RunId
from gads_sink_s3.bucket import Bucket
from gads_sink_s3.faults import reported
from gads_sink_s3.seal import Seal, SealTakenError
from gads_sink_s3.upload import PayloadUpload


class S3PartitionWriter:
    """`PartitionWriter` of `(key, run_id)`; holds one part of the payload in memory at most, and none at first."""

    def __init__(self, bucket: Bucket, key: PartitionKey, run_id: RunId, *, conditional: bool) -> None:
        prefix = partition_prefix(key, run_id)
        self._key = key
        self._run_id = run_id
        self._place = str(bucket.location)
        self._payload = payload_name(secrets.token_hex(8))
        self._upload = PayloadUpload(bucket, f"{prefix}/{self._payload}")
        give_up_at = time.monotonic() + LONGEST_WRITE.total_seconds()
        self._seal = Seal(bucket, f"{prefix}/{METADATA_NAME}", conditional=conditional, give_up_at=give_up_at)
        self._sha256 = hashlib.sha256()
        self._size = 0
        self._ended = False

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self._key)!r}, {self._run_id.value!r})"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.abort()

    def write(self, data: bytes | memoryview) -> int:
        """Append `data`; on any error the whole try is given up and taken away."""
        self._require_open()
        view = memoryview(data).cast("B")
        try:
            with reported(self._doing, self._place):
                self._upload.append(view)
            self._sha256.update(view)
            self._size += view.nbytes
        except BaseException:
            self.abort()
            raise
        return view.nbytes

    def finalize(self, facts: PartitionFacts) -> PartitionMetadata:
        """Seal what was written; on any error the try is given up, and taken away unless its seal may yet appear."""
        self._require_open()
        try:
            metadata = PartitionMetadata(
                self._key, self._run_id, facts, self._payload, self._size, self._sha256.hexdigest()
            )
            seal = encode_metadata(metadata)
            with reported(self._doing, self._place):
                self._upload.finish()
                self._seal.place(seal)
        except SealTakenError:
            self.abort()
            raise AlreadySealedError(f"{self._key} of run {self._run_id} is sealed") from None
        except BaseException:
            self.abort()
            raise
        self._ended = True
        return metadata

    def abort(self) -> None:
        """Give up; what cannot be taken away stays without a seal, for a sweep to find."""
        if self._ended:
            return
        self._ended = True
        # A payload that a seal may name already, for all that is known, is not ours to take away.
        if not self._seal.may_stand:
            self._upload.discard()

    @property
    def _doing(self) -> str:
        return f"cannot write {self._key} of run {self._run_id}"

    def _require_open(self) -> None:
        if self._ended:
            raise StorageError(f"{self._doing}: the writer has ended", hint="open a new one")
