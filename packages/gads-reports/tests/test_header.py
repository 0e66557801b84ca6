from __future__ import annotations

import re
import string

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gads_domain.errors import ConfigurationError
from gads_domain.report import ReportKind
from gads_reports.header import OPTIONAL, REQUIRED, Header, has_header, parse_header, render_header

WHOLE = """-- title: Campaigns by day
-- kind: daily
-- grain: customer.id, campaign.id, segments.date
-- schema_version: 1
"""
EVENT = WHOLE.replace("daily", "event") + "-- date_field: change_event.change_date_time\n-- row_limit: 10000\n"
QUERY = "\nSELECT campaign.id FROM campaign\n"

words = st.text(string.ascii_lowercase, min_size=1, max_size=8)
fields = st.lists(words, min_size=2, max_size=4).map(".".join)
numbers = st.integers(1, 999_999_999)
versions = st.tuples(st.none() | st.integers(1, 99), st.none() | st.integers(1, 99)).map(
    lambda pair: tuple(sorted(pair)) if None not in pair else pair  # type: ignore[type-var]  # no None is left
)
titles = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=40)


@st.composite
def headers(draw: st.DrawFn) -> Header:
    kind = draw(st.sampled_from(ReportKind))
    first, last = draw(versions)
    sometimes = st.none() | numbers
    asked_again = kind is not ReportKind.SNAPSHOT
    return Header(
        title=" ".join(draw(st.lists(titles, min_size=1, max_size=3))),
        kind=kind,
        grain=tuple(draw(st.lists(fields, min_size=1, max_size=5, unique=True))),
        schema_version=draw(numbers),
        restatement_days=draw(sometimes) if asked_again else None,
        max_days_per_request=draw(sometimes) if asked_again else None,
        history_days=draw(sometimes) if asked_again else None,
        date_field=draw(fields) if kind is ReportKind.EVENT else None,
        row_limit=draw(sometimes) if kind is ReportKind.EVENT else None,
        first_api_version=None if first is None else f"v{first}",
        last_api_version=None if last is None else f"v{last}",
    )


@given(headers(), st.randoms(use_true_random=False), st.sampled_from(["\n", "\r\n"]))
def test_what_is_written_is_read_back_in_any_order(header: Header, random: object, newline: str) -> None:
    lines = render_header(header).splitlines()
    random.shuffle(lines)  # type: ignore[attr-defined]  # hypothesis hands out a Random
    text = newline.join([*lines, *QUERY.splitlines()])
    found = parse_header(text, "x.gaql")
    assert found == header
    assert has_header(text)
    assert all(lines[number - 1].startswith(f"-- {key}:") for key, number in found.lines.items())


@given(st.text() | st.lists(st.text(max_size=20).map(lambda text: f"-- {text}\n")).map("".join))
@example("--")
@example("-- title:\n")
@example("-- title: a\r")
@example("-- versions: v٣..\n")
@example(WHOLE.replace("1", "１"))
def test_any_text_is_a_header_or_one_clear_error(text: str) -> None:
    error = refusal(text)
    if error is not None:
        assert re.match(r"x\.gaql:[1-9][0-9]*: .", error.message)
        assert "\n" not in error.message
        assert error.hint
        assert isinstance(error, ConfigurationError)


def refusal(text: str) -> ConfigurationError | None:
    try:
        parse_header(text, "x.gaql")
    except ConfigurationError as error:
        return error
    return None


@given(headers(), st.data())
def test_a_header_without_a_line_that_it_needs_says_which(header: Header, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(REQUIRED))
    text = "".join(line for line in render_header(header).splitlines(True) if not line.startswith(f"-- {key}:"))
    with pytest.raises(ConfigurationError, match=rf"x\.gaql:[0-9]+: the header has no {key}"):
        parse_header(text + QUERY, "x.gaql")


@given(headers(), st.data())
def test_a_key_that_comes_twice_is_refused_where_it_comes_again(header: Header, data: st.DataObject) -> None:
    lines = render_header(header).splitlines(True)
    again = data.draw(st.sampled_from(lines))
    with pytest.raises(ConfigurationError, match=rf"x\.gaql:{len(lines) + 1}: [a-z_]+ comes twice"):
        parse_header("".join([*lines, again]) + QUERY, "x.gaql")


