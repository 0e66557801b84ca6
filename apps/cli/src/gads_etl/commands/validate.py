"""`gads-etl validate`: judge what is sealed."""

from __future__ import annotations

from itertools import islice
from typing import Annotated

import typer

from gads_etl.options import (
    DEFAULT_FILE,
    ConfigOption,
    CustomerOption,
    ReportOption,
    SinceOption,
    UntilOption,
    require_order,
)
from gads_etl.printing import Format

_KEYS_A_BATCH = 200


def validate(
    config: ConfigOption = DEFAULT_FILE,
    customer: CustomerOption = None,
    report: ReportOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    recheck: Annotated[
        bool, typer.Option("--recheck", help="Also read again what was judged before, to find later damage and loss.")
    ] = False,
    format_: Annotated[Format, typer.Option("--format", help="How to print.")] = Format.TABLE,
) -> None:
    """Judge every sealed partition that was not judged yet, and move authority accordingly.

    Exit code 1 if any partition that was looked at is not success, or its newest run was rejected.
    """
    from gads_domain.ports.validation import PartitionValidation
    from gads_domain.state import PartitionStatus, StateFilter, ValidationOutcome
    from gads_domain.state_row import state_row
    from gads_etl.composition import open_ledger_for_validator, open_sink_reader, validator_of
    from gads_etl.configuration import load_configuration
    from gads_etl.exit_codes import ExitCode
    from gads_etl.printing import print_json, print_table, say
    from gads_etl.validation_scope import keys_to_recheck, sealed_keys

    require_order(since, until)
    configuration = load_configuration(config)
    names = [section.name for section in configuration.sections(report or [])] if report else []
    reader = open_sink_reader(configuration)
    wanted = StateFilter(customer_ids=tuple(customer or ()), reports=tuple(names), since=since, until=until)
    validations: list[PartitionValidation] = []
    with open_ledger_for_validator(configuration) as ledger:
        judge = validator_of(configuration, reader, ledger)
        keys = keys_to_recheck(reader, ledger, wanted) if recheck else sealed_keys(reader, wanted)
        while batch := list(islice(keys, _KEYS_A_BATCH)):
            validations += judge.validate(batch, recheck=recheck)
    judged = [(validation, attempt) for validation in validations for attempt in validation.results]
    rejected = [(v, a) for v, a in judged if a.outcome is not ValidationOutcome.PASSED]
    unwell = [v for v in validations if v.after.status is not PartitionStatus.SUCCESS or v.after.last_error]
    if format_ is Format.JSON:
        print_json(
            {
                "partitions": len(validations),
                "validated_runs": len(judged),
                "rejected_runs": [
                    {
                        **state_row(validation.after),
                        "run_id": str(attempt.run_id),
                        "failed_checks": [check.name for check in attempt.checks if not check.passed],
                        "reason": str(attempt.failure),
                    }
                    for validation, attempt in rejected
                ],
                "not_success": [state_row(validation.after) for validation in unwell],
                "moved": [state_row(validation.after) for validation in validations if validation.changed],
            }
        )
    else:
        print_table(
            f"{len(validations)} partitions looked at, {len(judged)} runs judged, {len(rejected)} rejected",
            ["partition", "status", "believed run", "last error"],
            [[v.after.key, v.after.status, v.after.current_run_id, v.after.last_error] for v in unwell],
        )
        if not validations:
            say("nothing is sealed that matches")
    if unwell:
        raise typer.Exit(int(ExitCode.INCOMPLETE))
