"""The API over REST: JSON in camelCase, as the API itself writes it."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any
from urllib.parse import unquote

from google.protobuf import json_format

from gads_domain.package_data import tables_of
from gads_emulator.api import Selection, start_call
from gads_emulator.api_versions import METHODS, ApiVersion
from gads_emulator.failures import ApiFailureError, CutConnectionError

_TABLES = tables_of("gads_emulator", "api.toml")
_ROUTES = [(method, re.compile(r"/(v\d+)" + method.path)) for method in METHODS.values()]


@dataclass(frozen=True, slots=True)
class RestResponse:
    """Status, headers, and the body in parts."""

    status: int
    headers: Mapping[str, str]
    parts: Iterator[bytes]
    streams: bool = False


def respond(answer: Selection, verb: str, path: str, headers: Mapping[str, str], body: bytes) -> RestResponse | None:
    """Answer an HTTP request about the API; None for an unknown path. `headers` have lower-case keys.

    The parts raise `CutConnectionError` when the connection must break.
    """
    found = next(((m, match) for m, route in _ROUTES if m.verb == verb and (match := route.fullmatch(path))), None)
    if found is None:
        return None
    method, match = found
    bound = {key: unquote(value) for key, value in match.groupdict().items()}
    call, encoded = start_call(answer, match[1], method, headers, lambda kind: _read(kind, bound, body))

    def error_of(failure: ApiFailureError) -> dict[str, Any]:
        return error_body(failure, call.version, call.request_id)

    reply = {"content-type": "application/json; charset=UTF-8", "request-id": call.request_id}
    responses = _as_json(getattr(call.version, method.response), encoded)
    try:
        first = next(responses, None)
    except ApiFailureError as failure:
        error = error_of(failure)
        # A stream is a list, even if an error is all that is in it.
        return RestResponse(error["error"]["code"], reply, iter([_dump([error] if method.streams else error)]))
    if not method.streams:
        return RestResponse(200, reply, iter([_dump(first)]))
    return RestResponse(200, reply, _as_list(first, responses, error_of), streams=True)


def _as_json(response_class: Any, encoded: Iterator[bytes]) -> Iterator[dict[str, Any]]:
    try:
        for message in encoded:
            yield json_format.MessageToDict(response_class.FromString(message))
    except CutConnectionError as cut:
        if not cut.message:
            raise
        text = _dump(json_format.MessageToDict(response_class.FromString(cut.message)))
        raise CutConnectionError(text[: max(len(text) // 2, 1)]) from None


def error_body(failure: ApiFailureError, version: ApiVersion, request_id: str) -> dict[str, Any]:
    """Return the JSON of a failure, with its `GoogleAdsFailure` among the details."""
    status = failure.status_name
    error: dict[str, Any] = {
        "code": _TABLES["http_statuses"].get(status, 500),
        "message": _TABLES["http_messages"].get(status, failure.message) if failure.group else failure.message,
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
        document = json.loads(body or b"{}")
        if not isinstance(document, dict):
            raise ValueError("not an object")
        json_format.ParseDict(document, request)
    except (ValueError, RecursionError, json_format.ParseError) as error:
        raise ApiFailureError("", "", f"Invalid JSON payload received. {error}", "INVALID_ARGUMENT") from None
    for name, value in bound.items():
        setattr(request, name, value)
    return request


def _as_list(
    first: dict[str, Any] | None, others: Iterator[dict[str, Any]], error_of: Callable[[ApiFailureError], object]
) -> Iterator[bytes]:
    """Yield a JSON list as its elements come; an error that ends it is its last element."""
    separator = b"["
    try:
        for response in chain([] if first is None else [first], others):
            yield separator + _dump(response)
            separator = b",\r\n"
    except ApiFailureError as failure:
        yield separator + _dump(error_of(failure))
    except CutConnectionError as cut:
        raise CutConnectionError(separator + cut.message) from None
    yield b"]"


def _dump(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=2).encode()
