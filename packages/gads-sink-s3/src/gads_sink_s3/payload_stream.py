"""A payload as a file: ranges of an object, fetched on demand and a little ahead."""

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

from gads_sink_s3.bucket import Piece

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

FIRST_FETCH = 1024 * 1024
"""Bytes fetched at the opening; a payload no longer than this costs one request."""

_LEAST_FETCH = 256 * 1024
_LARGEST_FETCH = 8 * 1024 * 1024

Fetch = Callable[[int, int], Piece]
"""Fetches, from a position, a number of bytes of the version that was opened; raises if that is not there."""


class PayloadStream(io.RawIOBase):
    """Readable and seekable. Reading in order doubles what is fetched ahead, up to 8 MiB; a jump begins small again."""

    def __init__(self, opening: Piece, fetch: Fetch) -> None:
        self._size = opening.size
        self._fetch = fetch
        self._start = 0
        self._window = memoryview(opening.data)
        self._ahead = FIRST_FETCH
        self._position = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """The position, in bytes from the start."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move, past the end too; fetches nothing."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._size}[whence]
        if origin + offset < 0:
            raise ValueError("negative seek position")
        self._position = origin + offset
        return self._position

    def readinto(self, buffer: "WriteableBuffer") -> int:
        """Fill `buffer` as far as what was fetched goes, after fetching if nothing was; 0 at the end."""
        target = memoryview(buffer).cast("B")
        wanted = min(target.nbytes, self._size - self._position)
        if wanted <= 0:
            return 0
        offset = self._position - self._start
        if not 0 <= offset < self._window.nbytes:
            self._move_window(wanted)
            offset = 0
        found = self._window[offset : offset + wanted]
        target[: found.nbytes] = found
        self._position += found.nbytes
        return found.nbytes

    def readall(self) -> bytes:
        """The rest, in few fetches."""
        rest = bytearray(max(0, self._size - self._position))
        view = memoryview(rest)
        while view:
            view = view[self.readinto(view) :]
        return bytes(rest)

    def _move_window(self, wanted: int) -> None:
        reads_on = self._position == self._start + self._window.nbytes
        self._ahead = min(_LARGEST_FETCH, self._ahead * 2) if reads_on else _LEAST_FETCH
        length = min(max(self._ahead, min(wanted, _LARGEST_FETCH)), self._size - self._position)
        self._window = memoryview(b"")
        self._window = memoryview(self._fetch(self._position, length).data)
        self._start = self._position
