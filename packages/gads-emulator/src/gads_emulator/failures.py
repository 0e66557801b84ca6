"""Failures of the API, independent of the transport that sends them."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from gads_domain.package_data import tables_of
from gads_emulator.api_versions import ApiVersion

_TABLES = tables_of("gads_emulator", "api.toml")
_GROUPS = {code: (group, text) for group, codes in _TABLES["refusals"].items() for code, text in codes.items()}


@dataclass(eq=False)
class ApiFailureError(Exception):
    """One `GoogleAdsError` with its gRPC status.

    `group` is the field of `ErrorCode` (`query_error`) and `code` the name in that enum (`UNRECOGNIZED_FIELD`).
    `status` is a gRPC status name; empty for the usual one of the group. `retry_delay` adds `QuotaErrorDetails` with
    `rate_scope` and `rate_name`. An empty `group` is a failure of the transport, without a `GoogleAdsFailure`.
    """

    group: str
    code: str
    message: str
    status: str = ""
    trigger: str = ""
    retry_delay: timedelta | None = None
    rate_scope: str = "DEVELOPER"
    rate_name: str = "Number of operations"

    @property
    def status_name(self) -> str:
        """The gRPC status, such as `INVALID_ARGUMENT`."""
        return self.status or _TABLES["group_statuses"].get(self.group, "INVALID_ARGUMENT")

    def to_message(self, version: ApiVersion, request_id: str) -> Any:
        """Build the `GoogleAdsFailure` of `version`; a code that version lacks becomes its group's UNKNOWN."""
        failure = version.failure(request_id=request_id)
        error = failure.errors.add(message=self.message)
        field = type(error.error_code).DESCRIPTOR.fields_by_name.get(self.group)
        if field is not None:
            known = field.enum_type.values_by_name.get(self.code)
            setattr(error.error_code, self.group, known.number if known is not None else 1)
        if self.trigger:
            error.trigger.string_value = self.trigger
        if self.retry_delay is not None:
            quota = error.details.quota_error_details
            quota.rate_name = self.rate_name
            scopes = version.quota_details.DESCRIPTOR.fields_by_name["rate_scope"].enum_type
            quota.rate_scope = scopes.values_by_name[self.rate_scope].number
            quota.retry_delay.FromTimedelta(self.retry_delay)
        return failure


@dataclass(eq=False)
class CutConnectionError(Exception):
    """The connection must break in the middle of `message`, so that the client never sees its end."""

    message: bytes


def refusal(code: str, trigger: str = "", **details: object) -> ApiFailureError:
    """Return the refusal with a code of `api.toml`, whose message the trigger and `details` complete."""
    group, text = _GROUPS[code]
    return ApiFailureError(group, code, text.format(trigger=trigger, **details), trigger=trigger)
