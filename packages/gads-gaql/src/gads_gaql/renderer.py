"""`Query` to the text that is sent: one line, canonical, without comments."""

import re

from gads_gaql.syntax import LIST_OPERATORS, Condition, Literal, Query

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_BARE = re.compile(r"-?[0-9]+(\.[0-9]+)?|[a-zA-Z0-9_]+")
_ESCAPES = str.maketrans({"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t"})


def render(query: Query) -> str:
    """Write `query` so that `parse` gives it back: `parse(render(q)) == q`.

    A `Literal` keeps having quotes or none; a plain `str` gets quotes unless it is a number.
    """
    parts = [f"SELECT {', '.join(query.field_names)}", f"FROM {query.resource}"]
    if query.conditions:
        parts.append("WHERE " + " AND ".join(_condition(condition) for condition in query.conditions))
    if query.orderings:
        terms = (f"{term.field.name} DESC" if term.descending else term.field.name for term in query.orderings)
        parts.append("ORDER BY " + ", ".join(terms))
    if query.limit is not None:
        parts.append(f"LIMIT {query.limit}")
    if query.parameters:
        parts.append(
            "PARAMETERS " + ", ".join(f"{given.name} = {_parameter(given.value)}" for given in query.parameters)
        )
    return " ".join(parts)


def _condition(condition: Condition) -> str:
    field, operator, values = condition.field.name, condition.operator, condition.values
    if operator == "BETWEEN":
        low, high = values
        return f"{field} BETWEEN {_value(low)} AND {_value(high)}"
    if operator in LIST_OPERATORS:
        return f"{field} {operator} ({', '.join(_value(value) for value in values)})"
    if operator == "DURING":
        return f"{field} DURING {values[0]}"
    return " ".join([field, operator, *(_value(value) for value in values)])


def _value(value: str) -> str:
    bare = not value.quoted if isinstance(value, Literal) else _NUMBER.fullmatch(value) is not None
    return str(value) if bare and _BARE.fullmatch(value) else _quoted(value)


def _parameter(value: str) -> str:
    quoted = isinstance(value, Literal) and value.quoted
    return str(value) if not quoted and _BARE.fullmatch(value) else _quoted(value)


def _quoted(text: str) -> str:
    return f"'{text.translate(_ESCAPES)}'"
