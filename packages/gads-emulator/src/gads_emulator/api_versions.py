"""The API versions that can be served, each loaded when it is first used, and their methods."""

import functools
from dataclasses import dataclass
from typing import Any

from gads_domain.package_data import tables_of
from gads_gaql.catalogue import versions
from gads_gaql.descriptors import message_class

_TABLES = tables_of("gads_emulator", "api.toml")


@dataclass(frozen=True)
class ApiVersion:
    """The protobuf classes of one version, by the names that `api.toml` gives them."""

    name: str

    def __getattr__(self, field: str) -> Any:
        if field not in _TABLES["classes"]:
            raise AttributeError(field)
        return message_class(self.name, _TABLES["classes"][field])


@dataclass(frozen=True, slots=True)
class Method:
    """One method of the API; `request` and `response` name fields of `ApiVersion`."""

    service: str
    name: str
    request: str
    response: str
    verb: str
    path: str
    """The path of REST after the version, as a regular expression that binds fields of the request."""
    streams: bool = False


METHODS = {table["name"]: Method(**table) for table in _TABLES["methods"]}
"""The methods that the emulator serves, by name; no two services have one of the same name."""


@functools.cache
def load_version(name: str) -> ApiVersion:
    """Return version `name`. Raises `KeyError` for one that is not packaged."""
    if name not in versions():
        raise KeyError(name)
    return ApiVersion(name)


@functools.cache
def error_codes(name: str) -> frozenset[str]:
    """Return every Google Ads error of version `name`, as `quota_error.RESOURCE_EXHAUSTED`."""
    failure = load_version(name).failure.DESCRIPTOR
    groups = failure.fields_by_name["errors"].message_type.fields_by_name["error_code"].message_type.fields
    return frozenset(f"{group.name}.{code}" for group in groups for code in group.enum_type.values_by_name)
