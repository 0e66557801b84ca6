"""The seal: one small object, stored by one PUT that the server refuses if there is one already.

What an answer says, and what no answer leaves open, is settled here alone.
"""

from __future__ import annotations

import time
from contextlib import suppress

from gads_domain.errors import StorageError
from gads_sink_s3.bucket import Bucket
from gads_sink_s3.faults import S3RequestError


class SealTakenError(Exception):
    """Another writer's seal stands."""


class Seal:
    """The seal at `path`, to be placed once, and not later than `give_up_at` on the monotonic clock.

    Without `conditional`, which takes an operator's word that nobody else writes, the object is looked for first.
    """

    def __init__(self, bucket: Bucket, path: str, *, conditional: bool, give_up_at: float) -> None:
        self._bucket = bucket
        self._path = path
        self._conditional = conditional
        self._give_up_at = give_up_at
        self._may_stand = False

    @property
    def may_stand(self) -> bool:
        """Whether a request was sent that could, for all that is known, still have become the seal."""
        return self._may_stand

    def place(self, data: bytes) -> None:
        """Make `data` the seal, or find that it is; the same bytes are ours, since they name our payload.

        Raises `SealTakenError`, `S3RequestError`, or `StorageError` when it is too late.
        """
        for pause in self._bucket.patience.pauses():
            try:
                return self._try(data)
            except S3RequestError as fault:
                last = fault
                if not fault.passing:
                    break
            if pause is not None:
                time.sleep(pause)
        if self._may_stand:
            with suppress(S3RequestError):
                if self._stands(data):
                    return None
            raise StorageError(
                f"the seal was sent, and whether it stands is not known ({last})",
                hint="list the sealed runs once the storage answers again: this run is there whole, or not at all",
            ) from last
        raise last

    def _try(self, data: bytes) -> None:
        if time.monotonic() > self._give_up_at:
            raise StorageError("the writer was open for too long, a sweep may have taken its payload")
        if not self._conditional and self._stands(data):
            return
        before = self._may_stand
        self._may_stand = True
        try:
            self._bucket.put_once(self._path, data, only_if_new=self._conditional)
        except S3RequestError as fault:
            if not fault.landed:
                self._may_stand = before
            if not fault.is_refused_condition:
                raise
            if not self._stands(data):
                # Refused for a seal that is not there: two requests met, and which of them stays is not yet decided.
                raise S3RequestError(fault.status, fault.code, passing=True, landed=True) from fault

    def _stands(self, data: bytes) -> bool:
        found = self._bucket.read_once(self._path)
        if found is None:
            return False
        if found != data:
            self._may_stand = False
            raise SealTakenError
        return True
