"""How a plan, and the outcome of a run, a backfill or `serve --once`, is printed."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from itertools import chain, islice
from typing import TYPE_CHECKING, Annotated, Any

from gads_domain.activity import ended_in_words
from gads_domain.clock import iso_utc
from gads_domain.expectations import ListedAccount
from gads_domain.figures import counted
from gads_domain.state import PartitionStatus
from gads_etl.error_handling import for_operators, hints_for_operators, print_error
from gads_etl.exit_codes import ExitCode, exit_code_of_outcome
from gads_orchestrator.outcome import PartitionOutcome, joined
from gads_orchestrator.selection import NOT_RETRIED
from gads_pipeline.outcome import Groups, Tally, row
from gads_terminal.output import Format, day_span, print_json, print_json_of_rows, print_note
from gads_terminal.table import print_table
from gads_terminal.table_options import Table, TableOptions, columns_of

if TYPE_CHECKING:
    from gads_pipeline.forecast import Forecast
    from gads_pipeline.outcome import Outcome

_LINES = 50
_SLICES = Table("reason customer_id name report since until -#days")
_COSTS = Table("report #operations #partitions #restated #files bytes -#seen")
_GROUPS = Table("customer_id name report days #success #failed -#pending -#rows")
OutcomeOptions = Annotated[TableOptions, columns_of(_GROUPS)]
PlanOptions = Annotated[TableOptions, columns_of(_SLICES, _COSTS)]
OutcomeOrPlanOptions = Annotated[TableOptions, columns_of(_GROUPS, _SLICES, _COSTS)]


def print_forecast(
    forecast: Forecast, options: TableOptions, names: Mapping[str, str], most: int | None = _LINES
) -> None:
    """The plan: what it costs, its slices in order (`most` of them in a table), what it skips and why."""
    for note in forecast.notes:
        print_note(note)
    if options.format_ is Format.JSON:
        print_json(forecast.to_document())
        return
    plan = forecast.plan
    up_to_date = f"; {plan.up_to_date:,} up to date" if plan.up_to_date else ""
    print_table(
        _SLICES,
        ({**one, "name": names.get(one["customer_id"], "")} for one in islice(forecast.slices(), most)),
        options,
        f"{counted(plan.partitions, 'partition')} in {counted(plan.operations, 'request')}{up_to_date}"
        if plan.operations
        else "",
        empty=f"nothing to do{up_to_date}",
    )
    if most is not None and most < plan.operations:
        print_note(f"… and {plan.operations - most:,} more requests; --all shows them, --format json too")
    if plan.operations:
        title = "at most this much; bytes by the mean size of the sealed partitions seen"
        print_table(_COSTS, forecast.rows(), options, title)
    skipped = forecast.skipped
    for left in skipped[:_LINES]:
        due = f", due {iso_utc(left.why.until)[:16]}Z" if left.why.until else ""
        account = ListedAccount(left.customer_id, names.get(left.customer_id, ""))
        span = day_span(left.first, left.last)
        print_note(f"skipped: {account} {left.report} {span}: {left.why.reason}{due}")
    if len(skipped) > _LINES:
        print_note(f"… and {len(skipped) - _LINES} more; --format json lists them all")
    _print_not_retried(sum(len(left.keys) for left in skipped if left.why.code == NOT_RETRIED))
    for line in forecast.lines():
        print_note(line)


def print_outcome(
    outcome: Outcome,
    options: TableOptions,
    *,
    skipped: bool = True,
    names_failures: bool = True,
    more: Callable[[], dict[str, Any]] = dict,
) -> ExitCode:
    """Print the outcome, its partitions as they are read from the ledger; returns the command's exit code.

    With `skipped` also the partitions that were skipped and are not success. Without `names_failures` a table is
    followed by no line for each of them: the log has these. `more` makes further members of the JSON
    document.
    """
    tally = Tally()
    found = tally.count(chain(outcome.partitions(), outcome.skipped() if skipped else ()))
    if options.format_ is Format.JSON:
        head = hints_for_operators(outcome.head())
        print_json_of_rows(
            head, "partitions", map(row, found), lambda: {**hints_for_operators(outcome.tail(tally)), **more()}
        )
    else:
        _print_table(outcome, found, tally, options, _LINES if names_failures else 0)
    if outcome.stopped_by is not None:
        print_error(outcome.stopped_by.message, outcome.stopped_by.hint)
    return exit_code_of_outcome(outcome, tally)


def _print_table(
    outcome: Outcome, found: Iterator[PartitionOutcome], tally: Tally, options: TableOptions, lines: int
) -> None:
    groups = Groups()
    unwell = list(joined((one.state.key, one.reason) for one in groups.count(found) if one.reason is not None))
    unwell = sorted([*unwell, *outcome.completeness.gaps_beside(unwell)])
    up_to_date = f"; {outcome.up_to_date:,} were up to date" if outcome.up_to_date else ""
    unchanged = f"; {outcome.unchanged:,} unchanged" if outcome.unchanged else ""
    success, total = tally.summary[PartitionStatus.SUCCESS], counted(tally.summary.total(), "partition")
    names = outcome.completeness.answer.names
    print_table(
        _GROUPS,
        [
            row | {"days": day_span(row["since"], row["until"]), "name": names.get(row["customer_id"], "")}
            for row in groups.rows()
        ],
        options,
        f"{', '.join(f'run {run_id}' for run_id in outcome.run_ids) or 'no run'}: "
        f"{success:,} of {total} {'is' if tally.summary.total() == 1 else 'are'} success "
        f"({counted(outcome.operations, 'request')}){unchanged}{up_to_date}"
        if groups.found
        else "",
        empty=f"there was nothing to do{up_to_date}",
    )
    sys.stdout.write(f"{for_operators(str(outcome.completeness))}\n")
    for one in unwell[:lines]:
        account = outcome.completeness.answer.described(one.first.customer_id)
        span = day_span(one.days.first, one.days.last)
        print_note(f"not success: {account} {one.first.report} {span}: {one.reason}")
    if len(unwell) > lines > 0:
        print_note(f"… and {len(unwell) - lines:,} more; --format json lists them all")
    told = "" if outcome.stopped_by is None else outcome.stopped_by.hint
    for hint in outcome.hints(tally.failures):
        if hint != told:
            print_note(f"hint: {for_operators(hint)}")
    _print_not_retried(tally.not_retried)
    if outcome.ended != "done" and outcome.stopped_by is None:
        print_note(f"ended early: {ended_in_words(outcome.ended)}")


def _print_not_retried(count: int) -> None:
    if count:
        print_note(
            f"{counted(count, 'partition')} failed earlier and {'was' if count == 1 else 'were'} skipped; "
            "run --retry-failed attempts them again"
        )
