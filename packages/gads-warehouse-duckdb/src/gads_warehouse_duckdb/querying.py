"""A question to the tables, without the right to change them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from gads_domain.errors import UsageError
from gads_domain.local_path import path_of
from gads_warehouse_duckdb.database_file import DatabaseFile


@dataclass(frozen=True, slots=True)
class Selection:
    """The columns of an answer and its rows."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]


def ask(url: str, base: Path, query: str) -> Selection:
    """The answer of the warehouse at `url` to one SQL query.

    Raises `UsageError` if there is no such file or the query cannot be meant, `HeldElsewhereError` if another process
    is loading it.
    """
    file = DatabaseFile(path_of(url, base))
    if not file.exists:
        raise UsageError(f"there is no warehouse {file.path}", hint="gads-etl warehouse load makes one")
    with file.reading() as connection:
        try:
            found = connection.execute(query)
        except duckdb.ProgrammingError as error:
            raise UsageError(f"the warehouse cannot answer: {str(error).splitlines()[0]}") from error
        return Selection(tuple(column[0] for column in found.description), tuple(found.fetchall()))
