"""Stdout and stderr that may be closed, full, without a reader, or of a narrow encoding: work goes on without them."""

import io
import os
import sys
from typing import Any, TextIO


class UndeliveredError(Exception):
    """Stdout did not take all of the output, for the `OSError` that is its cause."""


class _Stdout(io.FileIO):
    """Raises `UndeliveredError` once; what comes after it is dropped."""

    has_failed = False

    def write(self, data: Any, /) -> int:
        if not self.has_failed:
            try:
                return super().write(data)
            except OSError as error:
                self.has_failed = True
                raise UndeliveredError(error.strerror) from error
        return memoryview(data).nbytes


class _Stderr(io.FileIO):
    """Drops what cannot be written."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def open_standard_streams() -> None:
    """Replace the interpreter's stdout and stderr, unless a program has replaced them already.

    In a pipe or file stdout is UTF-8, whatever the locale says; a terminal gets what its encoding lacks as `\\u2026`.
    """
    if sys.stdout is sys.__stdout__:
        raw = _Stdout(_number_of(sys.stdout, 1, os.O_RDONLY), "w", closefd=False)
        sys.stdout = _text(raw, sys.stdout.encoding if sys.stdout and raw.isatty() else "utf-8")
    if sys.stderr is sys.__stderr__:
        error = _Stderr(_number_of(sys.stderr, 2, os.O_WRONLY), "w", closefd=False)
        sys.stderr = _text(error, sys.stderr.encoding if sys.stderr else "utf-8", flushes_lines=True)


def _text(raw: io.FileIO, encoding: str, *, flushes_lines: bool = False) -> TextIO:
    lines = flushes_lines or raw.isatty()
    return io.TextIOWrapper(io.BufferedWriter(raw), encoding, "backslashreplace", line_buffering=lines)


def _number_of(stream: TextIO | None, number: int, flags: int) -> int:
    """The stream's descriptor; of one that was closed, its number is taken, so that no ledger gets what is written."""
    if stream is not None:
        return stream.fileno()
    taken = os.open(os.devnull, flags)
    if taken <= number:
        os.set_inheritable(taken, True)
    return taken
