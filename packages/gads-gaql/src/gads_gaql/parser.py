"""GAQL text to `Query`, or one line that says where it went wrong.

Importing this is light: lark, which takes a fifth of a second, is imported by the first parse.
"""

import re
from functools import cache, lru_cache
from importlib import resources
from typing import Any

from gads_domain.errors import QueryError
from gads_gaql.syntax import Condition, FieldRef, Literal, Ordering, Parameter, Query

_GRAMMAR_PAGE = "the grammar is at https://developers.google.com/google-ads/api/docs/query/grammar"
_MAX_LIMIT = 2**63 - 1
_ESCAPES = {"\\": "\\", "'": "'", '"': '"', "n": "\n", "r": "\r", "t": "\t"}
_WORDS = {
    "FIELD": "a field name",
    "RESOURCE": "a resource name",
    "INTEGER": "a number of rows",
    "NUMBER": "a number",
    "WORD": "a word",
    "STRING": "a quoted text",
    "COMPARISON": "an operator",
    "COMMA": "','",
    "LPAR": "'('",
    "RPAR": "')'",
    "EQUAL": "'='",
    "$END": "the end",
}
_HINTS = {
    "*": "GAQL has no *: name each field",
    ";": "remove the semicolon: a text holds one query",
    "or": "GAQL joins conditions with AND alone; use IN for several values of one field",
    "group": "GAQL has no GROUP BY: rows are one for each combination of what is selected",
    "join": "GAQL has no JOIN: fields of related resources can be selected directly",
    "<>": "write != for unequal",
    "==": "write = for equal",
    "'": "close the quote on the same line, and write \\' for a quote inside",
    '"': 'close the quote on the same line, and write \\" for a quote inside',
    "/": "a comment that starts with /* ends with */",
    "as": "GAQL has no AS: a column's name is its field with underscores for dots",
}

_Node = Any
"""A `lark.Tree` or, as a leaf, a `lark.Token`; which of them is where, the grammar says."""


@cache
def _parser() -> Any:
    from lark import Lark

    grammar = (resources.files("gads_gaql") / "gaql.lark").read_text("utf-8")
    return Lark(grammar, start="query", parser="lalr", lexer="contextual", maybe_placeholders=False)


@lru_cache(maxsize=256)
def parse(text: str) -> Query:
    """Read a query; the latest texts are remembered, since a report's query is asked of many accounts.

    Raises `QueryError` for a text that is no query; the message starts with `line L, column C:`, both counted from 1.
    Fields and values are not looked up: `gads_gaql.query_check` does that.
    """
    from lark.exceptions import UnexpectedInput

    try:
        fields, resource, *clauses = _parser().parse(text).children
    except UnexpectedInput as error:
        raise _explain(text, error) from None
    found = {str(clause.data): clause.children for clause in clauses}
    (limit,) = found.get("limit", [None])
    return Query(
        fields=tuple(_field(token) for token in fields.children),
        resource=str(resource),
        conditions=tuple(_condition(node) for node in found.get("where", [])),
        orderings=tuple(_ordering(node) for node in found.get("order_by", [])),
        limit=None if limit is None else _limit(limit),
        parameters=tuple(_parameter(node) for node in found.get("parameters", [])),
        resource_line=resource.line,
        resource_column=resource.column,
    )


def _field(token: _Node) -> FieldRef:
    return FieldRef(str(token), token.line, token.column)


def _condition(node: _Node) -> Condition:
    field, rest = _field(node.children[0]), node.children[1:]
    match str(node.data), rest:
        case "comparison", [operator, value]:
            return Condition(field, str(operator), _literal(value))
        case "pattern", [operator, value]:
            return Condition(field, str(operator).upper(), _literal(value))
        case "not_pattern", [operator, value]:
            return Condition(field, f"NOT {str(operator).upper()}", _literal(value))
        case "contains", [which, values]:
            return Condition(field, f"CONTAINS {str(which).upper()}", _list(values))
        case "in_list", [values]:
            return Condition(field, "IN", _list(values))
        case "not_in_list", [values]:
            return Condition(field, "NOT IN", _list(values))
        case "between", [low, high]:
            return Condition(field, "BETWEEN", (_literal(low), _literal(high)))
        case "during", [function]:
            return Condition(field, "DURING", Literal(str(function).upper()))
        case "is_null", _:
            return Condition(field, "IS NULL")
        case _:
            return Condition(field, "IS NOT NULL")


def _list(node: _Node) -> tuple[Literal, ...]:
    return tuple(_literal(token) for token in node.children)


def _literal(token: _Node) -> Literal:
    if token.type != "STRING":
        return Literal(str(token))
    body = token[1:-1]
    for escape in re.finditer(r"\\(.)", body):
        if escape[1] not in _ESCAPES:
            hint = "write \\\\ for a backslash; the escapes are \\\\ \\' \\\" \\n \\r \\t"
            raise _error(token.line, token.column + 1 + escape.start(), f"{escape[0]} is not an escape", hint)
    return Literal(re.sub(r"\\(.)", lambda escape: _ESCAPES[escape[1]], body), quoted=True)


def _ordering(node: _Node) -> Ordering:
    return Ordering(_field(node.children[0]), any(str(way).upper() == "DESC" for way in node.children[1:]))


def _limit(token: _Node) -> int:
    digits = token.lstrip("0")
    if not digits or len(digits) > 19 or int(digits) > _MAX_LIMIT:
        message = f"LIMIT {token[:30]} is not a number of rows"
        raise _error(token.line, token.column, message, "write a whole number from 1")
    return int(digits)


def _parameter(node: _Node) -> Parameter:
    name, value = node.children
    return Parameter(str(name), _literal(value), name.line, name.column)


def _error(line: int, column: int, message: str, hint: str) -> QueryError:
    return QueryError(f"line {line}, column {column}: {message}", hint=hint)


def _explain(text: str, error: Any) -> QueryError:
    from lark.exceptions import UnexpectedToken

    if isinstance(error, UnexpectedToken):
        found, expected, start = str(error.token), error.accepts, error.token.start_pos
        at_end = error.token.type == "$END"
    else:
        found, expected, start = error.char, error.allowed or set(), error.pos_in_stream
        at_end = False
    if at_end:
        line, column = text.count("\n") + 1, len(text) - text.rfind("\n")
        return _error(line, column, f"the query ends where {_one_of(expected)} should follow", _GRAMMAR_PAGE)
    shown = found if len(found) <= 40 else found[:40] + "…"
    message = f"found {shown!r} where {_one_of(expected)} should be"
    return _error(error.line, error.column, message, _hint(text, start, found))


def _hint(text: str, start: int, found: str) -> str:
    for clue in (found.lower(), text[start : start + 1], text[max(0, start - 1) : start + 1]):
        if clue in _HINTS:
            return _HINTS[clue]
    if re.match(r"\d{4}-\d\d-\d\d", text[max(0, start - 4) : start + 6]):
        return "put a date in quotes: '2024-06-01'"
    if text[:start].rstrip().endswith(","):
        return "remove the comma before it, or name what should follow the comma"
    return _GRAMMAR_PAGE


def _one_of(terminals: set[str]) -> str:
    names = sorted(_WORDS.get(name, name.lstrip("_")) for name in terminals - {"SPACE", "COMMENT"})
    if len(names) < 2:
        return names[0] if names else "something else"
    return f"{', '.join(names[:-1])} or {names[-1]}"
