"""The seal: one small object, stored by one PUT that the server refuses if the object exists.

What an answer means, and what a lost answer leaves open, is decided here alone.
"""

import time
from contextlib import suppress

from gads_domain.errors import StorageError
from gads_sink_s3.bucket import Bucket
from gads_sink_s3.errors import S3RequestError


class SealTakenError(Exception):
    """Another writer's seal is there."""


class Seal:
    """The seal at `path`, to be placed once, and not later than `give_up_at` on the monotonic clock.

    Without `conditional`, where the operator declares that there is no other writer, the object is looked for first.
    `may_exist` says whether a request was sent that could, as far as is known, still become the seal.
    """

    def __init__(self, bucket: Bucket, path: str, *, conditional: bool, give_up_at: float) -> None:
        self.may_exist = False
        self._bucket = bucket
        self._path = path
        self._conditional = conditional
        self._give_up_at = give_up_at

    def place(self, data: bytes) -> None:
        """Make `data` the seal, or find that it is; the same bytes are ours, since they name our payload.

        Raises `SealTakenError`, `S3RequestError`, or `StorageError` when it is too late.
        """
        for delay in self._bucket.delays():
            try:
                return self._try(data)
            except S3RequestError as error:
                last = error
                if not error.retryable:
                    break
            if delay is not None:
                time.sleep(delay)
        if self.may_exist:
            with suppress(S3RequestError):
                if self._is_placed(data):
                    return None
            raise StorageError(
                f"the seal was sent, and whether it was stored is not known ({last})",
                hint="list the sealed runs once the storage answers again: this run is there whole, or not at all",
            ) from last
        raise last

    def _try(self, data: bytes) -> None:
        if time.monotonic() > self._give_up_at:
            raise StorageError("the writer was open for too long, a sweep may have removed its payload")
        if not self._conditional and self._is_placed(data):
            return
        before = self.may_exist
        self.may_exist = True
        try:
            self._bucket.put_once(self._path, data, only_if_new=self._conditional)
        except S3RequestError as error:
            if not error.landed:
                self.may_exist = before
            if not error.is_refused_condition:
                raise
            if not self._is_placed(data):
                # Refused for a seal that is not there: two requests met, and it is not yet decided which of them wins.
                raise S3RequestError(error.status, error.code, retryable=True, landed=True) from error

    def _is_placed(self, data: bytes) -> bool:
        found = self._bucket.read_once(self._path)
        if found is None:
            return False
        if found != data:
            self.may_exist = False
            raise SealTakenError
        return True
