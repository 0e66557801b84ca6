"""The named reports: those that come with the package, and a user's own."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from functools import cache
from importlib import resources
from types import MappingProxyType

from gads_domain.errors import ConfigurationError
from gads_domain.report import ReportDefinition
from gads_reports.definition_file import SUFFIX, read_definition

_FOLDER = resources.files("gads_reports") / "reports"


@cache
def builtin() -> Mapping[str, ReportDefinition]:
    """The packaged reports by name, in the order of their names."""
    return MappingProxyType({name: _read(name) for name in _names()})


@cache
def _names() -> tuple[str, ...]:
    entries = (entry.name for entry in _FOLDER.iterdir() if entry.name.endswith(SUFFIX))
    return tuple(sorted(name.removesuffix(SUFFIX) for name in entries))


@cache
def _read(name: str) -> ReportDefinition:
    file = f"{name}{SUFFIX}"
    return read_definition(name, (_FOLDER / file).read_text("utf-8"), f"gads_reports/reports/{file}")


def resolve(names: Iterable[str], own: Iterable[ReportDefinition] = ()) -> tuple[ReportDefinition, ...]:
    """The definitions of `names`, in their order: of each the user's `own`, or else the packaged one.

    Raises `ConfigurationError` for a name that neither has, with the nearest one, and for two own reports of one name.
    """
    mine: dict[str, ReportDefinition] = {}
    for definition in own:
        if definition.name in mine:
            raise ConfigurationError(f"two reports are named {definition.name}", hint="rename one of them")
        mine[definition.name] = definition
    return tuple(mine.get(name) or _packaged(name, mine) for name in dict.fromkeys(names))


def _packaged(name: str, mine: Iterable[str]) -> ReportDefinition:
    if name not in _names():
        near = get_close_matches(name, [*_names(), *mine], n=1)
        raise ConfigurationError(
            f"no report is named {name!r}",
            hint=f"did you mean {near[0]}?" if near else "name a packaged report, or one of your own",
        )
    return _read(name)
