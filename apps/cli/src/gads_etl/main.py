"""The command line: the list of commands, and the entry point of the `gads-etl` script."""

import os
import sys
from importlib.metadata import version as version_of
from types import MappingProxyType
from typing import Annotated

import typer

from gads_etl.error_handling import guarded
from gads_terminal.command_group import LazyCommand, LazyGroup
from gads_terminal.standard_streams import open_standard_streams

EXIT_CODES = """Exit codes: 0 nothing that is expected is missing; 1 something is, and the output names it;
2 usage or configuration; 4 credentials; 70 a bug of gads-etl; 74 stdout did not take the output;
75 call it again later; 130 interrupted."""


COMMANDS = (
    ("demo", "demo", "demo", "Run the whole pipeline on a synthetic agency, without credentials."),
    ("init", "init", "init", "Write a commented gads.toml for a real account."),
    ("check", "check", "check", "Check configuration, reports, sink, ledger and API, and list every fault."),
    (
        "status",
        "status",
        "status",
        "Show where the ledger stands: what is complete, what is not and why, and what to do.",
    ),
    ("accounts", "accounts", "app", "Show the tree of accounts: which are extracted, and why not the others."),
    ("run", "run", "run", "Extract and validate every account, report and day that is not success yet."),
    ("plan", "run", "plan", "Show what serve would do now, in order, what it costs, and what it skips."),
    ("backfill", "run", "backfill", "Extract every day of a range that is not success, newest first."),
    ("serve", "run", "serve", "Do whatever is due, for as long as it runs."),
    ("ui", "ui", "ui", "Show in a browser what is complete, what is not and why, and what to do about it."),
    ("alerts", "alerts", "app", "Show the alerts that are open, and send what is due."),
    ("validate", "validate", "validate", "Validate every sealed partition that has no result yet."),
    ("reports", "reports", "app", "The packaged reports, and your own."),
    ("consume", "consume", "app", "Read authoritative partitions."),
    ("sink", "sink", "app", "Maintain the storage of raw partitions."),
    ("state", "state", "app", "Show and change what the ledger says of each partition."),
    ("warehouse", "warehouse", "app", "Load authoritative partitions into tables."),
    ("emulator", "emulator", "app", "A local Google Ads API for the official client."),
)
"""Each command: its name, the module and the name of what is imported for it, and the first sentence of its help."""


_NOT_FOR_OTHERS = 0o007
"""Nothing that a command makes is for others than owner and group, and a stricter umask stays as it is."""


class Commands(LazyGroup):
    """The commands of gads-etl."""

    entries = MappingProxyType(
        {name: LazyCommand(f"gads_etl.commands.{module}", target, line) for name, module, target, line in COMMANDS}
    )
    last_line = "Exit codes: gads-etl --help lists them."


app = typer.Typer(
    name="gads-etl",
    cls=Commands,
    help="Own your Google Ads reporting data: extract, seal, validate, trust.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"gads-etl {version_of('gads-etl')}\n")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[  # what it does is done by its callback
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Own your Google Ads reporting data: extract, seal, validate, trust."""


def run(arguments: list[str] | None = None) -> None:
    """Entry point of the `gads-etl` script: run one command and exit with its status."""
    open_standard_streams()
    # gRPC logs the closing of channels to stderr, where only what a person can act on belongs.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    os.umask(os.umask(_NOT_FOR_OTHERS) | _NOT_FOR_OTHERS)
    sys.exit(guarded(lambda: app(arguments, prog_name="gads-etl", standalone_mode=False)))


if __name__ == "__main__":
    run()
