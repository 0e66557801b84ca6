"""The named reports: those that come with the package, and a user's own."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from importlib import resources
from types import MappingProxyType

from gads_domain.errors import ConfigurationError
from gads_domain.report import ReportDefinition
from gads_reports.definition_file import SUFFIX, read_definition


@cache
def builtin() -> Mapping[str, ReportDefinition]:
    """The packaged reports by name, in the order of their names."""
    folder = resources.files("gads_reports") / "reports"
    entries = sorted((entry for entry in folder.iterdir() if entry.name.endswith(SUFFIX)), key=lambda entry: entry.name)
    found = (
        read_definition(entry.name.removesuffix(SUFFIX), entry.read_text("utf-8"), f"gads_reports/reports/{entry.name}")
        for entry in entries
    )
    return MappingProxyType({definition.name: definition for definition in found})


def resolve(names: Iterable[str], own: Iterable[ReportDefinition] = ()) -> tuple[ReportDefinition, ...]:
    """The definitions of `names`, in their order: of each the user's `own`, or else the packaged one.

    Raises `ConfigurationError` for a name that neither has, with the nearest one, and for two own reports of one name.
    """
    mine: dict[str, ReportDefinition] = {}
    for definition in own:
        if definition.name in mine:
            raise ConfigurationError(f"two reports are named {definition.name}", hint="rename one of them")
        mine[definition.name] = definition
    known = {**builtin(), **mine}
    return tuple(_known(name, known) for name in dict.fromkeys(names))


def _known(name: str, known: Mapping[str, ReportDefinition]) -> ReportDefinition:
    found = known.get(name)
    if found is None:
        near = get_close_matches(name, known, n=1)
        raise ConfigurationError(
            f"no report is named {name!r}",
            hint=f"did you mean {near[0]}?" if near else "name a packaged report, or one of your own",
        )
    return found
