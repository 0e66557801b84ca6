"""The command line: names the commands; each imports what it needs when it is called."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from gads_etl.command_group import CommandGroup
from gads_etl.failing import guarded

EXIT_CODES = """Exit codes: 0 all that was asked for is success; 1 some is not, and the output names it;
2 usage or configuration; 4 credentials; 5 somebody else holds it; 70 a fault of gads-etl; 130 interrupted."""

_WHERE_EXIT_CODES_ARE = "Exit codes: gads-etl --help lists them."

app = typer.Typer(
    name="gads-etl",
    cls=CommandGroup,
    help="Own your Google Ads reporting data: extract, seal, validate, trust.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        sys.stdout.write(f"gads-etl {version('gads-etl')}\n")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[  # what it does is done by its callback
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Own your Google Ads reporting data: extract, seal, validate, trust."""


def _add_commands() -> None:
    from gads_etl.commands import (
        accounts,
        backfill,
        check,
        consume,
        demo,
        emulator,
        init,
        plan,
        reports,
        run,
        serve,
        sink,
        state,
        state_acts,
        state_gaps,
        state_history,
        validate,
        warehouse,
    )

    app.command("demo")(demo.demo)
    app.command("init")(init.init)
    app.command("check")(check.check)
    app.command("accounts")(accounts.accounts)
    app.command("run")(run.run)
    app.command("plan")(plan.plan)
    app.command("backfill")(backfill.backfill)
    app.command("serve")(serve.serve)
    app.command("validate")(validate.validate)
    app.add_typer(reports.app, name="reports")
    app.add_typer(consume.app, name="consume")
    app.add_typer(sink.app, name="sink")
    for more in (state_acts, state_history, state_gaps):
        more.add_to(state.app)
    app.add_typer(state.app, name="state")
    app.add_typer(warehouse.app, name="warehouse")
    app.add_typer(emulator.app, name="emulator")
    _point_to_exit_codes(app)


def _point_to_exit_codes(group: typer.Typer) -> None:
    for command in group.registered_commands:
        command.epilog = _WHERE_EXIT_CODES_ARE
    for below in group.registered_groups:
        assert below.typer_instance is not None
        below.epilog = _WHERE_EXIT_CODES_ARE
        _point_to_exit_codes(below.typer_instance)


_QUIET_GRPC = ("GRPC_VERBOSITY", "NONE")


def run(arguments: list[str] | None = None) -> None:
    """Entry point of the `gads-etl` script: run one command and exit with its status."""
    # gRPC logs the closing of channels to stderr, where only what a person can act on belongs.
    os.environ.setdefault(*_QUIET_GRPC)
    if not app.registered_commands:
        _add_commands()
    sys.exit(guarded(lambda: app(arguments, prog_name="gads-etl", standalone_mode=False)))


if __name__ == "__main__":
    run()
