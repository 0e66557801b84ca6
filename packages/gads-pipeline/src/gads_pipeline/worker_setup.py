"""What a worker needs, opened from the configuration by value, and the slices that it need not request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gads_domain.adapters import ledger_adapter, sink_adapter
from gads_domain.clock import SystemClock
from gads_domain.errors import FailureReason
from gads_domain.ports.report_source import (
    NOTHING_KNOWN,
    OperationQuota,
    ReportSource,
    RowProgress,
    SliceResult,
    Unsealed,
)
from gads_domain.ports.sink import RawSink
from gads_domain.report import ReportSlice
from gads_domain.run import RunContext
from gads_orchestrator.budget import QuotaGate
from gads_orchestrator.worker import WorkerContext
from gads_pipeline.composition import (
    ApiFiles,
    connected,
    open_ledger_for_control_plane,
    open_ledger_for_validator,
    open_sink,
    report_source,
    validator_of,
)

if TYPE_CHECKING:
    from gads_domain.metadata import KnownContent
    from gads_domain.partition_key import PartitionKey
    from gads_pipeline.account_selection import SelectedAccounts
    from gads_pipeline.configuration import Configuration


_MODULES = (
    __name__,
    "gads_extractor.connection",
    "gads_extractor.report_source",
    "gads_gaql.catalogue",
    "gads_pipeline.account_selection",
    "gads_pipeline.configuration",
    "gads_reports.description",
    "gads_validator.validator",
)


def worker_modules(configuration: Configuration) -> tuple[str, ...]:
    """What each worker imports, so that it is imported once for all of them."""
    storage = configuration.storage
    adapters = (sink_adapter(storage.sink), ledger_adapter(storage.state))
    return (*_MODULES, *(type(adapter).__module__ for adapter in adapters))


@dataclass(frozen=True, slots=True)
class WorkerSetup:
    """Opens a worker's context; it can be pickled, so that it can be sent to a worker process.

    What `selected` refuses is not requested.
    """

    configuration: Configuration
    files: ApiFiles
    selected: SelectedAccounts | None = None

    @contextmanager
    def __call__(self) -> Iterator[WorkerContext]:
        """The context, open for a `with` statement."""
        sink = open_sink(self.configuration)
        with (
            connected(self.configuration, self.files) as connection,
            open_ledger_for_control_plane(self.configuration) as control,
            open_ledger_for_validator(self.configuration) as ledger,
        ):
            source = report_source(self.configuration, connection)
            yield WorkerContext(
                source if self.selected is None else PreflightSource(source, self.selected),
                sink,
                validator_of(self.configuration, sink, ledger),
                QuotaGate(control, self.configuration.quota.budget, SystemClock()),
                SystemClock(),
            )


_MANAGER_HAS_NO_METRICS = FailureReason(
    "api_permanent",
    "REQUESTED_METRICS_FOR_MANAGER: the account is a manager",
    retryable=False,
    hint="a manager has no metrics of its own; name the accounts below it, or leave customer_ids empty",
)


def refusal_of(selected: SelectedAccounts, slice_: ReportSlice) -> FailureReason | None:
    """Why the API would refuse the slice for certain: its account is gone or not shared, or has no metrics."""
    if (reason := selected.refused.get(slice_.customer_id)) is not None:
        return reason
    account = selected.accounts.get(slice_.customer_id)
    if account is not None and account.manager and "metrics." in slice_.report.query:
        return _MANAGER_HAS_NO_METRICS
    return None


class PreflightSource:
    """A `ReportSource` that hands to another one only the slices that the list of accounts does not refuse."""

    def __init__(self, inner: ReportSource, selected: SelectedAccounts) -> None:
        self._inner = inner
        self._selected = selected

    def extract(
        self,
        slice_: ReportSlice,
        run: RunContext,
        sink: RawSink,
        quota: OperationQuota | None = None,
        progress: RowProgress | None = None,
        known: Mapping[PartitionKey, KnownContent] = NOTHING_KNOWN,
    ) -> SliceResult:
        """The refusal for each day if there is one, at no cost; otherwise what the other source makes of the slice."""
        refusal = refusal_of(self._selected, slice_)
        if refusal is None:
            return self._inner.extract(slice_, run, sink, quota, progress, known)
        return SliceResult(tuple(Unsealed(key, refusal) for key in slice_.keys))
