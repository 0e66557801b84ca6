"""The methods of the API that the emulator has, whatever carries them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gads_emulator.api_versions import ApiVersion


@dataclass(frozen=True, slots=True)
class Method:
    """One method; `request` and `response` are names of fields of `ApiVersion`."""

    service: str
    name: str
    request: str
    response: str
    streams: bool = False

    def request_class(self, version: ApiVersion) -> Any:
        """The request's message class in a version."""
        return getattr(version, self.request)

    def response_class(self, version: ApiVersion) -> Any:
        """The class of the response, or of each message of a stream, in a version."""
        return getattr(version, self.response)


METHODS: Mapping[str, Method] = {
    method.name: method
    for method in (
        Method("GoogleAdsService", "SearchStream", "stream_request", "stream_response", streams=True),
        Method("GoogleAdsService", "Search", "search_request", "search_response"),
        Method("CustomerService", "ListAccessibleCustomers", "accessible_request", "accessible_response"),
        Method("GoogleAdsFieldService", "GetGoogleAdsField", "field_request", "field_resource"),
        Method("GoogleAdsFieldService", "SearchGoogleAdsFields", "fields_request", "fields_response"),
    )
}
"""By name; no two services share one."""
