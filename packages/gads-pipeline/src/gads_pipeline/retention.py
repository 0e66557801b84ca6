"""Removes superseded runs from the sink: each is on record as pruned, then goes, and then its end is on record.

A process that is killed leaves what is on record and not ended to the next one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from gads_domain.clock import SystemClock
from gads_domain.errors import ConfigurationError, DamagedPartitionError, NotSealedError, UnsupportedContractError
from gads_domain.metadata_codec import decode_metadata
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.ports.sink import PrunableSink
from gads_domain.retention import prunable
from gads_domain.state import OperatorAct, PrunedRun, StateFilter
from gads_pipeline.composition import (
    open_ledger_for_control_plane,
    open_ledger_reader,
    open_prunable_sink,
    open_sink_reader,
    require_sink,
)

if TYPE_CHECKING:
    from datetime import datetime

    from gads_domain.control import RetentionPolicy
    from gads_domain.ports.ledger import ControlPlaneLedger, StateReader
    from gads_domain.ports.sink import RawReader
    from gads_domain.run import RunId
    from gads_pipeline.configuration import Configuration

_BATCH = 500
"""Partitions, or runs, of one transaction and one call of the sink."""

Progress = Callable[[int, int], None]
"""Called with the runs that went so far, and their bytes."""


@dataclass(frozen=True, slots=True)
class PruneResult:
    """What went of each report, or with `dry_run` would go: `runs` and `freed` bytes, by the report's name."""

    dry_run: bool
    runs: Counter[str]
    freed: Counter[str]

    def to_document(self) -> dict[str, Any]:
        """The result as JSON."""
        reports = [{"report": name, "runs": self.runs[name], "bytes": self.freed[name]} for name in sorted(self.runs)]
        total = {"runs": self.runs.total(), "bytes": self.freed.total()}
        return {"removed": not self.dry_run, **total, "reports": reports}


def prune(
    configuration: Configuration,
    act: OperatorAct,
    *,
    dry_run: bool = False,
    progress: Progress = lambda _runs, _freed: None,
    stopping: Callable[[], bool] = lambda: False,
) -> PruneResult:
    """Remove the runs that the configured retention lets go, or say with `dry_run` which they are.

    What an earlier call has put on record and not ended is ended first. Raises `ConfigurationError` if no retention is
    configured or the sink cannot remove a run, `SinkLostError` if the sink is not the ledger's, or what the sink
    raises; what went by then is on record.
    """
    policy = configuration.retention.policy
    if policy is None:
        raise ConfigurationError(
            f"{configuration.path} sets no retention: every run is kept", hint="set retention.superseded_days"
        )
    require_sink(configuration)
    result = PruneResult(dry_run, Counter(), Counter())
    if dry_run:
        with open_ledger_reader(configuration) as reader:
            sink = open_sink_reader(configuration)
            _count(result, [(one.key, _size(sink, one.key, one.run_id)) for one in reader.open_prunes(1 << 31)])
            for runs in _due(reader, policy, act.at):
                _count(result, [(key, _size(sink, key, run_id)) for key, run_id in runs])
        return result
    with open_ledger_for_control_plane(configuration) as ledger:
        removal = _Removal(open_prunable_sink(configuration), ledger, result, progress)
        while begun := ledger.open_prunes(_BATCH):
            removal.end(begun)
        for runs in _due(ledger, policy, act.at):
            if stopping():
                break
            removal.end([one for one in ledger.prune(runs, policy, act) if one is not None])
    return result


@dataclass(frozen=True, slots=True)
class _Removal:
    sink: PrunableSink
    ledger: ControlPlaneLedger
    result: PruneResult
    progress: Progress

    def end(self, pruned: Sequence[PrunedRun]) -> None:
        """Remove runs that are on record, and put their end on record."""
        if not pruned:
            return
        freed = self.sink.remove([(one.key, one.run_id) for one in pruned])
        now = SystemClock().now()
        self.ledger.end_prunes(
            [replace(one, removed_at=now, freed=size) for one, size in zip(pruned, freed, strict=True)]
        )
        _count(self.result, zip((one.key for one in pruned), freed, strict=True))
        self.progress(self.result.runs.total(), self.result.freed.total())


def _due(ledger: StateReader, policy: RetentionPolicy, now: datetime) -> Iterator[list[tuple[PartitionKey, RunId]]]:
    """The runs that may go, by the partitions of a batch."""
    pinned = ledger.pinned(now)
    keys = ledger.superseded(StateFilter(GOOGLE_ADS))
    while batch := list(islice(keys, _BATCH)):
        yield [
            (history.state.key, run_id)
            for history in ledger.histories(batch)
            for run_id in prunable(history, ledger.authority_changes_of(history.state.key), (), policy, now)
            if (history.state.key, run_id) not in pinned
        ]


def _count(result: PruneResult, sizes: Iterable[tuple[PartitionKey, int]]) -> None:
    for key, size in sizes:
        result.runs[key.report] += 1
        result.freed[key.report] += size


def _size(sink: RawReader, key: PartitionKey, run_id: RunId) -> int:
    """The bytes that removing the run would free, by its seal."""
    try:
        seal = sink.metadata_bytes(key, run_id)
    except NotSealedError:
        return 0
    try:
        return len(seal) + decode_metadata(seal).payload_bytes
    except (DamagedPartitionError, UnsupportedContractError):
        return len(seal)
