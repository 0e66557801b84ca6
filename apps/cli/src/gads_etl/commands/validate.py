"""`gads-etl validate`: validate what is sealed."""

import sys
from collections import deque
from collections.abc import Iterator
from itertools import chain
from typing import Annotated

import typer

from gads_domain.figures import counted
from gads_domain.ports.validation import PartitionValidation
from gads_domain.state_row import validation_row
from gads_domain.visible_text import visible
from gads_etl.exit_codes import ExitCode
from gads_etl.options import DEFAULT_FILE, ConfigOption, Logs, Selection, open_pipeline
from gads_pipeline.validation import ValidationTally
from gads_terminal.output import Format, print_json_of_rows, print_note
from gads_terminal.progress import Progress
from gads_terminal.standard_streams import UndeliveredError
from gads_terminal.table_options import FormatOption


def validate(
    selection: Selection,
    config: ConfigOption = DEFAULT_FILE,
    recheck: Annotated[
        bool, typer.Option("--recheck", help="Also validate again what has a result, to find later damage and loss.")
    ] = False,
    format_: FormatOption = Format.TABLE,
    *,
    logs: Logs,
) -> None:
    """Validate every sealed partition that has no result yet.

    Authority goes to the newest run that passes. Partitions that are not success are printed as they are found, and
    the counts at the end. Exit code 1 if any partition that was validated is not success, or its newest run was
    rejected.
    """
    pipeline, tally = open_pipeline(config), ValidationTally()
    with logs.observing(pipeline, outcome_is_printed=True) as observer:
        validations = pipeline.validate(**selection.given, recheck=recheck, observer=observer)
        first = next(validations, None)  # what cannot begin at all prints an error alone
        rest = tally.count(chain([] if first is None else [first], validations))
        with Progress("validating") as progress:
            _print_all(_shown(rest, tally, progress), tally, format_)
    if tally.not_success:
        raise typer.Exit(int(ExitCode.INCOMPLETE))


def _shown(
    validations: Iterator[PartitionValidation], tally: ValidationTally, progress: Progress
) -> Iterator[PartitionValidation]:
    for validation in validations:
        failed = f"{tally.not_success:,} not success" if tally.not_success else ""
        progress.at(tally.looked_at, doing=str(validation.after.key), more=failed)
        yield validation


def _print_all(rest: Iterator[PartitionValidation], tally: ValidationTally, format_: Format) -> None:
    try:
        if format_ is Format.JSON:
            rows = (row for validation in rest if (row := validation_row(validation)) is not None)
            print_json_of_rows({"version": 2}, "partitions", rows, tally.to_document)
        else:
            _print(rest, tally)
    except UndeliveredError:
        deque(rest, maxlen=0)  # what is not printed is validated all the same
        raise


def _print(validations: Iterator[PartitionValidation], tally: ValidationTally) -> None:
    try:
        for validation in validations:
            after = validation.after
            if not validation.is_success:
                run = f", authoritative run {after.current_run_id}" if after.current_run_id else ""
                error = visible(after.last_error or "pending")
                sys.stdout.write(f"not success: {after.key}: {after.status}{run}: {error}\n")
    finally:
        sys.stdout.write(
            f"{counted(tally.looked_at, 'partition')} checked, {counted(tally.validated_runs, 'run')} validated, "
            f"{tally.rejected_runs:,} rejected, {counted(tally.not_success, 'partition')} not success\n"
        )
    if not tally.looked_at:
        print_note("no sealed partition matches")
