"""What is wrong with a query, one finding at a time."""

from __future__ import annotations

from dataclasses import dataclass

from gads_gaql.syntax import FieldRef


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One finding. `line` and `column` count from 1 and are 0 where the query was not read from a text.

    `code` is stable and for programs: where the API refuses the same thing, it is the name of its `QueryError`,
    `ChangeEventError` or `ClickViewError` in lower case. The message is one line, `hint` says what to do.
    """

    line: int
    column: int
    code: str
    message: str
    hint: str = ""

    @classmethod
    def at(cls, field: FieldRef, code: str, message: str, hint: str = "") -> Problem:
        """A finding about a field, where the query mentions it."""
        return cls(field.line, field.column, code, message, hint)

    def __str__(self) -> str:
        where = f"line {self.line}, column {self.column}: " if self.line else ""
        return f"{where}{self.message}"
