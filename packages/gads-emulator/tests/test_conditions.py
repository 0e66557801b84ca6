from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from gads_emulator import ApiFailureError
from gads_emulator.calendar_segments import during
from gads_emulator.conditions import compile_condition, date_bounds
from gads_emulator.schema import load_schema
from gads_gaql.catalogue import versions
from gads_gaql.parser import parse

TODAY = date(2024, 6, 5)  # a Wednesday
LONG = "a" * 50_000
"""A text on which a pattern that backtracks does not end."""


def _meets(condition: str, value: Any) -> bool:
    (parsed,) = parse(f"SELECT campaign.id FROM campaign WHERE {condition}").conditions
    field = load_schema(versions()[-1]).field(parsed.field.name)
    assert field is not None
    return compile_condition(field, parsed, TODAY)(value)


@pytest.mark.parametrize(
    ("condition", "yes", "no"),
    [
        ("campaign.id = 5", [5], [6, None]),
        ("campaign.id != 5", [6, None], [5]),
        ("campaign.id > 5", [6, 2**62], [5, None]),
        ("campaign.id >= 5", [5], [4, None]),
        ("campaign.id < 5", [-1], [5, None]),
        ("campaign.id <= 5", [5], [6, None]),
        ("campaign.id IN (5, 6)", [5, 6], [7, None]),
        ("campaign.id NOT IN (5, 6)", [7, None], [5]),
        ("campaign.optimization_score >= 0.5", [0.5], [0.4, None]),
        ("campaign.name = 'Été'", ["Été"], ["été", "", None]),
        ("campaign.name LIKE '%sale%'", ["Summer SALE 1"], ["other", None]),
        ("campaign.name LIKE 'a_c'", ["abc"], ["ac", "abcd"]),
        ("campaign.name LIKE '100[%]%'", ["100% wool"], ["100 wool"]),
        ("campaign.name LIKE 'a[_]b'", ["a_b"], ["axb"]),
        ("campaign.name LIKE '[[]x'", ["[x"], ["x"]),
        ("campaign.name NOT LIKE '%sale%'", ["other", None], ["Sale"]),
        ("campaign.name REGEXP_MATCH 'a.*'", ["abc"], ["ba", "Abc", None]),
        ("campaign.name REGEXP_MATCH '(?i)a.*'", ["Abc"], ["b"]),
        ("campaign.name NOT REGEXP_MATCH 'a.*'", ["ba", None], ["abc"]),
        ("campaign.name REGEXP_MATCH 'b|ab'", ["ab"], ["abc", "b "]),
        ("campaign.name REGEXP_MATCH '\\\\pL+'", ["Été"], ["a1"]),
        ("campaign.name REGEXP_MATCH '(a+)+$'", [LONG], [LONG + "b"]),
        ("campaign.name LIKE '%a%a%a%a%a%a%a%a%a%a%b'", [LONG + "B"], [LONG]),
        ("campaign.status = 'ENABLED'", ["ENABLED"], ["PAUSED", None]),
        ("campaign.status IN ('ENABLED', 'PAUSED')", ["PAUSED"], ["REMOVED"]),
        ("campaign.status IS NULL", [None], ["ENABLED"]),
        ("campaign.status IS NOT NULL", ["ENABLED"], [None]),
        ("campaign.network_settings.target_google_search = TRUE", [True], [False, None]),
        ("campaign.network_settings.target_google_search != true", [False, None], [True]),
        ("campaign.labels CONTAINS ANY ('a', 'b')", [("b", "c")], [("c",), (), None]),
        ("campaign.labels CONTAINS ALL ('a', 'b')", [("a", "b", "c")], [("a",), None]),
        ("campaign.labels CONTAINS NONE ('a', 'b')", [("c",), (), None], [("a",)]),
        ("campaign.labels IS NULL", [None], [("a",)]),
        ("segments.date = '20240601'", ["2024-06-01"], ["2024-06-02"]),
        ("segments.date BETWEEN '2024-06-01' AND '2024-06-03'", ["2024-06-01", "2024-06-03"], ["2024-06-04", None]),
        ("segments.date DURING LAST_7_DAYS", ["2024-05-29", "2024-06-04"], ["2024-06-05", "2024-05-28"]),
        ("segments.hour BETWEEN 3 AND 5", [3, 5], [6]),
        (
            "change_event.change_date_time BETWEEN '2024-06-01' AND '2024-06-03'",
            ["2024-06-03 23:59:59.5"],
            ["2024-06-04 00:00:00"],
        ),
    ],
)
def test_each_operator_selects_its_values(condition: str, yes: list[Any], no: list[Any]) -> None:
    assert [value for value in yes if not _meets(condition, value)] == []
    assert [value for value in no if _meets(condition, value)] == []


