"""The body of an HTTP request, read within bounds: by its length, or in chunks (RFC 9112, sections 6 and 7)."""

import re
from collections.abc import Iterator
from email.message import Message
from io import BufferedIOBase

_LENGTH = re.compile(r"[0-9]{1,18}")
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,15}")
_MAX_LINE = 1024
_MAX_TRAILERS = 100


class MalformedRequestError(Exception):
    """A request that HTTP does not allow or that is too large; `code` is the status of its answer."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


def read_body(file: BufferedIOBase, headers: Message, most: int) -> bytes:
    """Read a body of at most `most` bytes. Raises `MalformedRequestError`."""
    if headers.defects:
        raise MalformedRequestError(400, "The headers are malformed.")
    lengths = {length.strip() for length in headers.get_all("content-length", ())}
    codings = headers.get_all("transfer-encoding", ())
    if codings:
        if lengths or [coding.strip().lower() for coding in codings] != ["chunked"]:
            raise MalformedRequestError(400, "The body has neither one length nor chunks.")
        return b"".join(_chunks(file, most))
    length = lengths.pop() if lengths else "0"
    if lengths or not _LENGTH.fullmatch(length):
        raise MalformedRequestError(400, "The content length is not a number.")
    return _exactly(file, int(length), most)


def _chunks(file: BufferedIOBase, most: int) -> Iterator[bytes]:
    while size := _chunk_size(file):
        chunk = _exactly(file, size, most)
        most -= size
        yield chunk
        if file.readline(3).strip():
            raise MalformedRequestError(400, "A chunk is longer than its size.")
    for _ in range(_MAX_TRAILERS):
        if not file.readline(_MAX_LINE).strip():
            return
    raise MalformedRequestError(431, "There are too many trailers.")


def _chunk_size(file: BufferedIOBase) -> int:
    size = file.readline(_MAX_LINE).partition(b";")[0].strip()
    if not _CHUNK_SIZE.fullmatch(size):
        raise MalformedRequestError(400, "The size of a chunk is not a number.")
    return int(size, 16)


def _exactly(file: BufferedIOBase, length: int, most: int) -> bytes:
    if length > most:
        raise MalformedRequestError(413, "The request is too large.")
    try:
        read = file.read(length)
    except TimeoutError:
        raise MalformedRequestError(408, "The request did not arrive in time.") from None
    if len(read) < length:
        raise MalformedRequestError(400, "The request ends early.")
    return read
