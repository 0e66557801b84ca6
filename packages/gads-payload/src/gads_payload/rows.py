"""The rows of a payload and what is asked of them, answered in the way that is cheaper for so many rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from gads_payload.content import content_sha256
from gads_payload.grain import duplicates
from gads_payload.small_table import FewRows


class Rows:
    """A `table` that was read: a few rows are looked at by Python, many by Arrow; both find the same."""

    __slots__ = ("_few", "table")

    def __init__(self, table: pa.Table) -> None:
        self.table = table
        self._few = FewRows.of(table)

    def few_values(self, name: str) -> list[Any] | None:
        """The values of a column if the rows are few; None if they are left to Arrow."""
        return None if self._few is None else self._few.values(name)

    def duplicates(self, grain: Sequence[str]) -> int:
        """How many rows repeat the grain of a row before them; see `grain.duplicates`."""
        return duplicates(self.table, grain) if self._few is None else self._few.duplicates(grain)

    def content_sha256(self) -> str:
        """The sum of the rows regardless of their order; see `content.content_sha256`."""
        return content_sha256(self.table) if self._few is None else self._few.content_sha256()
