"""Whether a sink is the one that a ledger is about and still has what it had, by a few reads."""

from gads_domain.errors import NotSealedError, SinkLostError
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.ledger import StateReader
from gads_domain.ports.sink import RawReader
from gads_domain.run import RunId
from gads_domain.state import PartitionStatus, StateFilter

_CHANGES = 200
"""How many authority changes are looked through for partitions that are authoritative now."""
_PROBES = 3


def require_sink_of(ledger: StateReader, reader: RawReader) -> None:
    """Raise `SinkLostError` if the ledger has authority over partitions and the sink has none of the newest of them.

    At most three seals are read, and one where all is well. That single partitions are whole is not asked: a read of
    them says so, and a recheck looks at all. Raises what the ledger and the sink raise that cannot be read.
    """
    missing: list[PartitionKey] = []
    for key, run_id in _newest(ledger):
        try:
            reader.metadata_bytes(key, run_id)
        except NotSealedError:
            missing.append(key)
            continue
        return
    if missing:
        raise SinkLostError(
            f"the sink has none of the ledger's newest partitions, such as {missing[0]}: gone, empty or another one"
        )


def _newest(ledger: StateReader) -> list[tuple[PartitionKey, RunId]]:
    """Up to three partitions that are authoritative now, those that changed last before the others."""
    runs: dict[PartitionKey, RunId | None] = {}
    for change in reversed(ledger.authority_changes(after=max(0, ledger.position() - _CHANGES))):
        runs.setdefault(change.key, change.to_run)
    found = [(key, run) for key, run in runs.items() if run is not None]
    if not found:
        rows = ledger.find(StateFilter(statuses=(PartitionStatus.SUCCESS,)), limit=_PROBES)
        found = [(row.key, row.current_run_id) for row in rows if row.current_run_id is not None]
    return found[:_PROBES]
