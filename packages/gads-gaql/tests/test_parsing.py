import pickle
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gads_domain.errors import QueryError
from gads_gaql.parser import parse
from gads_gaql.renderer import render
from gads_gaql.syntax import (
    COMPARISONS,
    DATE_FUNCTIONS,
    LIST_OPERATORS,
    NULL_OPERATORS,
    OPERATORS,
    PATTERN_OPERATORS,
    Condition,
    FieldRef,
    Literal,
    Ordering,
    Parameter,
    Query,
)

_CLAUSES = ("SELECT", "FROM", "WHERE", "ORDER", "LIMIT", "PARAMETERS")
_INNER = ("AND", "BY", "IN", "NOT", "LIKE", "IS", "NULL", "BETWEEN", "DURING", "ASC", "DESC", "CONTAINS", "ANY")
_KEYWORDS = (*_CLAUSES, *_INNER)
_CLAUSE_NAMES = frozenset(word.lower() for word in _CLAUSES)

names = st.from_regex(r"[a-z][a-z0-9_]{0,6}(\.[a-z][a-z0-9_]{0,6}){0,3}", fullmatch=True).filter(
    lambda name: name not in _CLAUSE_NAMES
) | st.sampled_from([word.lower() for word in _INNER])
fields = st.builds(FieldRef, names)
quoted = st.builds(Literal, st.text(st.characters(codec="utf-8"), max_size=12), st.just(True))
bare = st.builds(Literal, st.from_regex(r"-?[0-9]{1,20}(\.[0-9]{1,5})?|[a-zA-Z0-9_]{1,8}", fullmatch=True))
literals = quoted | bare | st.sampled_from([Literal(word) for word in _KEYWORDS])


def condition(operator: str) -> st.SearchStrategy[Condition]:
    value: st.SearchStrategy[object]
    if operator in NULL_OPERATORS:
        value = st.none()
    elif operator in LIST_OPERATORS:
        value = st.lists(literals, min_size=1, max_size=4).map(tuple)
    elif operator == "BETWEEN":
        value = st.tuples(literals, literals)
    elif operator == "DURING":
        value = st.sampled_from(sorted(DATE_FUNCTIONS)).map(Literal)
    else:
        value = literals
    return st.builds(Condition, fields, st.just(operator), value)


queries = st.builds(
    Query,
    fields=st.lists(fields, min_size=1, max_size=5).map(tuple),
    resource=st.from_regex(r"[a-z][a-z0-9_]{0,12}", fullmatch=True),
    conditions=st.lists(st.sampled_from(sorted(OPERATORS)).flatmap(condition), max_size=5).map(tuple),
    orderings=st.lists(st.builds(Ordering, fields, st.booleans()), max_size=3).map(tuple),
    limit=st.none() | st.integers(1, 2**63 - 1),
    parameters=st.lists(st.builds(Parameter, st.from_regex(r"[a-z_]{1,10}", fullmatch=True), literals), max_size=2).map(
        tuple
    ),
)


def quotes(query: Query) -> list[object]:
    return [getattr(value, "quoted", None) for condition in query.conditions for value in condition.values]


@pytest.fixture(autouse=True, scope="module")
def _parser() -> None:
    """The first parse imports lark and builds the parser: longer than a deadline."""
    parse("SELECT campaign.id FROM campaign")


@given(queries)
def test_what_is_rendered_is_read_back(query: Query) -> None:
    again = parse(render(query))
    assert again == query
    assert quotes(again) == quotes(query)
    assert render(again) == render(query)


_SIGNS = (",", "(", ")", "=", "!=", "'x'", '"y"', "'", "\\", "1", "-1.5", "\n", "--", "/*", "#")
_PIECES = st.lists(st.sampled_from([*_KEYWORDS, "a.b", "campaign", *_SIGNS]), max_size=15)


def refusal(text: str) -> QueryError | None:
    try:
        parse(text)
    except QueryError as error:
        return error
    return None


@given(st.text(max_size=60) | _PIECES.map(" ".join) | _PIECES.map("".join))
def test_garbage_raises_nothing_but_query_errors(text: str) -> None:
    error = refusal(text)
    assert error is None or (error.message.startswith("line ") and error.hint)


@given(queries, st.data())
def test_a_damaged_query_raises_nothing_but_query_errors(query: Query, data: st.DataObject) -> None:
    text = render(query)
    at = data.draw(st.integers(0, len(text)))
    cut = data.draw(st.integers(0, 5))
    error = refusal(text[:at] + data.draw(st.text(max_size=3)) + text[at + cut :])
    assert error is None or error.message.startswith("line ")


