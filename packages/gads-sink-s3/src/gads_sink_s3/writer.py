"""Writes one partition: its payload into an object of the writer's own, then the seal."""

import hashlib
import secrets
import time
from typing import Self

from gads_domain.errors import AlreadySealedError, StorageError
from gads_domain.layout import METADATA_NAME, partition_prefix, payload_name
from gads_domain.metadata import PartitionFacts, PartitionMetadata
from gads_domain.metadata_codec import encode_metadata
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.sink import LONGEST_WRITE
from gads_domain.run import RunId
from gads_sink_s3.bucket import Bucket
from gads_sink_s3.errors import reported
from gads_sink_s3.seal import Seal, SealTakenError

_MOST_PARTS = 10_000  # of an upload, by the S3 API


class S3PartitionWriter:
    """`PartitionWriter` of `(key, run_id)`; holds one part of the payload in memory at most."""

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

    def __exit__(self, *_: object) -> None:
        self.abort()

    def write(self, data: bytes | memoryview) -> int:
        """Append `data`; on any error all that was stored is removed."""
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
        """Seal what was written; on any error all of it is removed, unless its seal may still appear."""
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
        """Give up; what cannot be removed stays without a seal, for a sweep to find."""
        if self._ended:
            return
        self._ended = True
        # A payload that a seal may already name must stay.
        if not self._seal.may_exist:
            self._upload.discard()

    @property
    def _doing(self) -> str:
        return f"cannot write {self._key} of run {self._run_id}"

    def _require_open(self) -> None:
        if self._ended:
            raise StorageError(f"{self._doing}: the writer has ended", hint="open a new one")


class PayloadUpload:
    """The object at `path`, which no other writer has, with one part in memory at most; used by one thread.

    A payload of one part at most is one PUT at the end. A longer one is a multipart upload, its parts all of one size
    (some servers demand it), sent as they fill.
    """

    def __init__(self, bucket: Bucket, path: str) -> None:
        self._bucket = bucket
        self._path = path
        self._part_size = bucket.location.part_size
        self._buffer = bytearray()
        self._upload_id = ""
        self._etags: list[str] = []
        self._size = 0
        self._placed = False

    def append(self, data: memoryview) -> None:
        """Take `data`; raises `S3RequestError`, or `StorageError` for more than 10,000 parts."""
        self._size += data.nbytes
        while data:
            if len(self._buffer) == self._part_size:
                self._send_part()
            free = self._part_size - len(self._buffer)
            self._buffer += data[:free]
            data = data[free:]

    def finish(self) -> None:
        """Make what was taken one object; durable on return. Raises `S3RequestError`."""
        self._placed = True
        if not self._upload_id:
            self._bucket.put(self._path, self._buffer)
        else:
            self._send_part()
            self._bucket.complete_upload(self._path, self._upload_id, self._etags, self._size)
            self._upload_id = ""
        self._buffer = bytearray()

    def discard(self) -> None:
        """Remove what was stored, as far as the server lets us."""
        self._buffer = bytearray()
        if self._upload_id:
            self._bucket.abort_upload_if_possible(self._path, self._upload_id)
        if self._placed:
            self._bucket.remove_if_possible(self._path)

    def _send_part(self) -> None:
        if len(self._etags) == _MOST_PARTS:
            raise StorageError(
                f"the payload is longer than {_MOST_PARTS} parts of {self._part_size} bytes",
                hint="raise part_size in storage.sink",
            )
        if not self._upload_id:
            self._upload_id = self._bucket.begin_upload(self._path)
        number = len(self._etags) + 1
        self._etags.append(self._bucket.put_part(self._path, self._upload_id, number, self._buffer))
        self._buffer = bytearray()
