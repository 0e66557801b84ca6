"""Where reports come from."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from types import MappingProxyType
from typing import Protocol

from gads_domain.errors import FailureReason
from gads_domain.metadata import KnownContent, PartitionMetadata
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.sink import RawSink
from gads_domain.quota import RestAsked
from gads_domain.report import ReportSlice
from gads_domain.run import RunContext, RunId


@dataclass(frozen=True, slots=True)
class Sealed:
    """A day whose partition was sealed, with the metadata as sealed."""

    key: PartitionKey
    metadata: PartitionMetadata


@dataclass(frozen=True, slots=True)
class Unsealed:
    """A day that was asked for and not sealed, and why."""

    key: PartitionKey
    reason: FailureReason


@dataclass(frozen=True, slots=True)
class Unchanged:
    """A day whose rows came as the run `of_run` has sealed them, so that nothing was sealed.

    `content_sha256` and `record_count` are of the rows that came, `request_ids` the API's.
    """

    key: PartitionKey
    of_run: RunId
    content_sha256: str
    record_count: int
    request_ids: tuple[str, ...] = ()


DayOutcome = Sealed | Unsealed | Unchanged

NOTHING_KNOWN: Mapping[PartitionKey, KnownContent] = MappingProxyType({})
"""Of no day is it known what was sealed before."""


ABANDONED = "abandoned"
"""The code of a call that was ended before its stream, since nothing could be done with more rows."""


@dataclass(frozen=True, slots=True)
class ApiCall:
    """A call that was made for the days `first` to `last` of a slice, and that ended at `ended_at` (UTC).

    `seconds` includes what was done with the rows while they came. `attempt` counts calls with the same query. `rows`
    are those that came; `request_id` is the API's, empty if it named none. `code` is empty for a stream that ended
    well, that of its failure (`FailureReason.code`), or `ABANDONED`.
    """

    first: date
    last: date
    ended_at: datetime
    seconds: float
    attempt: int
    rows: int
    request_id: str
    code: str


@dataclass(frozen=True, slots=True)
class SliceResult:
    """What came of a slice.

    `days` are the outcomes of its days, in order; `operations` is how many were taken from the quota. `stopped_by` is a
    failure that reaches further than the slice: of what it kept from being tried there is no outcome. `calls` are what
    the operations were taken for.
    """

    days: tuple[DayOutcome, ...] = ()
    operations: int = 0
    stopped_by: FailureReason | None = None
    calls: tuple[ApiCall, ...] = ()


class OperationQuota(Protocol):
    """What calls are counted against, and where the pauses that the API asks for are kept."""

    def take(self) -> None:
        """Take one operation before a call.

        Raises `QuotaExhaustedError` if there is none, or while the API has asked not to be called so, and
        `LeaseLostError` if the lease is gone.
        """

    def rest(self, asked: RestAsked) -> None:
        """Keep what the API asked after a call that was taken; calls that it covers are not granted until then."""


RowProgress = Callable[[int], None]
"""Called with the number of rows received so far of a slice."""


class ReportSource(Protocol):
    """Extracts slices.

    Laws:

    1. Each day has one outcome at most. Every day has one unless `stopped_by` is set; then a day without an outcome was
       not tried. A failure is an outcome or `stopped_by`, and never an exception.
    2. A day is sealed only after the whole stream that it was asked for with has ended well; a day without rows is
       sealed with zero rows.
    3. Nothing is written but through `sink`, and every byte of it under `run.run_id`.
    4. One slice's failure changes nothing for another.
    5. A failure of one partition or account makes the days that were asked for `Unsealed`; a failure of the source,
       the storage or the ledger makes no day `Unsealed`, and no rest that the API asks for does, however far it
       reaches. All but a failure of one partition are in `stopped_by`, and so is each rest.
    6. An operation is taken before each call, a repeated one too; no call is made that was not granted. A rest that
       the API asks for is given to the quota before the next call.
    7. What the API refuses for its days is asked for again in smaller slices, down to a day: the days that it answers
       are sealed, and each other one has the reason for which it fails alone.
    8. A day is `Unchanged` only if its content is `known` and came again: the same rows in any order, in the same
       columns, under the same schema version. Nothing of it is opened or written in `sink`. A known day whose content
       is another is sealed as if it were not known; one that is the same may be.
    9. `calls` has each call that was made, in order: one for each operation, whose `request_id` is that of the days
       sealed from it, and whose `code` is empty only if its stream ended well.
    """

    def extract(
        self,
        slice_: ReportSlice,
        run: RunContext,
        sink: RawSink,
        quota: OperationQuota | None = None,
        progress: RowProgress | None = None,
        known: Mapping[PartitionKey, KnownContent] = NOTHING_KNOWN,
    ) -> SliceResult:
        """Ask for `slice_` and seal its days through `sink`; without a `quota` calls are counted and not limited.

        `known` has what was sealed before of some days, so that they need not be sealed again.
        """
