"""The reports that a configuration can name: its own and the packaged ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gads_domain.report import ReportDefinition
from gads_reports.catalogue import builtin
from gads_reports.description import facts_of

if TYPE_CHECKING:
    from gads_pipeline.configuration import Configuration


@dataclass(frozen=True, slots=True)
class KnownReport:
    """A report and where it comes from."""

    report: ReportDefinition
    origin: str

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