def test_a_whole_query() -> None:
    query = parse(
        """
        select campaign.id, -- the key
               segments.date  # the day
        From campaign
        where campaign.status in ('ENABLED', PAUSED) /* two
          lines */ and campaign.name Not Like "it's \\"50\\" %"
          and metrics.ctr between 0.1 and 1 and campaign.labels contains none ('x')
          and segments.date during last_7_days and campaign.id is not null
          and campaign.name not regexp_match 'a\\\\d' and campaign.id not in (1)
        order by campaign.id desc, segments.date asc
        limit 10
        parameters include_drafts=true, omit_unselected_resource_names = 'true'
        """
    )
    assert query.field_names == ("campaign.id", "segments.date")
    assert (query.fields[1].line, query.fields[1].column) == (3, 16)
    assert (query.resource, query.resource_line, query.resource_column) == ("campaign", 4, 14)
    assert [(c.field.name, c.operator, c.value) for c in query.conditions] == [
        ("campaign.status", "IN", ("ENABLED", "PAUSED")),
        ("campaign.name", "NOT LIKE", 'it\'s "50" %'),
        ("metrics.ctr", "BETWEEN", ("0.1", "1")),
        ("campaign.labels", "CONTAINS NONE", ("x",)),
        ("segments.date", "DURING", "LAST_7_DAYS"),
        ("campaign.id", "IS NOT NULL", None),
        ("campaign.name", "NOT REGEXP_MATCH", "a\\d"),
        ("campaign.id", "NOT IN", ("1",)),
    ]
    assert query.orderings == (Ordering(FieldRef("campaign.id"), True), Ordering(FieldRef("segments.date")))
    assert query.limit == 10
    assert query.parameters == (
        Parameter("include_drafts", "true"),
        Parameter("omit_unselected_resource_names", "true"),
    )
    assert parse(render(query)) == query
    assert "--" not in render(query)


@pytest.mark.parametrize("operator", sorted(COMPARISONS | PATTERN_OPERATORS))
def test_operators_are_read_in_any_case(operator: str) -> None:
    (found,) = parse(f"SELECT a FROM b WHERE a {operator.lower()} 'x'").conditions
    assert found == Condition(FieldRef("a"), operator, "x")


def test_comment_signs_inside_quotes_are_text() -> None:
    (found,) = parse("SELECT a FROM b WHERE a = '-- # /* */'").conditions
    assert found.value == "-- # /* */"


def test_plain_texts_are_quoted_unless_they_are_numbers() -> None:
    made = Query((FieldRef("a"),), "b", (Condition(FieldRef("a"), "IN", ("1", "-2.5", "x", "TRUE")),))
    assert render(made) == "SELECT a FROM b WHERE a IN (1, -2.5, 'x', 'TRUE')"


def test_a_literal_that_cannot_stand_bare_is_quoted() -> None:
    made = Query((FieldRef("a"),), "b", (Condition(FieldRef("a"), "=", Literal("x y; '")),))
    assert parse(render(made)) == made


def test_literals_survive_pickling() -> None:
    again = pickle.loads(pickle.dumps(Literal("a", quoted=True)))
    assert (again, again.quoted, again.text) == ("a", True, "a")


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("", "line 1, column 1: the query ends where SELECT", "grammar"),
        ("SELECT a\nFROM", "line 2, column 5: the query ends where a resource name", "grammar"),
        ("SELECT *\nFROM b", "line 1, column 8: found '*'", "name each field"),
        ("SELECT a, FROM b", "line 1, column 11: found 'FROM'", "comma"),
        ("select a, from b", "line 1, column 11: found 'from'", "comma"),
        ("SELECT a\nFROM b\n;", "line 3, column 1: found ';'", "semicolon"),
        ("SELECT a FROM b WHERE a = 1 OR a = 2", "line 1, column 29: found 'OR'", "AND alone"),
        ("SELECT a FROM b WHERE a = 2024-01-01", "line 1, column 31: found '-01'", "quotes"),
        ("SELECT a FROM b WHERE a == 1", "found '='", "="),
        ("SELECT a FROM b WHERE a = 'x", 'line 1, column 27: found "\'"', "close the quote"),
        ("SELECT a FROM b WHERE a = 'x\n'", "line 1, column 27", "same line"),
        ("SELECT a FROM b /* x", "line 1, column 17", "*/"),
        ("SELECT a FROM b WHERE a = '\\d'", "line 1, column 28: \\d is not an escape", "backslash"),
        ("SELECT a FROM b WHERE a IN ()", "line 1, column 29: found ')'", "grammar"),
        ("SELECT a FROM b WHERE a BETWEEN 1", "the query ends where AND", "grammar"),
        ("SELECT a FROM b LIMIT 0", "line 1, column 23: LIMIT 0", "from 1"),
        ("SELECT a FROM b LIMIT " + "9" * 5000, "line 1, column 23: LIMIT 9", "from 1"),
        ("SELECT a FROM b GROUP BY a", "line 1, column 17: found 'GROUP'", "no GROUP BY"),
        ("SELECT a", "the query ends where ',' or FROM", "grammar"),
    ],
)
def test_errors_say_where_and_what_to_do(text: str, message: str, hint: str) -> None:
    with pytest.raises(QueryError) as caught:
        parse(text)
    assert message in caught.value.message
    assert "\n" not in caught.value.message
    assert hint in caught.value.hint


@pytest.mark.parametrize("use", ["", "parse('SELECT campaign.id FROM campaign')", "load(latest())"])
def test_lark_is_imported_by_the_first_parse_and_the_client_never(use: str) -> None:
    program = f"import sys; from gads_gaql import *; {use}\nprint({{'lark', 'google.ads', 'proto'}} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ("{'lark'}" if use.startswith("parse") else "set()")
