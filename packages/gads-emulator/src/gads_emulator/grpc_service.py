"""The API over gRPC, with failures in the trailing metadata."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NoReturn

import grpc
from google.protobuf import descriptor_pb2
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status

from gads_emulator.api import Call, Selection, start_call
from gads_emulator.api_versions import METHODS, Method
from gads_emulator.connections import sever_soon
from gads_emulator.failures import ApiFailureError, CutConnectionError

_METHOD = re.compile(r"/google\.ads\.googleads\.(v\d+)\.services\.(\w+)/(\w+)")

_FILLER_BYTES = 48 * 1024 * 1024
"""More than a connection transmits before it breaks, and less than the 64 MB that the official client accepts."""


class GoogleAdsHandler(grpc.GenericRpcHandler):
    """Serves every version that the installed client has, each imported when it is first used."""

    def __init__(self, answer: Selection) -> None:
        self._answer = answer

    def service(self, details: grpc.HandlerCallDetails) -> "grpc.RpcMethodHandler[bytes, bytes] | None":
        """Return the handler of a method; None (UNIMPLEMENTED) for a method that the emulator does not serve."""
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
        def read(request_class: Any) -> Any:
            try:
                return request_class.FromString(body)
            except DecodeError:
                raise ApiFailureError("", "", "The request could not be read.", "INTERNAL") from None

        metadata = {key: str(value) for key, value in context.invocation_metadata()}
        call, responses = start_call(self._answer, name, method, metadata, read)
        context.set_trailing_metadata((("request-id", call.request_id),))
        try:
            yield from responses
        except CutConnectionError as cut:
            # As a message too large to have arrived when the connection breaks: the client never sees its end.
            sever_soon(context.peer())
            yield cut.message + _filler()
            context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")
        except ApiFailureError as failure:
            _fail(context, call, name, failure)


@cache
def _filler() -> bytes:
    """Return an encoded field that no message of the API has."""
    field = descriptor_pb2.UninterpretedOption(string_value=bytes(_FILLER_BYTES)).SerializeToString()
    return b"\x7a" + field[1:]  # the tag of field 15 in place of field 7's


def _fail(context: grpc.ServicerContext, call: Call, name: str, failure: ApiFailureError) -> NoReturn:
    """End the call with the failure under the key of version `name`, and as rich status for other clients."""
    status = grpc.StatusCode[failure.status_name]
    trailing: list[tuple[str, Any]] = [("request-id", call.request_id)]
    if failure.group:
        body = failure.to_message(call.version, call.request_id)
        packed = AnyMessage()
        packed.Pack(body)
        rich = Status(code=status.value[0], message=failure.message, details=[packed])
        key = f"google.ads.googleads.{name}.errors.googleadsfailure-bin"
        trailing += [(key, body.SerializeToString()), ("grpc-status-details-bin", rich.SerializeToString())]
    context.set_trailing_metadata(tuple(trailing))
    context.abort(status, failure.message)
    raise AssertionError("abort always raises")
