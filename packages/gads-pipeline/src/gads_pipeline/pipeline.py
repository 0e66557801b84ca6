"""The application: everything that the command line does, with typed results and without printing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from gads_domain.clock import SystemClock, iso_utc
from gads_domain.erasure import in_force
from gads_domain.errors import ConfigurationError, UsageError
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.ports.sink import SweepableSink
from gads_domain.state import OperatorAct, StateFilter
from gads_orchestrator.events import NullObserver, Observer
from gads_orchestrator.operator_actions import Operation
from gads_pipeline import account_erasure, operator_acts
from gads_pipeline.account_selection import select_accounts
from gads_pipeline.composition import (
    actor_name,
    api_access,
    compact_ledger,
    copied_ledger_adapter,
    open_consumer,
    open_ledger_for_control_plane,
    open_ledger_reader,
    open_pins,
    open_sink,
    open_warehouse,
)
from gads_pipeline.drawn_accounts import drawn_list
from gads_pipeline.execution import Execution
from gads_pipeline.ledger_view import LedgerView
from gads_pipeline.stop import Stop
from gads_pipeline.validation import observed, validate
from gads_pipeline.warehouse_load import load_warehouse
from gads_pipeline.work_request import RunOptions, require_days, require_order

if TYPE_CHECKING:
    from gads_alerts.delivery import Delivery
    from gads_consumer.consumer import Consumer
    from gads_domain.compaction import Compaction
    from gads_domain.control import Lease
    from gads_domain.erasure import Erasure
    from gads_domain.expectations import Expectation
    from gads_domain.ledger_copy import LedgerCopy, Restoration
    from gads_domain.ports.pins import Pin
    from gads_domain.ports.sink import Leftover
    from gads_domain.ports.validation import PartitionValidation
    from gads_domain.ports.warehouse import QueryResult
    from gads_domain.run import RunId
    from gads_orchestrator.plan import WorkPlan
    from gads_pipeline.account_erasure import ErasureReceipt
    from gads_pipeline.account_selection import SelectedAccounts
    from gads_pipeline.configuration import Configuration
    from gads_pipeline.findings import Finding
    from gads_pipeline.forecast import Forecast
    from gads_pipeline.operator_acts import ActResult, PartitionSelection
    from gads_pipeline.outcome import Outcome
    from gads_pipeline.reports import KnownReport
    from gads_pipeline.retention import Progress, PruneResult
    from gads_warehouse import LoadReport, Verification, WarehouseStatus

_SILENT = NullObserver()

ALL = RunOptions()
"""Every account, every report, and the days that each report still restates."""


class HowToExecute(TypedDict, total=False):
    """How plans are executed: by how many worker processes, seen by which observer, until which stop is requested.

    Without `workers` it is as many as the configuration says.
    """

    workers: int | None
    observer: Observer
    stop: Stop | None


class Pipeline(LedgerView):
    """One configuration and what can be done with it. Open it with `Pipeline.open`.

    Methods return values or iterators and print nothing; what happens meanwhile goes to the `observer` that they take.
    Every method raises a `GadsError` whose `scope` says what it is about and whose `hint` says what to do next.
    `command` goes on record with runs and operators' acts.
    """

    def __init__(self, configuration: Configuration, *, command: str = "gads_pipeline") -> None:
        super().__init__(configuration)
        self.command = command

    @classmethod
    def open(cls, source: Path | str | Configuration, *, command: str = "gads_pipeline") -> Pipeline:
        """The pipeline of a configuration or of the path of a `gads.toml`; opens nothing but that file.

        Raises `ConfigurationError` that names the key of each fault.
        """
        from gads_pipeline.configuration import Configuration  # pydantic, which `--help` does without

        configuration = source if isinstance(source, Configuration) else Configuration.load(Path(source))
        return cls(configuration, command=command)

    def accounts(self) -> SelectedAccounts:
        """The accounts below the login customer: which are selected, which are not, and why; puts them on record."""
        with api_access(self.configuration) as access:
            selected = select_accounts(self.configuration, access, whole_tree=True)
        with open_ledger_reader(self.configuration) as reader:
            selected = selected.without(in_force(reader.erasures(GOOGLE_ADS)))
        drawn = drawn_list(self.configuration, selected, (), SystemClock().now())
        if drawn is not None:
            with open_ledger_for_control_plane(self.configuration) as ledger:
                ledger.record_list(drawn)
        return selected

    def forget_account(self, customer_id: str, reason: str, *, dry_run: bool = False) -> tuple[Expectation, ...]:
        """Take an account that no list has any more out of what is expected, on record with `reason`.

        Returns what was expected of it. Its rows and what is authoritative stay. Raises `UsageError` if the last list
        selects it, or if nothing is expected of it.
        """
        return operator_acts.forget_account(self.configuration, customer_id, self._act(reason, customer_id), dry_run)

    def erase_account(
        self, customer_id: str, reason: str, *, dry_run: bool = False, progress: Callable[[str], None] = lambda _: None
    ) -> ErasureReceipt:
        """Erase an account from ledger, sink and warehouse, on record with `reason`; the receipt says what went.

        From the order on nothing of the account is read, taken or recorded. Killed, it goes on where it was when it is
        called again; called once more, it looks again and removes what has come since. Raises `UsageError` if nothing
        is kept of the account, `HeldElsewhereError` if something is left.
        """
        return account_erasure.erase_account(
            self.configuration, customer_id, self._act(reason, customer_id), dry_run, progress
        )

    def readmit_account(self, customer_id: str, reason: str) -> Erasure:
        """Lift an erasure that has ended, on record with `reason`: the account begins from nothing."""
        return account_erasure.readmit_account(self.configuration, customer_id, self._act(reason, customer_id))

    def check(self, *, offline: bool = False, most_accounts: int | None = None) -> Iterator[Finding]:
        """Check configuration, reports, sink, ledger and, unless `offline`, the API.

        The API is asked to list the accounts, for itself of up to `most_accounts` of them (100 by default), and to
        validate each report's query for one: one operation each, which one of the findings counts beforehand.
        """
        from gads_pipeline.api_check import MOST_ACCOUNTS
        from gads_pipeline.check import findings

        most = MOST_ACCOUNTS if most_accounts is None else most_accounts
        return findings(self.configuration, offline=offline, most_accounts=most)

    def compare_api_versions(self, api_versions: Sequence[str]) -> Iterator[Finding]:
        """Check the reports in each of `api_versions`, and what a change from one to the next would break."""
        from gads_pipeline.check import version_findings

        return version_findings(self.configuration, api_versions)

    def reports(self) -> tuple[KnownReport, ...]:
        """Every report that the configuration can name, by name."""
        from gads_pipeline.reports import known_reports

        return known_reports(self.configuration)

    def plan(self, options: RunOptions = ALL) -> Forecast:
        """What `serve` would do now, in order, what it costs, and what it skips and why; either day may be given."""
        return self._execution().forecast_due(options)

    def plan_run(self, options: RunOptions = ALL) -> Forecast:
        """What `run` would do; the accounts are listed only if the days depend on their time zones."""
        options.require_both_days_or_none()
        return self._execution().forecast(options, backfill=False)

    def plan_backfill(self, options: RunOptions) -> Forecast:
        """What `backfill` would do."""
        require_days(options.since, options.until)
        return self._execution().forecast(options, backfill=True)

    def run(self, options: RunOptions = ALL, **how: Unpack[HowToExecute]) -> Outcome:
        """Extract and validate every account, report and day of `options` that is not success yet.

        A request to `stop` ends it within seconds, with nothing half-done; `Stopped` is raised if the accounts were
        still listed.
        """
        options.require_both_days_or_none()
        return self._execution(**how).execute(options, backfill=False)

    def backfill(
        self,
        options: RunOptions,
        *,
        confirm: Callable[[WorkPlan], None] | None = None,
        **how: Unpack[HowToExecute],
    ) -> Outcome:
        """Extract every day of `options` that was never attempted or is due for a retry, newest first.

        `confirm` gets the plan before anything is requested; what it raises ends the backfill.
        """
        require_days(options.since, options.until)
        return self._execution(**how).execute(options, confirm, backfill=True)

    def serve_once(self, options: RunOptions = ALL, **how: Unpack[HowToExecute]) -> Outcome:
        """Do what is due now, of the accounts and reports of `options`: new days, restatements, retries, backfills."""
        return self._execution(**how).execute_due(options)

    def serve(self, options: RunOptions = ALL, **how: Unpack[HowToExecute]) -> None:
        """Do whatever is due, again and again, until `stop` is requested."""
        self._execution(**how).serve(options)

    def _execution(self, **how: Unpack[HowToExecute]) -> Execution:
        observer, stop = how.get("observer", _SILENT), how.get("stop") or Stop()
        return Execution(self.configuration, self.command, observer, stop, how.get("workers"))

    def validate(
        self,
        *,
        customers: Iterable[str] = (),
        reports: Sequence[str] = (),
        since: date | None = None,
        until: date | None = None,
        recheck: bool = False,
        observer: Observer = _SILENT,
    ) -> Iterator[PartitionValidation]:
        """Validate every sealed partition that has no validation result yet; with `recheck` the others too.

        Yields each partition as soon as its result is on the ledger. An error ends the iteration and undoes nothing.
        """
        require_order(since, until)
        names = tuple(section.name for section in self.configuration.sections(reports)) if reports else ()
        wanted = StateFilter(customer_ids=tuple(customers), reports=names, since=since, until=until)
        return observed(validate(self.configuration, wanted, recheck=recheck), observer)

    def select(
        self, operation: Operation, selection: PartitionSelection, run_id: RunId | None = None
    ) -> tuple[PartitionKey, ...]:
        """The partitions that `selection` means for `operation`; a revocation needs the `run_id` to revoke."""
        return operator_acts.selected_keys(self.configuration, operation, selection, run_id)

    def run_named(self, text: str, selection: PartitionSelection) -> RunId:
        """The run of this id; the last part of an id is enough if one run alone of these partitions ends in it.

        Raises `UsageError` if none does, or several, and `InvalidValueError` for what is neither.
        """
        return operator_acts.run_named(self.configuration, text, selection)

    def act(
        self,
        operation: Operation,
        keys: Sequence[PartitionKey],
        reason: str = "",
        *,
        selection: PartitionSelection | None = None,
        run_id: RunId | None = None,
        dry_run: bool = False,
        observer: Observer = _SILENT,
    ) -> ActResult:
        """Retry, hold, release, give up or revoke `keys`, on record with `reason` and with the `selection` they are of.

        Raises `UsageError` if the operation needs a reason and there is none.
        """
        operator_acts.require_reason_of(operation, reason)
        if dry_run:
            return operator_acts.dry_run(self.configuration, operation, keys)
        selected = f"keys={len(keys)}" if selection is None else str(selection)
        record = self._act(reason, selected)
        return operator_acts.act(self.configuration, operation, keys, record, observer, run_id)

    def break_lease(self, scope: str, reason: str, *, dry_run: bool = False) -> Lease:
        """Take the lease of `scope`, `source/customer/report`, from its holder, on record with `reason`; returns it.

        Its holder spends nothing more by it. Raises `UsageError` if there is no such lease, or no reason.
        """
        return operator_acts.break_lease(self.configuration, scope, self._act(reason, scope), dry_run)

    def _act(self, reason: str, selection: str) -> OperatorAct:
        return OperatorAct(SystemClock().now(), actor_name(), self.command, reason, selection)

    def sweep_sink(self, older_than: timedelta, *, dry_run: bool = False) -> tuple[Leftover, ...]:
        """Remove what killed writers left behind and last touched longer ago than `older_than`; returns what it was.

        Nothing that is sealed, or could still be sealed, is touched. Raises `ConfigurationError` for a sink that
        cannot tell.
        """
        sink = open_sink(self.configuration)
        if not isinstance(sink, SweepableSink):
            raise ConfigurationError(
                f"{self.configuration.storage.sink} cannot be swept",
                hint="its adapter leaves nothing behind, or cannot tell what is left",
            )
        return tuple(sink.sweep(older_than, dry_run=dry_run))

    def back_up_ledger(self, file: Path) -> LedgerCopy:
        """Write the ledger of one moment to a new `file` and read it back, while others go on writing to the ledger.

        Raises `UsageError` if the file exists, and `ConfigurationError` for a ledger that is not in a file.
        """
        url, base = self.configuration.storage.state, self.configuration.base
        return copied_ledger_adapter(self.configuration).back_up(url, base, file)

    def restore_ledger(self, file: Path, *, dry_run: bool = False) -> Restoration:
        """Put the ledger that `back_up_ledger` wrote to `file` in the place of the present one, which is kept.

        Raises `HeldElsewhereError` if a process has the ledger open, `UsageError` for a copy of another ledger,
        `LedgerError` for one that is damaged.
        """
        url, base = self.configuration.storage.state, self.configuration.base
        return copied_ledger_adapter(self.configuration).restore(url, base, file, dry_run=dry_run)

    def compact_ledger(self, *, dry_run: bool = False, say: Callable[[str], None] = lambda _: None) -> Compaction:
        """Convert what earlier versions wrote in the ledger, and give its unused space back to the disk.

        `say` gets a line for people now and then. Whatever is stopped goes on with the next call. Raises
        `ConfigurationError` for a ledger that cannot be compacted.
        """
        return compact_ledger(self.configuration, dry_run, say)

    def prune_sink(self, *, dry_run: bool = False, progress: Progress | None = None) -> PruneResult:
        """Remove the superseded runs that `[retention]` lets go from the sink, on record; or say which they are.

        What an earlier call has begun is ended first. `progress` gets the runs that went so far, and their bytes.
        """
        from gads_pipeline.retention import prune

        days = self.configuration.retention.superseded_days
        act = self._act(f"superseded for {days} days", "")
        return prune(self.configuration, act, dry_run=dry_run, progress=progress or (lambda *_: None))

    def pin(self, manifest: Path, until: date | None, name: str | None = None) -> Pin:
        """Keep the runs of a saved snapshot in the sink up to the end of the day `until` (UTC).

        `name` is by default the report and a sum of the runs. Raises `UsageError` without a day, and what
        `Snapshot.pin` raises.
        """
        if until is None:
            raise UsageError("a pin ends on a day", hint="say until when the runs are needed")
        end = datetime.combine(until + timedelta(days=1), time(), UTC)
        with self.consumer() as consumer:
            snapshot = consumer.load(manifest)
        return snapshot.pin(until=end, name=name)

    def check_alerts(self, *, dry_run: bool = False) -> list[Delivery]:
        """Evaluate `[[alerts]]` once and deliver what is due; with `dry_run` only say what would be delivered.

        Raises `UsageError` if there is none, `ConfigurationError` if one cannot be used.
        """
        from gads_pipeline.alerts import AlertDesk  # what everything else does without

        return AlertDesk.open(self.configuration).check(dry_run=dry_run)

    def test_alerts(self) -> list[Delivery]:
        """Send a test to each destination; raises as `check_alerts` does."""
        from gads_pipeline.alerts import AlertDesk

        return AlertDesk.open(self.configuration).test()

    def pins(self) -> list[dict[str, Any]]:
        """What readers keep now: name, number of runs, and until when."""
        with open_pins(self.configuration) as ledger:
            found = ledger.pins(SystemClock().now())
        return [{"name": one.name, "runs": one.runs, "until": iso_utc(one.until)} for one in found]

    def release_pin(self, name: str) -> None:
        """End a pin; raises `UsageError` if there is none of that name."""
        with open_pins(self.configuration) as ledger:
            if not ledger.release(name):
                raise UsageError(f"there is no pin {name!r}", hint="`Pipeline.pins` lists them")

    def consumer(self) -> AbstractContextManager[Consumer]:
        """The read contract over authoritative partitions, open for a `with` statement."""
        return open_consumer(self.configuration)

    def load_warehouse(
        self,
        *,
        reconcile: bool = False,
        dry_run: bool = False,
        progress: Callable[[int, int], None] | None = None,
        observer: Observer = _SILENT,
        run_id: str = "",
    ) -> LoadReport:
        """Bring the warehouse's tables to where the ledger is; `progress` gets how much is loaded, and of how much.

        `reconcile` compares every partition with the ledger instead of following its change feed. `run_id` is for the
        event: the run for which it is loaded, if there was one.
        """
        return load_warehouse(
            self.configuration, observer, run_id, reconcile=reconcile, dry_run=dry_run, progress=progress
        )

    def warehouse_status(self) -> WarehouseStatus:
        """What is loaded, behind and orphaned, by report."""
        from gads_warehouse import status

        with open_warehouse(self.configuration) as (warehouse, consumer):
            return status(consumer, warehouse)

    def verify_warehouse(self) -> Verification:
        """Compare rows and sums of all metrics with the sealed payloads; changes nothing."""
        from gads_warehouse import verify

        with open_warehouse(self.configuration) as (warehouse, consumer):
            return verify(consumer, warehouse)

    def query_warehouse(self, sql: str) -> QueryResult:
        """The rows of one query against the warehouse."""
        with open_warehouse(self.configuration) as (warehouse, _):
            return warehouse.query(sql)
