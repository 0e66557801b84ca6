"""Values as JSON has them, the same in every document, row and event."""

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from enum import Enum
from typing import Any

from gads_domain.clock import iso_utc
from gads_domain.partition_key import PartitionKey
from gads_domain.run import RunId

_AS_IT_IS = frozenset({str, int, float, bool, type(None)})


def plain(value: object) -> Any:
    """`value` as JSON has it: times, days, runs and enumerations as text, a dataclass as an object of its members.

    A partition key among the members of a dataclass gives its own four. Raises `TypeError` for any other value.
    """
    if type(value) in _AS_IT_IS:
        return value
    if isinstance(value, datetime):
        return iso_utc(value)
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, Enum | RunId):
        return value.value
    if isinstance(value, Mapping):
        return {name: plain(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [plain(member) for member in value]
    if not is_dataclass(value):
        raise TypeError(f"{value!r} has no form in JSON")
    document: dict[str, Any] = {}
    for name in (field.name for field in fields(value)):
        member = getattr(value, name)
        document |= plain(member) if isinstance(member, PartitionKey) else {name: plain(member)}
    return document


def members_of(value: object, names: Iterable[str]) -> dict[str, Any]:
    """The members `names` of `value`, in this order, each as JSON has it."""
    return {name: plain(getattr(value, name)) for name in names}
