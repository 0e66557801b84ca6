"""The options that several commands share, so that they mean the same everywhere."""

import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import typer

from gads_domain.errors import ConfigurationError, GadsError, UsageError
from gads_domain.partition_key import parse_date, require_customer_id
from gads_etl.error_handling import for_operators
from gads_pipeline import Pipeline
from gads_telemetry.event_lines import EventLines
from gads_telemetry.log_format import LogFormat, LogLevel, start_logging

if TYPE_CHECKING:
    from gads_orchestrator.events import Observer

DEFAULT_FILE = Path("gads.toml")


def _date(text: str | date) -> date:
    if isinstance(text, date):
        return text
    number = {"today": 0, "yesterday": -1, "tomorrow": 1}.get(text)
    if number is None and text[:1] == "-" and text[-1:] == "d" and text[1:-1].isdecimal():
        number = int(text[:-1])
    try:
        return parse_date(text) if number is None else _local_today() + timedelta(days=number)
    except OverflowError:
        raise typer.BadParameter(f"{text} is before the first of all days") from None
    except GadsError as error:
        raise typer.BadParameter(f"{error.message}; {error.hint}") from None


def _local_today() -> date:
    """Today where this machine is; whether a day is over is asked of each account's zone."""
    return datetime.now().astimezone().date()


def customer_id(value: str) -> str:
    """The id of an account, which may be given with dashes."""
    try:
        return require_customer_id(value.replace("-", ""))
    except GadsError as error:
        raise typer.BadParameter(f"{error.message}; {error.hint}") from None


def _customers(values: list[str] | None) -> list[str]:
    return [customer_id(value) for value in values or []]


ConfigOption = Annotated[Path, typer.Option("--config", "-c", help="The configuration file.", show_default=True)]
SinceOption = Annotated[
    date | None,
    typer.Option(parser=_date, metavar="DAY", help="First day, included: YYYY-MM-DD, today, yesterday, -7d."),
]
UntilOption = Annotated[
    date | None, typer.Option(parser=_date, metavar="DAY", help="Last day, included, written like --since.")
]
CustomerOption = Annotated[
    list[str] | None,
    typer.Option("--customer", metavar="ID", callback=_customers, help="Account; may be repeated."),
]
ReportOption = Annotated[list[str] | None, typer.Option("--report", metavar="NAME", help="Report; may be repeated.")]
LogFormatOption = Annotated[LogFormat, typer.Option("--log-format", help="How log lines on stderr are written.")]
LogLevelOption = Annotated[LogLevel, typer.Option("--log-level", help="The least level that is logged.")]
EventsOption = Annotated[bool, typer.Option("--json-events", help="Print events on stderr as JSON lines.")]
WorkersOption = Annotated[int | None, typer.Option("--workers", min=1, max=64, help="How many worker processes.")]
DryRunOption = Annotated[bool, typer.Option("--dry-run", help="Print what would be done, and do nothing.")]
YesOption = Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")]


class Given(TypedDict):
    """Accounts, reports and days as keywords of the library's calls."""

    customers: tuple[str, ...]
    reports: tuple[str, ...]
    since: date | None
    until: date | None


@dataclass(frozen=True, slots=True)
class Selection:
    """The accounts, reports and days that a command is about, each an option of its own: see `flattened`."""

    since: SinceOption = None
    until: UntilOption = None
    customer: CustomerOption = None
    report: ReportOption = None

    @property
    def given(self) -> Given:
        """The accounts, reports and days."""
        customers, reports = tuple(self.customer or ()), tuple(self.report or ())
        return {"customers": customers, "reports": reports, "since": self.since, "until": self.until}


@dataclass(frozen=True, slots=True)
class Logs:
    """How what happens meanwhile is logged, each an option of its own."""

    log_format: LogFormatOption = LogFormat.PEOPLE
    log_level: LogLevelOption = LogLevel.INFO

    def __post_init__(self) -> None:
        """With JSON also what fails before there is anything to observe is a log line."""
        if not self.for_people:
            start_logging(self.log_format, self.log_level, for_operators)

    @property
    def for_people(self) -> bool:
        """Whether stderr is read by people, so that it may have what a command prints there at its end."""
        return self.log_format is LogFormat.PEOPLE

    @contextmanager
    def observing(
        self, pipeline: Pipeline, *others: "Observer", events: bool = False, outcome_is_printed: bool = False
    ) -> Iterator["Observer"]:
        """`others`, a log or with `events` JSON lines, and what the environment configures, as one observer."""
        from gads_telemetry.event_log import EventLog
        from gads_telemetry.observers import observing

        start_logging(LogFormat.PEOPLE if events else self.log_format, self.log_level, for_operators)
        own = EventLines() if events else EventLog(outcome_is_printed=outcome_is_printed and self.for_people)
        with observing(pipeline, own, *others) as observer:
            yield observer


def open_pipeline(config: Path) -> Pipeline:
    """The pipeline that `config` describes; the command line as typed goes on record."""
    if not config.exists():
        hint = "gads-etl init writes one; --config names another; gads-etl demo needs none"
        raise ConfigurationError(f"there is no {config}", hint=hint)
    return Pipeline.open(config, command=" ".join(["gads-etl", *sys.argv[1:]]))


def named(rows: Iterable[Mapping[str, Any]], pipeline: Pipeline) -> Iterator[dict[str, Any]]:
    """The rows with the name of their account, as the last list that had it gives it."""
    names = pipeline.account_names()
    for row in rows:
        yield {**row, "name": names.get(row["customer_id"], "")}


def confirm_above(many: int, count: int, what: str, yes: bool) -> None:
    """Ask for confirmation if `count` is above `many`; raises `UsageError` where stdin is not a terminal."""
    if yes or count <= many:
        return
    if not sys.stdin.isatty():
        raise UsageError(f"this affects {what}; nothing was changed", hint="give --yes to confirm")
    typer.confirm(f"This affects {what}. Go on?", abort=True, err=True)
