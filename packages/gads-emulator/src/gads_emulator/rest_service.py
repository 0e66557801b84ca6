"""The API over REST: JSON in camelCase, as the API's own REST transcoding writes it.

Source: https://developers.google.com/google-ads/api/rest/overview
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from google.protobuf import json_format

from gads_domain.errors import GadsError
from gads_emulator.api import Call, Selection, unsupported_version
from gads_emulator.api_versions import ApiVersion, installed_versions, load_version
from gads_emulator.failures import ApiFailureError, CutConnectionError
from gads_emulator.methods import METHODS, Method

_ROUTES: tuple[tuple[str, re.Pattern[str], str], ...] = (
    ("POST", re.compile(r"/(v\d+)/customers/(?P<customer_id>[^/:]+)/googleAds:searchStream"), "SearchStream"),
    ("POST", re.compile(r"/(v\d+)/customers/(?P<customer_id>[^/:]+)/googleAds:search"), "Search"),
    ("GET", re.compile(r"/(v\d+)/customers:listAccessibleCustomers"), "ListAccessibleCustomers"),
    ("POST", re.compile(r"/(v\d+)/googleAdsFields:search"), "SearchGoogleAdsFields"),
    ("GET", re.compile(r"/(v\d+)/(?P<resource_name>googleAdsFields/[^/:]+)"), "GetGoogleAdsField"),
)
_HTTP_STATUS = {
    "CANCELLED": 499,
    "UNKNOWN": 500,
    "INVALID_ARGUMENT": 400,
    "DEADLINE_EXCEEDED": 504,
    "NOT_FOUND": 404,
    "ALREADY_EXISTS": 409,
    "PERMISSION_DENIED": 403,
    "UNAUTHENTICATED": 401,
    "RESOURCE_EXHAUSTED": 429,
    "FAILED_PRECONDITION": 400,
    "ABORTED": 409,
    "OUT_OF_RANGE": 400,
    "UNIMPLEMENTED": 501,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DATA_LOSS": 500,
}
_MESSAGES = {
    "INVALID_ARGUMENT": "Request contains an invalid argument.",
    "UNAUTHENTICATED": "Request is missing required authentication credential. Expected OAuth 2 access token, login "
    "cookie or other valid authentication credential.",
    "PERMISSION_DENIED": "The caller does not have permission",
    "RESOURCE_EXHAUSTED": "Resource has been exhausted (e.g. check quota).",
    "INTERNAL": "Internal error encountered.",
    "UNAVAILABLE": "The service is currently unavailable.",
    "DEADLINE_EXCEEDED": "The request's deadline has expired.",
}

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RestResponse:
    """Status, headers, and the body in parts, of which the first is there at once."""

    status: int
    headers: Mapping[str, str]
    parts: Iterator[bytes]
    streams: bool = False


class RestService:
    """Answers HTTP requests about the API. Safe for use by many threads."""

    def __init__(self, answer: Selection) -> None:
        self._answer = answer

    def respond(self, verb: str, path: str, headers: Mapping[str, str], body: bytes) -> RestResponse | None:
        """Answer a request; None when it is not about the API. `headers` have lower-case keys.

        The parts raise `CutConnectionError` when the connection is to break.
        """
        for wanted, pattern, name in _ROUTES:
            found = pattern.fullmatch(path)
            if found is not None and verb == wanted:
                bound = {key: unquote(value) for key, value in found.groupdict().items()}
                return self._call(METHODS[name], found[1], bound, headers, body)
        return None

    def _call(
        self, method: Method, name: str, bound: Mapping[str, str], headers: Mapping[str, str], body: bytes
    ) -> RestResponse:
        # The refusal of a version that is gone has the newest one's form.
        refusal = None if name in installed_versions() else unsupported_version(name)
        version = load_version(name if refusal is None else installed_versions()[-1])
        call = Call(version, method.name, None, headers)
        reply = {"content-type": "application/json; charset=UTF-8", "request-id": call.request_id}
        responses = self._responses(method, version, call, bound, body, refusal)
        try:
            first = next(responses, None)
        except _FailedError as failed:
            error = failed.error
            # A stream is a list, also of its one error.
            return RestResponse(error["error"]["code"], reply, iter([_dump([error] if method.streams else error)]))
        if not method.streams:
            return RestResponse(200, reply, iter([_dump(first)]))
        return RestResponse(200, reply, _as_list(first, responses), streams=True)

    def _responses(
        self,
        method: Method,
        version: ApiVersion,
        call: Call,
        bound: Mapping[str, str],
        body: bytes,
        refusal: ApiFailureError | None,
    ) -> Iterator[dict[str, Any]]:
        response_class = method.response_class(version)
        try:
            if refusal is not None:
                raise refusal
            request = _read(method.request_class(version), bound, body)
            for encoded in self._answer(Call(version, method.name, request, call.metadata, call.request_id)):
                yield json_format.MessageToDict(response_class.FromString(encoded))
        except ApiFailureError as failure:
            raise _FailedError(error_body(failure, version, call.request_id)) from None
        except CutConnectionError as cut:
            if not cut.message:
                raise
            said = _dump(json_format.MessageToDict(response_class.FromString(cut.message)))
            raise CutConnectionError(said[: max(len(said) // 2, 1)]) from None
        except GadsError as error:
            _log.error("%s", error)
            internal = ApiFailureError("internal_error", "INTERNAL_ERROR", error.message)
            raise _FailedError(error_body(internal, version, call.request_id)) from None
        except Exception:
            _log.exception("%s failed", method.name)
            internal = ApiFailureError("internal_error", "INTERNAL_ERROR", "An internal error has occurred.")
            raise _FailedError(error_body(internal, version, call.request_id)) from None


class _FailedError(Exception):
    """An answer that ended in an error, as the body of one."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__()
        self.error = error


def error_body(failure: ApiFailureError, version: ApiVersion, request_id: str) -> dict[str, Any]:
    """Return the JSON of a refusal, with its `GoogleAdsFailure` among the details."""
    status = failure.status_name
    error: dict[str, Any] = {
        "code": _HTTP_STATUS.get(status, 500),
        "message": _MESSAGES.get(status, failure.message) if failure.group else failure.message,
        "status": status,
    }
    if failure.group:
        details = json_format.MessageToDict(failure.to_message(version, request_id))
        kind = f"type.googleapis.com/google.ads.googleads.{version.name}.errors.GoogleAdsFailure"
        error["details"] = [{"@type": kind, **details}]
    return {"error": error}


def _read(request_class: Any, bound: Mapping[str, str], body: bytes) -> Any:
    request = request_class()
    try:
        said = json.loads(body or b"{}")
        if not isinstance(said, dict):
            raise ValueError("not an object")
        json_format.ParseDict(said, request)
    except (ValueError, json_format.ParseError) as error:
        raise ApiFailureError("", "", f"Invalid JSON payload received. {error}", "INVALID_ARGUMENT") from None
    for name, value in bound.items():
        setattr(request, name, value)
    return request


def _as_list(first: dict[str, Any] | None, others: Iterator[dict[str, Any]]) -> Iterator[bytes]:
    """A JSON list that is written as it comes; an error in the middle is its last element."""
    separator = b"["
    if first is not None:
        yield separator + _dump(first)
        separator = b",\r\n"
    try:
        for response in others:
            yield separator + _dump(response)
            separator = b",\r\n"
    except _FailedError as failed:
        yield separator + _dump(failed.error)
    except CutConnectionError as cut:
        raise CutConnectionError(separator + cut.message) from None
    yield b"]"


def _dump(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=2).encode()
