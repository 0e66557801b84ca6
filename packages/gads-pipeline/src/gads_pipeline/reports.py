"""The reports that a configuration can name: its own and the packaged ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gads_domain.report import ReportDefinition
from gads_gaql.catalogue import latest, load
from gads_reports.catalogue import builtin
from gads_reports.description import DescribedColumn, describe, facts_of

if TYPE_CHECKING:
    from gads_gaql import FieldCatalogue
    from gads_pipeline.configuration import Configuration

_REFERENCE = "https://developers.google.com/google-ads/api/fields"
_IDENTITIES = {"id", "resource_name"}


@dataclass(frozen=True, slots=True)
class ReportColumn:
    """A column of a report for people: its name and type, the field it comes from, what it means, and where the API's
    reference says more."""

    name: str
    type: str
    field: str
    meaning: str
    reference: str


@dataclass(frozen=True, slots=True)
class KnownReport:
    """A report and where it comes from."""

    report: ReportDefinition
    origin: str

    @property
    def facts(self) -> dict[str, Any]:
        """What the report is and how it is requested, as JSON."""
        return facts_of(self.report)

    def columns(self, api_version: str | None = None) -> tuple[str, tuple[ReportColumn, ...]]:
        """Its columns, and the API version by which they are described: that one if the report is for it.

        Raises `QueryError` for a field that the version does not have.
        """
        version = api_version if api_version and self.report.supports(api_version) else None
        fields = load(version or self.report.last_api_version or latest())
        return fields.version, tuple(_for_people(one, fields) for one in describe(self.report, fields))

    def to_row(self) -> dict[str, Any]:
        """The report in a list of reports, as JSON."""
        facts = facts_of(self.report)
        restated = facts["restatement_days"] if self.report.kind.has_history else None
        row = {name: facts[name] for name in ("name", "kind", "title", "resource", "versions")}
        return {**row, "restatement_days": restated, "origin": self.origin}


def known_reports(configuration: Configuration | None) -> tuple[KnownReport, ...]:
    """Every report that can be named, by name, as the configuration has it.

    A configuration's own reports take the place of packaged ones.
    """
    known = {name: KnownReport(report, "packaged") for name, report in builtin().items()}
    if configuration is not None:
        for section in configuration.report_sections:
            origin = "packaged"
            if section.query is not None or section.file is not None:
                origin = "own, instead of the packaged one" if section.name in known else "own"
            known[section.name] = KnownReport(configuration.report(section), origin)
    return tuple(known[name] for name in sorted(known))


def _for_people(column: DescribedColumn, fields: FieldCatalogue) -> ReportColumn:
    found = fields.get(column.field)
    entity, _, rest = column.field.partition(".")
    if column.name.endswith("_micros"):
        meaning = "an amount in millionths of the account's currency; summed over rows"
    elif column.is_metric:
        meaning = "a whole number; summed over rows" if column.type == "int64" else "a number that may have fractions"
    elif found is not None and found.enum is not None:
        meaning = f"one of the names of {found.enum.rpartition('.')[2]}"
    elif rest.rpartition(".")[2] in _IDENTITIES:
        meaning = f"identifies the {entity.replace('_', ' ')}"
    elif column.type == "date32":
        meaning = "the day, in the account's time zone"
    else:
        meaning = f"{rest.replace('.', ', ').replace('_', ' ')} of the {entity.replace('_', ' ')}"
    if column.type.startswith("list<"):
        meaning = f"a list: {meaning}"
    grain = "; part of the grain" if column.in_grain else ""
    reference = f"{_REFERENCE}/{fields.version}/{entity}#{column.field}"
    return ReportColumn(column.name, column.type, column.field, meaning + grain, reference)
