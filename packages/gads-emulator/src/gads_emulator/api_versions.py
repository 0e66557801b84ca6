"""The API versions that the installed client carries, each imported only when somebody asks for it."""

from __future__ import annotations

import functools
import importlib
import pkgutil
import re
import threading
from dataclasses import dataclass
from typing import Any

_NAME = re.compile(r"v\d+")
_loaded: dict[str, ApiVersion] = {}
_loading = threading.Lock()


@dataclass(frozen=True, slots=True)
class ApiVersion:
    """The protobuf classes of one version; the fields hold classes, not instances."""

    name: str
    row: Any
    search_request: Any
    search_response: Any
    stream_request: Any
    stream_response: Any
    accessible_request: Any
    accessible_response: Any
    field_request: Any
    field_resource: Any
    fields_request: Any
    fields_response: Any
    failure: Any
    quota_details: Any

    @property
    def failure_key(self) -> str:
        """The key of the trailing metadata under which this version's client looks for the failure."""
        return f"google.ads.googleads.{self.name}.errors.googleadsfailure-bin"


@functools.cache
def installed_versions() -> tuple[str, ...]:
    """Return the names of the versions that can be served, oldest first; imports none of them."""
    found = [module.name for module in pkgutil.iter_modules(importlib.import_module("google.ads.googleads").__path__)]
    return tuple(sorted((name for name in found if _NAME.fullmatch(name)), key=lambda name: int(name[1:])))


def load_version(name: str) -> ApiVersion:
    """Import the classes of version `name` (about a second the first time).

    Raises `KeyError` when the installed client does not carry it.
    """
    known = _loaded.get(name)
    if known is not None:
        return known
    if name not in installed_versions():
        raise KeyError(name)
    with _loading:
        if name not in _loaded:
            _loaded[name] = _import(name)
    return _loaded[name]


@functools.cache
def error_codes(name: str) -> frozenset[str]:
    """Return every Google Ads error of version `name`, as `quota_error.RESOURCE_EXHAUSTED`; imports the version."""
    failure = load_version(name).failure.DESCRIPTOR
    groups = failure.fields_by_name["errors"].message_type.fields_by_name["error_code"].message_type.fields
    return frozenset(f"{group.name}.{code}" for group in groups for code in group.enum_type.values_by_name)


def _import(name: str) -> ApiVersion:
    base = f"google.ads.googleads.{name}"
    service = importlib.import_module(f"{base}.services.types.google_ads_service")
    customers = importlib.import_module(f"{base}.services.types.customer_service")
    fields = importlib.import_module(f"{base}.services.types.google_ads_field_service")
    field = importlib.import_module(f"{base}.resources.types.google_ads_field")
    errors = importlib.import_module(f"{base}.errors.types.errors")
    return ApiVersion(
        name=name,
        row=service.GoogleAdsRow.pb(),
        search_request=service.SearchGoogleAdsRequest.pb(),
        search_response=service.SearchGoogleAdsResponse.pb(),
        stream_request=service.SearchGoogleAdsStreamRequest.pb(),
        stream_response=service.SearchGoogleAdsStreamResponse.pb(),
        accessible_request=customers.ListAccessibleCustomersRequest.pb(),
        accessible_response=customers.ListAccessibleCustomersResponse.pb(),
        field_request=fields.GetGoogleAdsFieldRequest.pb(),
        field_resource=field.GoogleAdsField.pb(),
        fields_request=fields.SearchGoogleAdsFieldsRequest.pb(),
        fields_response=fields.SearchGoogleAdsFieldsResponse.pb(),
        failure=errors.GoogleAdsFailure.pb(),
        quota_details=errors.QuotaErrorDetails.pb(),
    )
