"""Whether a condition's operator and values fit the type of its field."""

import re
from collections.abc import Iterator
from datetime import date, datetime

from gads_gaql.catalogue import FieldCatalogue, FieldType
from gads_gaql.syntax import (
    CORE_DATE_SEGMENTS,
    DATE_FUNCTIONS,
    LIST_OPERATORS,
    NULL_OPERATORS,
    PATTERN_OPERATORS,
    PERIODS,
    Condition,
    Problem,
)

_CONTAINS = frozenset(operator for operator in LIST_OPERATORS if operator.startswith("CONTAINS"))
_ORDERED = frozenset({">", ">=", "<", "<=", "BETWEEN"})
_WHOLE = re.compile(r"-?[0-9]{1,19}")
_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9]{8}")


def condition_problems(condition: Condition, found: FieldType, catalogue: FieldCatalogue) -> Iterator[Problem]:
    """What is wrong with a condition on a field of type `found`; nothing if the API could take it.

    Sources: https://developers.google.com/google-ads/api/docs/query/grammar ("Rules and limitations": LIKE takes a
    string field and no array), https://developers.google.com/google-ads/api/docs/query/ordering-limiting (no filter on
    a message) and https://developers.google.com/google-ads/api/docs/query/date-ranges, and
    `QueryError.OPERATOR_FIELD_MISMATCH`, `BAD_VALUE`, `BAD_ENUM_CONSTANT`, `INVALID_DATE_FORMAT` and others.
    """
    if found.kind == "message":
        message = f"{condition.field} is {described(found)}, which cannot be filtered on"
        hint = "a whole message can only be selected: filter on a field inside it"
        yield Problem.at(condition.field, "prohibited_field_in_where_clause", message, hint)
        return
    reason = _mismatch(condition.operator, found)
    if reason:
        message = f"{condition.operator} does not fit {condition.field}, which is {described(found)}"
        yield Problem.at(condition.field, "operator_field_mismatch", message, reason)
        return
    if condition.operator == "DURING":
        yield from _function_problems(condition)
    elif condition.operator not in NULL_OPERATORS | PATTERN_OPERATORS:
        for value in condition.values:
            yield from _value_problems(condition, found, value, catalogue)


def _mismatch(operator: str, found: FieldType) -> str:
    """Why the operator does not fit, as a hint; empty if it does."""
    if operator in NULL_OPERATORS:
        return ""
    if found.repeated:
        return "" if operator in _CONTAINS else "a repeated field takes CONTAINS ANY, CONTAINS ALL or CONTAINS NONE"
    if operator in _CONTAINS:
        return "CONTAINS is for repeated fields; use IN"
    if operator in PATTERN_OPERATORS and found.kind != "string":
        return "patterns are for texts; compare with = or IN"
    if operator == "DURING" and not found.is_date:
        return "DURING is for dates"
    if operator in _ORDERED and found.kind in ("bool", "enum", "bytes"):
        return "it has no order; use = or IN"
    return ""


def described(found: FieldType) -> str:
    """The type as a message names it: `a text`, `int64`, `repeated (string)`."""
    kind = {"message": "a message", "enum": "an enum", "string": "a text", "bool": "a bool"}.get(found.kind, found.kind)
    return f"repeated ({found.kind})" if found.repeated else kind


def _function_problems(condition: Condition) -> Iterator[Problem]:
    for function in condition.values:
        if function not in DATE_FUNCTIONS:
            hint = f"DURING takes one of {', '.join(sorted(DATE_FUNCTIONS))}"
            message = f"{function} is not a date range"
            yield Problem.at(condition.field, "invalid_value_with_during_operator", message, hint)


def _value_problems(condition: Condition, found: FieldType, value: str, catalogue: FieldCatalogue) -> Iterator[Problem]:
    field = condition.field
    if found.enum is not None:
        known = catalogue.enum_values(found.enum)
        if value not in known:
            hint = catalogue.value_suggestion(found.enum, value) or f"it is one of {', '.join(known[:12])}"
            yield Problem.at(field, "bad_enum_constant", f"{field} is never {value!r}", hint)
    elif found.is_integer:
        if not _WHOLE.fullmatch(value) or not -(2**63) <= int(value) < 2**63:
            yield Problem.at(field, "bad_value", f"{field} is a whole number, not {value!r}")
    elif found.is_number:
        if not _NUMBER.fullmatch(value):
            yield Problem.at(field, "bad_value", f"{field} is a number, not {value!r}")
    elif found.kind == "bool":
        if value.lower() not in ("true", "false"):
            yield Problem.at(field, "bad_value", f"{field} is TRUE or FALSE, not {value!r}")
    elif found.is_date and not _is_date(value, day_only=field.name in CORE_DATE_SEGMENTS):
        yield Problem.at(field, "invalid_date_format", f"{field} is a date, not {value!r}", "write it as '2024-06-01'")
    elif field.name in PERIODS:
        day = date.fromisoformat(value)
        begin = PERIODS[field.name](day)
        if day != begin:
            message = f"no {field.name.removeprefix('segments.')} begins on {value}"
            yield Problem.at(field, "misaligned_date_for_filter", message, f"name its first day, '{begin}'")


def _is_date(value: str, *, day_only: bool) -> bool:
    try:
        if _DAY.fullmatch(value):
            date.fromisoformat(value)
        elif day_only:
            return False
        else:
            datetime.fromisoformat(value)
    except ValueError:
        return False
    return True