@pytest.mark.parametrize(
    ("condition", "code"),
    [
        ("campaign.name REGEXP_MATCH '('", "BAD_VALUE"),
        ("campaign.name REGEXP_MATCH '(?=a)a'", "BAD_VALUE"),
        ("campaign.name REGEXP_MATCH '(a)\\\\1'", "BAD_VALUE"),
        ("campaign.name REGEXP_MATCH '((a{100}){100}){100}'", "BAD_VALUE"),
        ("segments.week BETWEEN '2024-06-10' AND '2024-06-03'", "DATE_RANGE_TOO_NARROW"),
    ],
)
def test_what_only_the_api_knows_to_be_wrong_is_refused(condition: str, code: str) -> None:
    with pytest.raises(ApiFailureError) as caught:
        _meets(condition, None)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("function", "first", "last"),
    [
        ("TODAY", "2024-06-05", "2024-06-05"),
        ("YESTERDAY", "2024-06-04", "2024-06-04"),
        ("LAST_7_DAYS", "2024-05-29", "2024-06-04"),
        ("LAST_14_DAYS", "2024-05-22", "2024-06-04"),
        ("LAST_30_DAYS", "2024-05-06", "2024-06-04"),
        ("LAST_BUSINESS_WEEK", "2024-05-27", "2024-05-31"),
        ("LAST_WEEK_MON_SUN", "2024-05-27", "2024-06-02"),
        ("LAST_WEEK_SUN_SAT", "2024-05-26", "2024-06-01"),
        ("THIS_WEEK_MON_TODAY", "2024-06-03", "2024-06-05"),
        ("THIS_WEEK_SUN_TODAY", "2024-06-02", "2024-06-05"),
        ("THIS_MONTH", "2024-06-01", "2024-06-05"),
        ("LAST_MONTH", "2024-05-01", "2024-05-31"),
    ],
)
def test_each_date_range_has_its_first_and_last_day(function: str, first: str, last: str) -> None:
    assert during(function, TODAY) == (date.fromisoformat(first), date.fromisoformat(last))


def test_on_a_sunday_the_week_that_starts_on_sunday_is_one_day_old() -> None:
    sunday = date(2024, 6, 9)
    assert during("THIS_WEEK_SUN_TODAY", sunday) == (sunday, sunday)


@pytest.mark.parametrize(
    ("conditions", "bounds"),
    [
        ("segments.date = '2024-01-02'", ("2024-01-02", "2024-01-02")),
        ("segments.date >= '2024-01-02' AND segments.date < '2024-02-01'", ("2024-01-02", "2024-01-31")),
        ("segments.date > '2024-01-02'", ("2024-01-03", None)),
        ("segments.date IN ('2024-01-09', '2024-01-02')", ("2024-01-02", "2024-01-09")),
        (
            "segments.date BETWEEN '2024-01-01' AND '2024-03-01' AND segments.date <= '2024-02-01'",
            ("2024-01-01", "2024-02-01"),
        ),
        ("segments.date DURING YESTERDAY", ("2024-06-04", "2024-06-04")),
        ("campaign.id = 1", (None, None)),
    ],
)
def test_bounds_of_days(conditions: str, bounds: tuple[str | None, str | None]) -> None:
    query = parse(f"SELECT campaign.id FROM campaign WHERE {conditions}")
    found = tuple(day and day.isoformat() for day in date_bounds(query.conditions, TODAY))
    assert found == bounds
