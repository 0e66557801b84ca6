"""Resource names by pattern, such as `customers/{customer_id}/adGroupAds/{ad_group_id}~{ad_id}`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources

_PARAMETER = re.compile(r"\{(\w+)\}")
_PATTERNS: Mapping[str, str] = json.loads((resources.files(__package__) / "resource_names.json").read_text("utf-8"))


def has_pattern(resource: str) -> bool:
    """Return whether the resource has a known pattern."""
    return resource in _PATTERNS


@cache
def parameters_of(resource: str) -> tuple[str, ...]:
    """Return the parameters of a resource's pattern, with `customer_id`. Raises `KeyError`."""
    return tuple(_PARAMETER.findall(_PATTERNS[resource]))


def resource_name(resource: str, parts: Mapping[str, object]) -> str:
    """Return the resource name made of `parts`."""
    return _PATTERNS[resource].format_map(parts)
