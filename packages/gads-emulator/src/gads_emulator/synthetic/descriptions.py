"""The descriptions of rows in `agency.toml`, whose head explains the language, and the names of resources."""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from operator import itemgetter
from typing import Any

from gads_domain.package_data import tables_of
from gads_emulator.schema import Row

TABLES = tables_of("gads_emulator", "synthetic/agency.toml")

Describe = Callable[[Mapping[str, Any]], Row]
"""From variables, among them `number`, to attributes by path."""
_VARIABLE = re.compile(r"\{([\w.]+)")
_PARAMETER = re.compile(r"\{([\w.]+)\}")
_PATTERNS: Mapping[str, str] = json.loads((resources.files(__package__) / "resource_names.json").read_text("utf-8"))


def describer(table: Mapping[str, Any], prefix: str = "") -> Describe:
    """Return the function of a description; `prefix` begins every path."""
    values = [(prefix + path, _value(value)) for path, value in _leaves(table)]
    return lambda variables: {path: value(variables) for path, value in values}


def _leaves(table: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, dict) and "choose" not in value:
            yield from _leaves(value, f"{above}{name}.")
        else:
            yield above + name, value


def _value(value: Any) -> Callable[[Mapping[str, Any]], Any]:
    if isinstance(value, str) and (whole := _PARAMETER.fullmatch(value)):
        return itemgetter(whole[1])
    if isinstance(value, str) and "{" in value:
        return _VARIABLE.sub(r"{0[\1]", value).format
    if isinstance(value, dict):
        return _choice(value["choose"], value["by"])
    return _choice(value, "number") if isinstance(value, list) else lambda _: value


def _choice(options: Sequence[Any], by: str) -> Callable[[Mapping[str, Any]], Any]:
    made = [_repeated(option) if isinstance(option, list) else _value(option) for option in options]
    return lambda variables: made[variables[by] % len(made)](variables)


def _repeated(items: Sequence[Any]) -> Callable[[Mapping[str, Any]], Any]:
    made = [_value(item) for item in items]
    return lambda variables: tuple(item(variables) for item in made)


@dataclass(frozen=True, slots=True)
class Kind:
    """What the rows of a resource, or the criteria of a kind, are like."""

    describe: Describe
    rows: Sequence[Describe] = ()
    """More attributes, for each number."""
    count: int = 2
    type: str = ""
    """The type of a criterion."""
    level: str = ""
    channels: Sequence[str] = ()
    criterion: str = ""
    parts: Mapping[str, Sequence[object]] | None = None
    joined: str = ""

    def attributes(self, variables: Mapping[str, Any]) -> Row:
        """Return the attributes of the row with these variables."""
        row = self.describe(variables)
        return {**row, **self.rows[variables["number"]](variables)} if self.rows else row


@cache
def kind_of(resource: str) -> Kind:
    """Return what the rows of a resource are like; paths begin with the resource."""
    return _kind(TABLES["resources"].get(resource, {}), f"{resource}.")


@cache
def criterion_kind(name: str) -> Kind:
    """Return what the criteria of a kind are like; paths are relative. Raises `KeyError`."""
    return _kind(TABLES["criteria"][name], "")


def _kind(table: Mapping[str, Any], prefix: str) -> Kind:
    plain = {name: value for name, value in table.items() if name not in ("attributes", "rows")}
    rows = [describer(row, prefix) for row in table.get("rows", ())]
    return Kind(describer(table.get("attributes", {}), prefix), rows, **plain)


def has_pattern(resource: str) -> bool:
    """Return whether the resource's names have a known pattern."""
    return resource in _PATTERNS


@cache
def parameters_of(resource: str) -> tuple[str, ...]:
    """Return the parameters of the pattern of a resource's names, with `customer_id`. Raises `KeyError`."""
    return tuple(_PARAMETER.findall(_PATTERNS[resource]))


def resource_name(resource: str, parts: Mapping[str, object]) -> str:
    """Return the resource name made of `parts`, such as `customers/1/adGroupAds/{ad_group_id}~{ad_id}`."""
    return _PATTERNS[resource].format_map(parts)
