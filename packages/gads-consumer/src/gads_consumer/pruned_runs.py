"""A reader of the sink that says of a run that is not there whether, and when, it was pruned."""

from typing import BinaryIO

from gads_domain.errors import DamagedPartitionError, NotSealedError
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.ledger import StateReader
from gads_domain.ports.sink import AddressedReader, RawReader
from gads_domain.run import RunId


class PruneAwareReader:
    """The `RawReader` `inner`, but for runs that `ledger` has as pruned: reading one raises `PrunedRunError`.

    The ledger is asked only about what is not in the sink, whole.
    """

    def __init__(self, inner: RawReader, ledger: StateReader) -> None:
        self._inner = inner
        self._ledger = ledger
        self.runs, self.sealed = inner.runs, inner.sealed
        if isinstance(inner, AddressedReader):
            self.address = inner.address

    def metadata_bytes(self, key: PartitionKey, run_id: RunId) -> bytes:
        """The bytes of the seal as stored; raises `PrunedRunError` or `NotSealedError`."""
        try:
            return self._inner.metadata_bytes(key, run_id)
        except NotSealedError:
            self._require_not_pruned(key, run_id)
            raise

    def open_payload(self, key: PartitionKey, run_id: RunId, payload_name: str) -> BinaryIO:
        """Open a payload; raises `PrunedRunError`, or what the sink's reader raises."""
        try:
            return self._inner.open_payload(key, run_id, payload_name)
        except (DamagedPartitionError, NotSealedError):
            self._require_not_pruned(key, run_id)
            raise

    def _require_not_pruned(self, key: PartitionKey, run_id: RunId) -> None:
        for one in self._ledger.history(key).pruned:
            if one.run_id == run_id:
                raise one.error()
