"""`gads.toml`: read, checked, and turned into the domain's values."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    PrivateAttr,
    ValidationError,
    field_validator,
    model_validator,
)

from gads_domain.completeness import Freshness
from gads_domain.errors import ConfigurationError, GadsError, InvalidValueError, UsageError
from gads_domain.local_path import read_file
from gads_domain.partition_key import require_customer_id, require_name
from gads_domain.ports.warehouse import is_reserved
from gads_domain.report import History, ReportDefinition
from gads_pipeline.account_patterns import AccountPattern
from gads_pipeline.alert_configuration import AlertSection
from gads_pipeline.control_plane_configuration import (
    FreshnessSection,
    QuotaSection,
    RestatementSection,
    RetentionSection,
    RetrySection,
    RunSection,
    ScheduleSection,
    Section,
)


def _customer_id(text: str) -> str:
    try:
        return require_customer_id(text.replace("-", ""))
    except GadsError as error:
        raise ValueError(error.message) from None


def _report_name(text: str) -> str:
    try:
        name = require_name(text, "report name")
    except GadsError as error:
        raise ValueError(f"{error.message}: {error.hint}") from None
    if is_reserved(name):
        raise ValueError(f"{name!r} is the name of a view of the warehouse: choose another, such as my_{name}")
    return name


CustomerId = Annotated[str, AfterValidator(_customer_id)]
ReportName = Annotated[str, AfterValidator(_report_name)]


class EmulatorSection(Section):
    """`[google_ads.emulator]`: a local API of a synthetic agency, started by whatever needs the API."""

    seed: int = 7
    accounts: int = Field(default=3, ge=1, le=10_000)
    campaigns: int = Field(default=6, ge=1, le=1_000)
    since: date | None = None
    until: date | None = None


class GoogleAdsSection(Section):
    """`[google_ads]`: the client's configuration, the version of the API, the accounts, how far back the API keeps.

    `history` is `api` for what Google documents, or `unlimited` for an API that keeps everything, such as a local one.
    """

    configuration: Path | None = None
    api_version: str | None = None
    customer_ids: tuple[CustomerId, ...] = ()
    ca_certificate: Path | None = None
    emulator: EmulatorSection | None = None
    history: Literal["api", "unlimited"] = "api"

    @model_validator(mode="after")
    def _one_source(self) -> GoogleAdsSection:
        if self.emulator is not None and self.configuration is not None:
            raise ValueError("give either configuration or an emulator section, not both")
        return self


class AccountsSection(Section):
    """`[accounts]`: which accounts below a manager, where `google_ads.customer_ids` is empty.

    `root` is that manager, by default the login customer. Patterns match ids, names or labels; see
    `AccountPattern`.
    """

    root: CustomerId | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    @field_validator("include", "exclude")
    @classmethod
    def _patterns(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            try:
                AccountPattern.parse(pattern)
            except GadsError as error:
                raise ValueError(f"{error.message}: {error.hint}") from None
        return patterns

    @property
    def is_empty(self) -> bool:
        """Whether the section sets nothing."""
        return self == AccountsSection()


class StorageSection(Section):
    """`[storage]`: where raw partitions and the ledger are, as URLs."""

    sink: str
    state: str


class ExtractionSection(Section):
    """`[extraction]`: the size, the retries and the timeout of one request."""

    max_days_per_request: int = Field(default=31, ge=1, le=366)
    max_attempts: int = Field(default=5, ge=1, le=20)
    silence_seconds: float = Field(default=300, gt=0)


class WarehouseSection(Section):
    """`[warehouse]`: the tables that are kept equal to the authoritative partitions."""

    url: str = "duckdb:warehouse.duckdb"
    load_after_run: bool = False


class ChecksSection(Section):
    """`checks` of a report, in addition to the checks that every partition passes."""

    min_rows: int = Field(default=0, ge=0)
    not_null: tuple[str, ...] = ()
    non_negative: tuple[str, ...] = ()
    unique: tuple[str, ...] = ()


class ValidationSection(Section):
    """`[validation]`: from which share of lost rows on a restatement is held for a decision; 1 is all of them."""

    vanished_rows: float = Field(default=1.0, gt=0, le=1)


class ReportSection(Section):
    """`[[reports]]`: a packaged report by its name alone, or your own by `query` or `file`.

    `restatement_days` and `history_days` take the place of what the report says itself, `due_hours` that of
    `[freshness]`.
    """

    name: ReportName
    query: str | None = None
    file: Path | None = None
    schema_version: int | None = Field(default=None, ge=1)
    restatement_days: int | None = Field(default=None, ge=1, le=4_000)
    history_days: int | None = Field(default=None, ge=1, le=4_000)
    due_hours: float | None = Field(default=None, ge=0, le=240)
    checks: ChecksSection = ChecksSection()

    @model_validator(mode="after")
    def _one_text(self) -> ReportSection:
        if self.query is not None and self.file is not None:
            raise ValueError("give either query or file, or neither for the packaged report of that name")
        if self.query is None and self.file is None and self.schema_version is not None:
            raise ValueError("the schema_version of a packaged report is its own; leave it out")
        return self


class Configuration(Section):
    """A checked `gads.toml`, `path` being where it was read. It can be pickled: workers get it by value.

    `base` is the folder of `path`, from which relative paths are taken. The text of a report is read once.
    """

    path: Path = Field(alias="(path)")  # no key of a file
    google_ads: GoogleAdsSection = GoogleAdsSection()
    accounts: AccountsSection = AccountsSection()
    storage: StorageSection
    extraction: ExtractionSection = ExtractionSection()
    warehouse: WarehouseSection = WarehouseSection()
    run: RunSection = RunSection()
    quota: QuotaSection = QuotaSection()
    retry: RetrySection = RetrySection()
    restatement: RestatementSection = RestatementSection()
    retention: RetentionSection = RetentionSection()
    freshness: FreshnessSection = FreshnessSection()
    validation: ValidationSection = ValidationSection()
    schedules: tuple[ScheduleSection, ...] = ()
    alerts: tuple[AlertSection, ...] = ()
    report_sections: tuple[ReportSection, ...] = Field(alias="reports", min_length=1)
    _definitions: dict[str, ReportDefinition] = PrivateAttr(default_factory=dict)

    @model_validator(mode="after")
    def _consistent(self) -> Configuration:
        names = [report.name for report in self.report_sections]
        scheduled = [name for schedule in self.schedules for name in schedule.reports or ("",)]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two reports are named {name}")
        for name in scheduled:
            if scheduled.count(name) > 1:
                raise ValueError(f"schedules: two schedules are for {name or 'all other reports'}")
            if name and name not in names:
                raise ValueError(f"a schedule is for {name!r}, and no report has that name")
        destinations = [section.destination for section in self.alerts]
        for section in self.alerts:
            if destinations.count(section.destination) > 1:
                raise ValueError(f"alerts: two destinations are called {section.destination}; give each a name")
            for name in {report for deadline in section.deadlines for report in deadline.reports} - {*names}:
                raise ValueError(f"alerts: a deadline is for {name!r}, and no report has that name")
        if self.google_ads.customer_ids and not self.accounts.is_empty:
            raise ValueError("give either google_ads.customer_ids or an accounts section, not both")
        return self

    @classmethod
    def load(cls, path: Path) -> Configuration:
        """Read and check the file `path`; raises `ConfigurationError` that names the key of each fault."""
        try:
            data = read_file(path)
        except FileNotFoundError:
            raise ConfigurationError(f"there is no {path}", hint="name the path of a gads.toml") from None
        except OSError as error:
            raise ConfigurationError(f"cannot read {path}: {_reason(error)}") from None
        try:
            document = tomllib.loads(data.decode("utf-8-sig"))
        except UnicodeDecodeError:
            raise ConfigurationError(f"{path} is not UTF-8 text") from None
        except RecursionError:
            raise ConfigurationError(f"{path} is nested too deeply") from None
        except ValueError as error:
            raise ConfigurationError(f"{path} is not TOML: {error}") from None
        return cls.of(document, path)

    @classmethod
    def of(cls, document: Mapping[str, Any], path: Path) -> Configuration:
        """Check `document`, the content of a `gads.toml`; `path` need not exist. Raises as `load` does."""
        try:
            return cls.model_validate({**document, "(path)": path})
        except ValidationError as error:
            raise ConfigurationError(
                f"{path}: {'; '.join(_faults(error))}", hint="`template.real_account` shows every key with a comment"
            ) from None

    @property
    def base(self) -> Path:
        """The folder from which relative paths are taken."""
        return self.path.parent

    @property
    def limits(self) -> Freshness:
        """How old a list of accounts may be, and when a day is due, of each report with hours of its own too."""
        own = {one.name: timedelta(hours=one.due_hours) for one in self.report_sections if one.due_hours is not None}
        return replace(self.freshness.limits, by_report=own)

    def report(self, section: ReportSection) -> ReportDefinition:
        """The definition of one report: the packaged one, or that of its query or file with or without a header.

        Raises `ConfigurationError` or `QueryError`, naming the file or the report.
        """
        if section.name not in self._definitions:
            self._definitions[section.name] = self._read(section)
        return self._definitions[section.name]

    def sections(self, names: Sequence[str]) -> list[ReportSection]:
        """The reports named, in the file's order; all of them for no names. Raises `UsageError` for an unknown one."""
        known = {section.name for section in self.report_sections}
        for name in names:
            if name not in known:
                raise UsageError(
                    f"no report is named {name!r} in {self.path}", hint=f"known reports: {', '.join(sorted(known))}"
                )
        return [section for section in self.report_sections if not names or section.name in names]

    def reports(self, names: Sequence[str] = ()) -> tuple[ReportDefinition, ...]:
        """The definitions of the reports named, in the file's order; of all of them for no names."""
        return tuple(self.report(section) for section in self.sections(names))

    def cron_of(self, report: str) -> str | None:
        """The schedule of a report; None if there is none."""
        named = [schedule for schedule in self.schedules if report in schedule.reports]
        rest = [schedule for schedule in self.schedules if not schedule.reports]
        return (named or rest)[0].cron if named or rest else None

    def customers(self, chosen: Sequence[str]) -> tuple[str, ...]:
        """The accounts to ask: those `chosen`, or else all configured. Raises `UsageError` if there is none."""
        configured = self.google_ads.customer_ids
        for customer_id in chosen:
            require_customer_id(customer_id)
            if configured and customer_id not in configured:
                raise UsageError(
                    f"customer {customer_id} is not among google_ads.customer_ids of {self.path}",
                    hint="add it there, or name one that is: " + ", ".join(configured[:10]),
                )
        found = tuple(dict.fromkeys(chosen or configured))
        if not found:
            raise UsageError(
                "no account is named", hint=f"list google_ads.customer_ids in {self.path}, or give `customers`"
            )
        return found

    def _read(self, section: ReportSection) -> ReportDefinition:
        found = self._defined(section)
        days = section.model_dump(include={"restatement_days", "history_days"}, exclude_none=True)
        if days and not found.kind.has_history:
            raise ConfigurationError(
                f"{self.path}: report {section.name}: a {found.kind} report has no {' and no '.join(days)}",
                hint="remove it: its rows are about the present, and are read once a day",
            )
        # A configured emulator keeps everything.
        is_unlimited = self.google_ads.history == "unlimited" or self.google_ads.emulator is not None
        history = None if is_unlimited else found.history
        if section.history_days is not None:
            history = History(str(self.path), days=section.history_days)
        try:
            restated = section.restatement_days or found.restatement_days
            return replace(found, restatement_days=restated, history=history)
        except InvalidValueError as error:
            raise ConfigurationError(f"{self.path}: {error.message}", hint=error.hint) from None

    def _defined(self, section: ReportSection) -> ReportDefinition:
        # Imported here: reading the ledger needs no parser.
        from gads_reports.catalogue import resolve
        from gads_reports.definition_file import read_text

        if section.query is None and section.file is None:
            return resolve([section.name])[0]
        source = str(section.file or f"{self.path}: report {section.name}")
        return read_text(section.name, self._query_of(section), source, schema_version=section.schema_version)

    def _query_of(self, section: ReportSection) -> str:
        if section.query is not None:
            return section.query
        assert section.file is not None
        path = self.base / section.file
        try:
            return read_file(path).decode("utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"report {section.name}: cannot read {path}: {_reason(error)}") from None


_MESSAGES = {"extra_forbidden": "there is no such key", "missing": "is missing"}


def _faults(error: ValidationError) -> Iterator[str]:
    """A line each; items that are faulty are not also missed as items that are not there."""
    found = error.errors()
    for fault in found:
        place, kind = fault["loc"], fault["type"]
        if kind == "too_short" and any(other["loc"][: len(place)] == place and other is not fault for other in found):
            continue
        yield f"{_key(place)}: {_MESSAGES.get(kind) or fault['msg'].removeprefix('Value error, ')}"


def _key(location: tuple[int | str, ...]) -> str:
    text = ""
    for part in location:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text or "the file"


def _reason(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
