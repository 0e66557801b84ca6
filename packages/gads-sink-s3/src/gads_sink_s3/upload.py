"""Getting one payload into one object, with no more than a part of it in memory."""

from __future__ import annotations

from gads_domain.errors import StorageError
from gads_sink_s3.bucket import Bucket

_MOST_PARTS = 10_000  # of an upload, by the S3 API


class PayloadUpload:
    """The object at `path`, which no other writer has; used by one thread.

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
            room = self._part_size - len(self._buffer)
            self._buffer += data[:room]
            data = data[room:]

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
        """Take away what was stored, as far as the server lets us."""
        self._buffer = bytearray()
        if self._upload_id:
            self._bucket.give_up_upload_if_possible(self._path, self._upload_id)
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
