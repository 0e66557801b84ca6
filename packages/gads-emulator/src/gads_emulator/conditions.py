"""The conditions of WHERE as tests of one value, with the API's errors for invalid comparisons."""

import operator
import re
from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Any, TypeAlias

import re2

from gads_emulator.calendar_segments import during
from gads_emulator.failures import refusal
from gads_emulator.schema import Field
from gads_gaql.syntax import CORE_DATE_SEGMENTS, Condition

Test: TypeAlias = Callable[[Any], bool]

_COMPARE = {"=": operator.eq, ">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}
_NEGATIONS = {"!=": "=", "IS NOT NULL": "IS NULL", "CONTAINS NONE": "CONTAINS ANY"}


def compile_condition(field: Field, condition: Condition, today: date) -> Test:
    """Return a test of the field's value, in which None is an unset value.

    An unset value meets `IS NULL` and every negation, and nothing else. `=`, `IN`, `CONTAINS` and `REGEXP_MATCH` are
    case-sensitive, `LIKE` is not. Patterns meet a whole text, in a time that grows with its length alone. Raises
    `ApiFailureError` for a pattern that is not RE2 and a range that ends before it starts; that operator and values fit
    the field is checked before.
    Source: https://developers.google.com/google-ads/api/docs/query/case-sensitivity
    and https://developers.google.com/google-ads/api/docs/query/grammar (REGEXP_MATCH is RE2)
    """
    name = _NEGATIONS.get(condition.operator, condition.operator.removeprefix("NOT "))
    test = _test(field, condition, name, today)
    return test if name == condition.operator else lambda value: not test(value)


def _test(field: Field, condition: Condition, name: str, today: date) -> Test:
    values = condition.values
    if name == "IS NULL":
        return lambda value: value is None
    if name == "IN" or field.repeated:
        wanted = frozenset(_value(field, text) for text in values)
        if name == "CONTAINS ALL":
            return lambda value: wanted <= frozenset(value or ())
        if name == "CONTAINS ANY":
            return lambda value: not wanted.isdisjoint(value or ())
        return lambda value: value in wanted
    if name in ("LIKE", "REGEXP_MATCH"):
        pattern = _like(values[0]) if name == "LIKE" else _regexp(values[0])
        return lambda value: value is not None and pattern.fullmatch(value) is not None
    if name == "DURING":
        return _between(*(day.isoformat() for day in during(values[0], today)))
    operands = [_value(field, text) for text in values]
    if name == "BETWEEN":
        if field.path in CORE_DATE_SEGMENTS and operands[0] > operands[1]:
            raise refusal("DATE_RANGE_TOO_NARROW", low=operands[0], high=operands[1])
        return _between(operands[0], operands[1])
    operand, compare = operands[0], _COMPARE[name]
    return lambda value: value is not None and bool(compare(value, operand))


def _between(low: Any, high: Any) -> Test:
    # A date with a time is compared by its day, so that a range includes its last day.
    cut = 10 if isinstance(high, str) and len(high) == 10 else None
    return lambda value: value is not None and low <= (value[:cut] if cut else value) <= high


def date_bounds(
    conditions: Iterable[Condition], today: date, path: str = "segments.date"
) -> tuple[date | None, date | None]:
    """Return the first and last day of `path` that meet all conditions; None without a bound.

    Of a date with a time, only the day counts.
    """
    first: date | None = None
    last: date | None = None
    for condition in conditions:
        if condition.field.name != path:
            continue
        low, high = _day_bounds(condition, today)
        first = low if first is None else max(first, low or first)
        last = high if last is None else min(last, high or last)
    return first, last


def _day_bounds(condition: Condition, today: date) -> tuple[date | None, date | None]:
    name = condition.operator
    if name == "DURING":
        return during(str(condition.value), today)
    if name not in ("=", "IN", "BETWEEN", ">=", ">", "<=", "<"):
        return None, None
    days = [datetime.fromisoformat(text).date() for text in condition.values]
    if name == "IN":
        return min(days), max(days)
    if name in ("=", "BETWEEN"):
        return days[0], days[-1]
    day, step = days[0].toordinal(), len(name) % 2  # a step for > and <, none for >= and <=
    if name[0] == ">":
        return date.fromordinal(min(day + step, date.max.toordinal())), None
    return None, date.fromordinal(max(day - step, 1))


def _like(pattern: str) -> Any:
    """Compile a LIKE pattern: `%` is any text, `_` any character; brackets escape, as in `[%]`, `[_]` and `[[]`."""
    wild = {"%": ".*", "_": "."}
    tokens = re.findall(r"\[[%_\[\]]\]|.", pattern, re.DOTALL)
    text = "".join(wild.get(token) or re2.escape(token[1] if len(token) == 3 else token) for token in tokens)
    return _regexp(text, dot_nl=True, case_sensitive=False)


def _regexp(pattern: str, **options: bool) -> Any:
    settings = re2.Options()
    for name, value in {"log_errors": False, **options}.items():
        setattr(settings, name, value)
    try:
        return re2.compile(pattern, settings)
    except re2.error as error:
        # QueryError has no code of its own for patterns: BAD_VALUE is "Value is invalid".
        said = error.args[0].decode("utf-8", "replace")
        raise refusal("BAD_VALUE", pattern, message=f"Invalid regular expression: {said}") from None


def _value(field: Field, text: str) -> Any:
    """Read a literal as a value of the field's type."""
    match field.kind:
        case "int":
            return int(text)
        case "float":
            return float(text)
        case "bool":
            return text.upper() == "TRUE"
    if field.path in CORE_DATE_SEGMENTS:
        return date.fromisoformat(text).isoformat()
    # A plain str, since a Literal is a subclass.
    return str(text)
