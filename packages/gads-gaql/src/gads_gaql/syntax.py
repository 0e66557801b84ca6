"""What a GAQL text says, as values: the parser makes them, the renderer writes them back. Imports are light.

Source: https://developers.google.com/google-ads/api/docs/query/grammar
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from types import MappingProxyType
from typing import Self, TypeAlias

COMPARISONS = frozenset({"=", "!=", ">", ">=", "<", "<="})
"""The operators that take one value of the field's own type."""

LIST_OPERATORS = frozenset({"IN", "NOT IN", "CONTAINS ANY", "CONTAINS ALL", "CONTAINS NONE"})
"""The operators whose value is a list, here a tuple of one or more texts."""

PATTERN_OPERATORS = frozenset({"LIKE", "NOT LIKE", "REGEXP_MATCH", "NOT REGEXP_MATCH"})
"""The operators that take a pattern: `%` and `_` for LIKE, RE2 for REGEXP_MATCH."""

NULL_OPERATORS = frozenset({"IS NULL", "IS NOT NULL"})
"""The operators without a value; their condition's value is None."""

OPERATORS = COMPARISONS | LIST_OPERATORS | PATTERN_OPERATORS | NULL_OPERATORS | {"DURING", "BETWEEN"}
"""Every operator of the grammar, as `Condition.operator` spells it."""

DATE_FUNCTIONS = frozenset(
    {
        "LAST_14_DAYS",
        "LAST_30_DAYS",
        "LAST_7_DAYS",
        "LAST_BUSINESS_WEEK",
        "LAST_MONTH",
        "LAST_WEEK_MON_SUN",
        "LAST_WEEK_SUN_SAT",
        "THIS_MONTH",
        "THIS_WEEK_MON_TODAY",
        "THIS_WEEK_SUN_TODAY",
        "TODAY",
        "YESTERDAY",
    }
)
"""What may follow DURING."""

CORE_DATE_SEGMENTS = frozenset(
    {"segments.date", "segments.week", "segments.month", "segments.quarter", "segments.year"}
)
"""The segments that may be filtered on without being selected, and that bound the days of a query.

Source: https://developers.google.com/google-ads/api/docs/reporting/segmentation
"""

PERIODS: Mapping[str, Callable[[date], date]] = MappingProxyType(
    {
        "segments.week": lambda day: day - timedelta(days=day.weekday()),
        "segments.month": lambda day: day.replace(day=1),
        "segments.quarter": lambda day: date(day.year, day.month - (day.month - 1) % 3, 1),
    }
)
"""For each segment that names a period, the first day of the period of a day. A filter takes no other day of it.

Source: https://developers.google.com/google-ads/api/docs/query/date-ranges ("Time periods")
"""


class Literal(str):
    """A value's text without its quotes; `quoted` says whether it had any.

    It is a `str` in every other way, equality and hash included: `Literal("5", quoted=True) == "5"`.
    """

    __slots__ = ("quoted",)
    quoted: bool

    def __new__(cls, text: str, quoted: bool = False) -> Self:
        """Keep `text`, and beside it how it was written."""
        made = super().__new__(cls, text)
        made.quoted = quoted
        return made

    def __getnewargs__(self) -> tuple[str, bool]:  # type: ignore[override]  # str promises its own arguments
        return str(self), self.quoted

    @property
    def text(self) -> str:
        """The text alone, as a plain `str`."""
        return str(self)


Value: TypeAlias = str | tuple[str, ...] | None
"""One text, several (lists; BETWEEN has exactly two) or None (IS NULL). The parser puts `Literal`s here."""


@dataclass(frozen=True, slots=True)
class FieldRef:
    """A field as the query names it. `line` and `column` count from 1; equality is on the name alone."""

    name: str
    line: int = field(default=0, compare=False)
    column: int = field(default=0, compare=False)

    def __str__(self) -> str:
        return self.name


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
    def at(cls, place: "FieldRef | Parameter", code: str, message: str, hint: str = "") -> Self:
        """A finding about what the query mentions at `place`."""
        return cls(place.line, place.column, code, message, hint)

    def __str__(self) -> str:
        where = f"line {self.line}, column {self.column}: " if self.line else ""
        return f"{where}{self.message}"


@dataclass(frozen=True, slots=True)
class Condition:
    """`field operator value` of a WHERE clause; the operator is one of `OPERATORS`."""

    field: FieldRef
    operator: str
    value: Value = None

    @property
    def values(self) -> tuple[str, ...]:
        """The condition's texts, none for IS NULL."""
        if self.value is None:
            return ()
        return (self.value,) if isinstance(self.value, str) else self.value


@dataclass(frozen=True, slots=True)
class Ordering:
    """One term of ORDER BY."""

    field: FieldRef
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Parameter:
    """One setting of PARAMETERS. `line` and `column` are those of its name, and no part of equality."""

    name: str
    value: str
    line: int = field(default=0, compare=False)
    column: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Query:
    """A whole query. `resource` is that of FROM; its `resource_line` and `resource_column` are no part of equality."""

    fields: tuple[FieldRef, ...]
    resource: str
    conditions: tuple[Condition, ...] = ()
    orderings: tuple[Ordering, ...] = ()
    limit: int | None = None
    parameters: tuple[Parameter, ...] = ()
    resource_line: int = field(default=0, compare=False)
    resource_column: int = field(default=0, compare=False)

    @property
    def resource_ref(self) -> FieldRef:
        """The resource with its place in the text."""
        return FieldRef(self.resource, self.resource_line, self.resource_column)

    @property
    def field_names(self) -> tuple[str, ...]:
        """The selected paths, in order."""
        return tuple(reference.name for reference in self.fields)

    def references(self) -> Iterator[FieldRef]:
        """Every mention of a field: SELECT, then WHERE, then ORDER BY."""
        yield from self.fields
        for condition in self.conditions:
            yield condition.field
        for ordering in self.orderings:
            yield ordering.field
