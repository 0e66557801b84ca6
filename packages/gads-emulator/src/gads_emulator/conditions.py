"""The conditions of WHERE as tests of one value, with the API's errors for invalid comparisons."""

import operator
import re
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from typing import Any, TypeAlias

import re2

from gads_emulator.calendar_segments import during
from gads_emulator.failures import refusal
from gads_emulator.schema import Field
from gads_gaql.syntax import PERIODS, Condition

Test: TypeAlias = Callable[[Any], bool]

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}
_DATES = frozenset({"segments.date", "segments.week", "segments.month", "segments.quarter"})
_NEGATIONS = {
    "!=": "=",
    "IS NOT NULL": "IS NULL",
    "NOT IN": "IN",
    "NOT LIKE": "LIKE",
    "NOT REGEXP_MATCH": "REGEXP_MATCH",
    "CONTAINS NONE": "CONTAINS ANY",
}


def compile_condition(field: Field, condition: Condition, today: date) -> Test:
    """Return a test of the field's value, in which None is an unset value.

    An unset value meets `IS NULL` and every negation, and nothing else. `=`, `IN`, `CONTAINS` and `REGEXP_MATCH` are
    case-sensitive, `LIKE` is not. Patterns meet a whole text, in a time that grows with its length alone. Raises
    `ApiFailureError` for what the API refuses.
    Source: https://developers.google.com/google-ads/api/docs/query/case-sensitivity
    and https://developers.google.com/google-ads/api/docs/query/grammar (REGEXP_MATCH is RE2)
    """
    if field.kind == "message":
        raise refusal("PROHIBITED_FIELD_IN_WHERE_CLAUSE", field.path)
    negated = _NEGATIONS.get(condition.operator)
    test = _test(field, condition, negated or condition.operator, today)
    return (lambda value: not test(value)) if negated else test


def _test(field: Field, condition: Condition, name: str, today: date) -> Test:
    values = condition.values
    mismatch = refusal("OPERATOR_FIELD_MISMATCH", field.path, operator=condition.operator)
    if name == "IS NULL":
        return lambda value: value is None
    if name.startswith("CONTAINS") != field.repeated:
        raise mismatch
    if name == "IN" or field.repeated:
        wanted = frozenset(_value(field, text) for text in values)
        if name == "CONTAINS ALL":
            return lambda value: wanted <= frozenset(value or ())
        if name == "CONTAINS ANY":
            return lambda value: not wanted.isdisjoint(value or ())
        return lambda value: value in wanted
    if name in ("LIKE", "REGEXP_MATCH"):
        pattern = _like(values[0]) if name == "LIKE" else _regexp(values[0])
        if field.kind != "str":
            raise mismatch
        return lambda value: value is not None and pattern.fullmatch(value) is not None
    if name == "DURING":
        days = during(values[0], today)
        if days is None:
            raise refusal("INVALID_VALUE_WITH_DURING_OPERATOR", values[0])
        # Metrics by conversion date have names that end like a date's, but are numbers.
        if field.path not in _DATES and not (field.kind == "str" and field.path.endswith(("date", "date_time"))):
            raise mismatch
        return _between(days[0].isoformat(), days[1].isoformat())
    ordered = field.kind in ("int", "float", "str")
    if name == "BETWEEN" and not ordered:
        raise mismatch
    operands = [_value(field, text) for text in values]
    if name == "BETWEEN":
        if field.path in _DATES and operands[0] > operands[1]:
            raise refusal("DATE_RANGE_TOO_NARROW", low=operands[0], high=operands[1])
        return _between(operands[0], operands[1])
    if name != "=" and not ordered:
        raise mismatch
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


def read_date(text: str) -> date:
    """Read `2024-06-01` or `20240601`; raises `ApiFailureError` (INVALID_DATE_FORMAT) for anything else."""
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d|\d{8}", text):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise refusal("INVALID_DATE_FORMAT", text)


def _day_bounds(condition: Condition, today: date) -> tuple[date | None, date | None]:
    name, one = condition.operator, timedelta(days=1)
    if name == "DURING":
        return during(str(condition.value), today) or (None, None)
    if name not in ("=", "IN", "BETWEEN", ">=", ">", "<=", "<"):
        return None, None
    days = [read_date(text[:10] if " " in text else text) for text in condition.values]
    match name:
        case "=" | "IN":
            return min(days), max(days)
        case "BETWEEN":
            return days[0], days[1]
        case ">=" | ">":
            return days[0] + (one if name == ">" else timedelta()), None
    return None, days[0] - (one if name == "<" else timedelta())


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
        case "int" | "float":
            try:
                return int(text) if field.kind == "int" else float(text)
            except ValueError:
                raise refusal("BAD_NUMBER", text, field=field.path) from None
        case "bool":
            if text.upper() in ("TRUE", "FALSE"):
                return text.upper() == "TRUE"
            raise refusal("BAD_VALUE", text, message=f"'{text}' is not TRUE or FALSE for {field.path}")
        case "enum":
            if text in field.enum.values_by_name:
                return text
            raise refusal("BAD_ENUM_CONSTANT", text, field=field.path)
    if field.path in _DATES:
        day = read_date(text)
        if field.path in PERIODS and PERIODS[field.path](day) != day:
            raise refusal("MISALIGNED_DATE_FOR_FILTER", text, field=field.path)
        return day.isoformat()
    # A plain str, since a Literal is a subclass.
    return str(text)
