"""GAQL text to `Query`, or one line that says where it went wrong."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

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
    ";": "leave the semicolon out: a text holds one query",
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

_Node = Tree[Token]


@cache
def _parser() -> Lark:
    grammar = (resources.files("gads_gaql") / "gaql.lark").read_text("utf-8")
    return Lark(grammar, start="query", parser="lalr", lexer="contextual", maybe_placeholders=False)


def parse(text: str) -> Query:
    """Read a query.

    Raises `QueryError` for a text that is no query; the message starts with `line L, column C:`, both counted from 1.
    Fields and values are not looked up: `gads_gaql.query_check` does that.
    """
    try:
        tree = _parser().parse(text)
    except UnexpectedInput as error:
        raise _explain(text, error) from None
    return _query(tree)


def _query(tree: _Node) -> Query:
    fields, resource, *clauses = tree.children
    assert isinstance(fields, Tree)
    assert isinstance(resource, Token)
    found: dict[str, list[_Node | Token]] = {}
    for clause in clauses:
        assert isinstance(clause, Tree)
        found[str(clause.data)] = clause.children
    (limit,) = found.get("limit", [None])
    return Query(
        fields=tuple(_field(token) for token in fields.children),
        resource=str(resource),
        conditions=tuple(_condition(node) for node in found.get("where", [])),
        orderings=tuple(_ordering(node) for node in found.get("order_by", [])),
        limit=None if limit is None else _limit(limit),
        parameters=tuple(_parameter(node) for node in found.get("parameters", [])),
        resource_line=resource.line or 0,
        resource_column=resource.column or 0,
    )


def _field(token: _Node | Token) -> FieldRef:
    assert isinstance(token, Token)
    return FieldRef(str(token), token.line or 0, token.column or 0)


def _condition(node: _Node | Token) -> Condition:
    assert isinstance(node, Tree)
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


def _list(node: _Node | Token) -> tuple[Literal, ...]:
    assert isinstance(node, Tree)
    return tuple(_literal(token) for token in node.children)


def _literal(token: _Node | Token) -> Literal:
    assert isinstance(token, Token)
    if token.type != "STRING":
        return Literal(str(token))
    body = token[1:-1]
    for escape in re.finditer(r"\\(.)", body):
        if escape[1] not in _ESCAPES:
            raise _error(
                token.line or 0,
                (token.column or 0) + 1 + escape.start(),
                f"{escape[0]} is no escape",
                "write \\\\ for a backslash; the escapes are \\\\ \\' \\\" \\n \\r \\t",
            )
    return Literal(re.sub(r"\\(.)", lambda escape: _ESCAPES[escape[1]], body), quoted=True)


def _ordering(node: _Node | Token) -> Ordering:
    assert isinstance(node, Tree)
    return Ordering(_field(node.children[0]), any(str(way).upper() == "DESC" for way in node.children[1:]))


def _limit(token: _Node | Token) -> int:
    assert isinstance(token, Token)
    digits = token.lstrip("0")
    if not digits or len(digits) > 19 or int(digits) > _MAX_LIMIT:
        raise _error(
            token.line or 0,
            token.column or 0,
            f"LIMIT {token[:30]} is no number of rows",
            "write a whole number from 1",
        )
    return int(digits)


def _parameter(node: _Node | Token) -> Parameter:
    assert isinstance(node, Tree)
    name, value = node.children
    assert isinstance(name, Token)
    return Parameter(str(name), _literal(value), name.line or 0, name.column or 0)


def _error(line: int, column: int, message: str, hint: str) -> QueryError:
    return QueryError(f"line {line}, column {column}: {message}", hint=hint)


def _explain(text: str, error: UnexpectedInput) -> QueryError:
    if isinstance(error, UnexpectedToken):
        found, expected, start = str(error.token), error.accepts, error.token.start_pos or 0
        at_end = error.token.type == "$END"
    else:
        assert isinstance(error, UnexpectedCharacters)
        found, expected, start = error.char, error.allowed or set(), _position(error)
        at_end = False
    if at_end:
        line, column = text.count("\n") + 1, len(text) - text.rfind("\n")
        return _error(line, column, f"the query ends where {_one_of(expected)} should follow", _GRAMMAR_PAGE)
    shown = found if len(found) <= 40 else found[:40] + "…"
    message = f"found {shown!r} where {_one_of(expected)} should be"
    return _error(error.line, error.column, message, _hint(text, start, found))


def _position(error: UnexpectedCharacters) -> int:
    """Lark declares the position as None and always sets it."""
    position: object = vars(error)["pos_in_stream"]
    return position if isinstance(position, int) else 0


def _hint(text: str, start: int, found: str) -> str:
    for clue in (found.lower(), text[start : start + 1], text[max(0, start - 1) : start + 1]):
        if clue in _HINTS:
            return _HINTS[clue]
    if re.match(r"\d{4}-\d\d-\d\d", text[max(0, start - 4) : start + 6]):
        return "put a date in quotes: '2024-06-01'"
    if text[:start].rstrip().endswith(","):
        return "leave out the comma before it, or name what should follow the comma"
    return _GRAMMAR_PAGE


def _one_of(terminals: set[str]) -> str:
    names = sorted(_WORDS.get(name, name.lstrip("_")) for name in terminals - {"SPACE", "COMMENT"})
    if len(names) < 2:
        return names[0] if names else "something else"
    return f"{', '.join(names[:-1])} or {names[-1]}"