@pytest.mark.parametrize(
    ("text", "line", "message", "hint"),
    [
        (QUERY, 1, "no header", "-- title:"),
        ("", 1, "no header", "-- title:"),
        ("\n" + WHOLE, 1, "no header", "-- title:"),
        ("-- Campaigns by day\n" + WHOLE, 1, "is not a line of a header", "empty line"),
        (WHOLE + "-- a remark\n", 5, "is not a line of a header", "empty line"),
        (WHOLE + "-- Title: x\n", 5, "is not a line of a header", "key: value"),
        (WHOLE + "-- restatment_days: 30\n", 5, "no 'restatment_days'", "did you mean restatement_days"),
        (WHOLE + "-- owner: me\n", 5, "no 'owner'", "the keys are title"),
        (WHOLE + "-- row_limit:\n", 5, "row_limit has no value", "after the colon"),
        (WHOLE.replace("daily", "weekly"), 2, "kind: 'weekly' is not a kind", "daily, snapshot, event"),
        (WHOLE.replace("campaign.id", "campaign"), 3, "grain: 'campaign' is not a field", "campaign.id"),
        (WHOLE.replace("campaign.id", "customer.id"), 3, "customer.id is named twice", "once"),
        (WHOLE.replace("campaign.id,", ","), 3, "grain: '' is not a field", "SELECT"),
        (WHOLE.replace(": 1", ": 0"), 4, "schema_version: '0' is not a whole number", "digits"),
        (WHOLE.replace(": 1", ": 1.0"), 4, "schema_version: '1.0' is not a whole number", "digits"),
        (WHOLE + "-- restatement_days: -3\n", 5, "'-3' is not a whole number", "digits"),
        (WHOLE + "-- versions: v24\n", 5, "'v24' is not a range", "v24.."),
        (WHOLE + "-- versions: ..\n", 5, "'..' is not a range", "v24.."),
        (WHOLE + "-- versions: v25..v24\n", 5, "v25 comes after v24", "v24..v25"),
        (WHOLE + "-- row_limit: 10\n", 5, "a daily report has no row_limit", "only an event"),
        (WHOLE + "-- date_field: a.b\n", 5, "a daily report has no date_field", "only an event"),
        (WHOLE.replace("daily", "event"), 2, "the event report has no date_field", "change_date_time"),
        (
            WHOLE.replace("daily", "snapshot") + "-- restatement_days: 3\n",
            5,
            "a snapshot report has no restat",
            "remove it",
        ),
        (
            WHOLE.replace("daily", "snapshot") + "-- history_days: 3\n",
            5,
            "a snapshot report has no history",
            "remove it",
        ),
        (EVENT.replace(": change_event.", ": "), 5, "'change_date_time' is not a field", "SELECT"),
    ],
)
def test_each_fault_has_its_line_and_a_hint(text: str, line: int, message: str, hint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_header(text, "mine.gaql")
    assert caught.value.message.startswith(f"mine.gaql:{line}: ")
    assert message in caught.value.message
    assert hint in caught.value.hint


def test_a_remark_below_an_empty_line_is_no_header() -> None:
    assert parse_header(WHOLE + "\n-- kind: of remark\n" + QUERY, "x").kind is ReportKind.DAILY


@pytest.mark.parametrize("text", ["", QUERY, "-- a remark\nSELECT", "--\n", "\n" + WHOLE, "-- note: x\n"])
def test_a_query_alone_has_no_header(text: str) -> None:
    assert not has_header(text)


def test_a_header_with_a_fault_is_still_one() -> None:
    assert has_header("-- kind: weekly\n")
    assert has_header("\ufeff" + WHOLE)


def test_every_key_is_written() -> None:
    full = Header("t", ReportKind.EVENT, ("a.b",), 1, 1, 1, 1, "a.b", 1, "v1", "v2")
    assert [line.split()[1].rstrip(":") for line in render_header(full).splitlines()] == [*REQUIRED, *OPTIONAL]
