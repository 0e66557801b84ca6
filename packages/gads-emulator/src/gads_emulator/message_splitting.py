"""Encoded search responses cut at rows, without decoding the rows."""

from __future__ import annotations

from collections.abc import Iterator

_RESULTS = 1
_LENGTH_DELIMITED = 2


def split_rows(message: bytes) -> tuple[list[bytes], bytes]:
    """Return the encoded rows of a search response, each with its tag, and what is left of the response."""
    rows: list[bytes] = []
    rest: list[bytes] = []
    position = 0
    while position < len(message):
        start = position
        tag, position = _varint(message, position)
        if tag & 7 == _LENGTH_DELIMITED:
            length, position = _varint(message, position)
            position += length
        else:  # the other fields of a response are varints
            _, position = _varint(message, position)
        (rows if tag >> 3 == _RESULTS else rest).append(message[start:position])
    return rows, b"".join(rest)


def first_rows(message: bytes, count: int) -> bytes:
    """Return the response with only its first `count` rows."""
    rows, rest = split_rows(message)
    return b"".join(rows[:count]) + rest


def in_pieces(message: bytes, size: int) -> Iterator[bytes]:
    """Yield the response as responses of `size` rows; at least one."""
    rows, rest = split_rows(message)
    for start in range(0, max(len(rows), 1), size):
        yield b"".join(rows[start : start + size]) + rest


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[position]
        position += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, position
        shift += 7
