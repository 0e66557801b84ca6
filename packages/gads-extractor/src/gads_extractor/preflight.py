"""What the API would surely refuse is not asked: its account-days get the reason at no cost."""

from __future__ import annotations

from collections.abc import Callable

from gads_domain.errors import FailureReason
from gads_domain.ports.report_source import OperationQuota, ReportSource, RowProgress, SliceResult, Unsealed
from gads_domain.ports.sink import RawSink
from gads_domain.report import ReportSlice
from gads_domain.run import RunContext

RefusalOf = Callable[[ReportSlice], FailureReason | None]
"""Why the API would refuse a slice; None if it must be asked to know."""


class RefusingSource:
    """A `ReportSource` that hands on to another what `refusal_of` has nothing against."""

    def __init__(self, inner: ReportSource, refusal_of: RefusalOf) -> None:
        self._inner = inner
        self._refusal_of = refusal_of

    def extract(
        self,
        slice_: ReportSlice,
        run: RunContext,
        sink: RawSink,
        quota: OperationQuota | None = None,
        progress: RowProgress | None = None,
    ) -> SliceResult:
        """The reason for each day if it is known, at no cost; otherwise what the API answers."""
        refusal = self._refusal_of(slice_)
        if refusal is None:
            return self._inner.extract(slice_, run, sink, quota, progress)
        return SliceResult(tuple(Unsealed(key, refusal) for key in slice_.keys))
