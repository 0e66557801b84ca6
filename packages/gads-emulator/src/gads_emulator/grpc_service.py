"""The API over gRPC: method names in, raw bytes out, failures in the trailing metadata."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NoReturn

import grpc
from google.protobuf import descriptor_pb2
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.status_pb2 import Status

from gads_domain.errors import GadsError
from gads_emulator.api import Call, Selection, read_request, unsupported_version
from gads_emulator.api_versions import ApiVersion, installed_versions, load_version
from gads_emulator.connections import sever_soon
from gads_emulator.failures import ApiFailureError, CutConnectionError
from gads_emulator.methods import METHODS, Method

_METHOD = re.compile(r"/google\.ads\.googleads\.(v\d+)\.services\.(\w+)/(\w+)")

_FILLER_BYTES = 48 * 1024 * 1024
"""More than a connection takes in before it is cut, and less than the 64 MB that the official client accepts."""

_log = logging.getLogger(__name__)


class GoogleAdsHandler(grpc.GenericRpcHandler):
    """Serves every version that the installed client carries, importing one when it is first asked for."""

    def __init__(self, answer: Selection) -> None:
        self._answer = answer

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes] | None:
        """Find the handler of a method; None (UNIMPLEMENTED) for what the emulator does not do."""
        found = _METHOD.fullmatch(details.method)
        method = METHODS.get(found[3]) if found is not None else None
        if found is None or method is None or method.service != found[2]:
            return None
        name = found[1]

        def stream(body: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
            return self._respond(name, method, body, context)

        def single(body: bytes, context: grpc.ServicerContext) -> bytes:
            return next(self._respond(name, method, body, context))

        if method.streams:
            return grpc.unary_stream_rpc_method_handler(stream)
        return grpc.unary_unary_rpc_method_handler(single)

    def _respond(self, name: str, method: Method, body: bytes, context: grpc.ServicerContext) -> Iterator[bytes]:
        if name not in installed_versions():
            # The newest version's failure is read by older clients just as well.
            call = Call(load_version(installed_versions()[-1]), method.name, None, {})
            _fail(context, call.version, name, call.request_id, unsupported_version(name))
        version = load_version(name)
        metadata = {key: str(value) for key, value in context.invocation_metadata()}
        call = Call(version, method.name, None, metadata)
        context.set_trailing_metadata((("request-id", call.request_id),))
        try:
            message = read_request(method.request_class(version), body)
            yield from self._answer(Call(version, method.name, message, metadata, call.request_id))
        except CutConnectionError as cut:
            # As a message too large to have arrived when the connection goes: its end is never seen.
            sever_soon(context.peer())
            yield cut.message + _filler()
            context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
        except ApiFailureError as failure:
            _fail(context, version, name, call.request_id, failure)
        except GadsError as error:
            _log.error("%s", error)
            _fail(context, version, name, call.request_id, _internal(error.message))
        except Exception:
            _log.exception("%s failed", method.name)
            internal = _internal("An internal error has occurred.")
            _fail(context, version, name, call.request_id, internal)


@cache
def _filler() -> bytes:
    """A field that no message of the API has."""
    field = descriptor_pb2.UninterpretedOption(string_value=bytes(_FILLER_BYTES)).SerializeToString()
    return b"\x7a" + field[1:]  # the tag of field 15 in place of field 7's


def _internal(message: str) -> ApiFailureError:
    return ApiFailureError("internal_error", "INTERNAL_ERROR", message)


def _fail(
    context: grpc.ServicerContext, version: ApiVersion, name: str, request_id: str, failure: ApiFailureError
) -> NoReturn:
    """End the call with the failure where the client looks for it, and as rich status for everyone else."""
    status = grpc.StatusCode[failure.status_name]
    trailing: list[tuple[str, Any]] = [("request-id", request_id)]
    message = failure.message
    if failure.group:
        body = failure.to_message(version, request_id)
        packed = AnyMessage()
        packed.Pack(body)
        rich = Status(code=status.value[0], message=message, details=[packed])
        key = version.failure_key.replace(version.name, name)
        trailing += [(key, body.SerializeToString()), ("grpc-status-details-bin", rich.SerializeToString())]
    context.set_trailing_metadata(tuple(trailing))
    context.abort(status, message)
    raise AssertionError("abort always raises")
