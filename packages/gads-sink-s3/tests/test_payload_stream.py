from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gads_sink_s3 import payload_stream
from gads_sink_s3.bucket import Piece
from gads_sink_s3.payload_stream import FIRST_FETCH, PayloadStream

MEBIBYTE = 1024 * 1024


class Served:
    def __init__(self, data: bytes) -> None:
        self.data = data
        self.asked: list[tuple[int, int]] = []

    def fetch(self, start: int, length: int) -> Piece:
        assert 0 < length <= len(self.data) - start
        self.asked.append((start, length))
        return Piece(self.data[start : start + length], len(self.data), "tag")

    def open(self, first: int = FIRST_FETCH) -> io.BufferedReader:
        return io.BufferedReader(PayloadStream(Piece(self.data[:first], len(self.data), "tag"), self.fetch))


STEPS = st.one_of(
    st.tuples(st.just("read"), st.integers(-1, 3000)),
    st.tuples(st.just("seek"), st.integers(0, 12_000)),
    st.tuples(st.just("back"), st.integers(-12_000, 0)),
)


@given(data=st.binary(max_size=50).map(lambda piece: piece * 200), steps=st.lists(STEPS, max_size=30))
def test_reads_as_the_bytes_do(data: bytes, steps: list[tuple[str, int]]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(payload_stream, "_LEAST_FETCH", 100)
        patch.setattr(payload_stream, "_LARGEST_FETCH", 700)
        patch.setattr(payload_stream, "FIRST_FETCH", 150)
        stream, model = Served(data).open(first=150), io.BytesIO(data)
        for step, number in steps:
            if step == "read":
                assert stream.read(number) == model.read(number)
            elif step == "seek":
                assert stream.seek(number) == model.seek(number)
            else:
                whence = (max(number, -len(data)), 2)
                assert stream.seek(*whence) == model.seek(*whence)
            assert stream.tell() == model.tell()


def test_a_small_payload_costs_the_opening_alone() -> None:
    served = Served(bytes(FIRST_FETCH))
    assert served.open().read() == served.data
    assert served.asked == []


def test_reading_on_fetches_more_at_once_and_a_jump_less() -> None:
    served = Served(bytes(30 * MEBIBYTE))
    stream = served.open()
    while stream.read(64 * 1024):
        pass
    assert [length // MEBIBYTE for _, length in served.asked] == [2, 4, 8, 8, 7]
    served.asked.clear()
    stream.seek(5 * MEBIBYTE)
    stream.read(10)
    assert served.asked == [(5 * MEBIBYTE, 256 * 1024)]


def test_before_the_start_there_is_nothing() -> None:
    with pytest.raises(ValueError, match="negative"):
        Served(b"abc").open().seek(-4, 2)
