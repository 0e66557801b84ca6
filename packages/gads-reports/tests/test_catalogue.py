from __future__ import annotations

from dataclasses import replace
from datetime import date
from importlib import resources

import pytest

from gads_domain.errors import ConfigurationError, UsageError
from gads_domain.report import ReportDefinition
from gads_gaql.catalogue import load
from gads_gaql.day_conditions import day_query
from gads_gaql.renderer import render
from gads_reports.catalogue import builtin, resolve
from gads_reports.description import describe, grain_columns, problems, versions


def test_every_packaged_file_is_a_report() -> None:
    names = [entry.name for entry in (resources.files("gads_reports") / "reports").iterdir()]
    assert sorted(names) == sorted(f"{name}.gaql" for name in builtin())
    assert list(builtin()) == sorted(builtin())


def test_the_packaged_reports_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        builtin()["mine"] = builtin()["campaign"]  # type: ignore[index]  # what must fail


def test_names_become_definitions_in_their_order_once() -> None:
    assert [found.name for found in resolve(["keyword", "ad", "keyword"])] == ["keyword", "ad"]
    assert resolve([]) == ()


def test_an_own_report_overrides_by_name_and_adds_others() -> None:
    mine = replace(builtin()["campaign"], schema_version=7)
    other = replace(mine, name="mine")
    assert resolve(["mine", "campaign", "ad"], own=[mine, other]) == (other, mine, builtin()["ad"])
    assert resolve(["campaign"]) == (builtin()["campaign"],)


def test_an_unknown_name_comes_with_the_nearest() -> None:
    with pytest.raises(ConfigurationError) as caught:
        resolve(["campaing"])
    assert caught.value.hint == "did you mean campaign?"
    with pytest.raises(ConfigurationError) as caught:
        resolve(["zzz"], own=[ReportDefinition("mine", "")])
    assert "a packaged report" in caught.value.hint


def test_two_own_reports_of_one_name_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="two reports are named campaign"):
        resolve([], own=[builtin()["campaign"], builtin()["campaign"]])


def test_columns_say_type_field_and_part() -> None:
    columns = {column.name: column for column in describe(builtin()["campaign"], load("v26"))}
    cost, day, name = (columns[key] for key in ("metrics_cost_micros", "segments_date", "campaign_name"))
    assert (cost.type, cost.field, cost.is_metric, cost.in_grain) == ("int64", "metrics.cost_micros", True, False)
    assert (day.type, day.is_metric, day.in_grain) == ("date32", False, True)
    assert (name.type, name.in_grain) == ("string", False)
    assert grain_columns(builtin()["campaign"]) == ("customer_id", "campaign_id", "segments_date")


def test_versions_are_shown_as_the_header_says_them() -> None:
    one = builtin()["campaign"]
    assert versions(one) == "all"
    assert versions(replace(one, first_api_version="v24")) == "v24.."
    assert versions(replace(one, last_api_version="v25")) == "..v25"


def test_each_kind_is_asked_in_its_way() -> None:
    first, last = date(2024, 6, 1), date(2024, 6, 2)
    asked = {name: render(day_query(builtin()[name], first, first)) for name in ("campaign", "change_event", "label")}
    assert asked["campaign"].endswith("WHERE segments.date BETWEEN '2024-06-01' AND '2024-06-01'")
    assert asked["change_event"].endswith(
        "WHERE change_event.change_date_time >= '2024-06-01 00:00:00' "
        "AND change_event.change_date_time <= '2024-06-01 23:59:59.999999' "
        "ORDER BY change_event.change_date_time LIMIT 10000"
    )
    assert asked["label"].endswith("FROM label")
    with pytest.raises(UsageError, match="has today alone"):
        day_query(builtin()["label"], first, last)
    assert "AND '2024-06-02'" in render(day_query(builtin()["campaign"], first, last))


@pytest.mark.parametrize("name", ["campaign", "label", "change_event"])
def test_problems_are_found_for_every_kind(name: str) -> None:
    broken = replace(
        builtin()[name], query=builtin()[name].query.replace(".resource_name", ".nme").replace(".id", ".idd")
    )
    assert {problem.code for problem in problems(broken, load("v26"))} == {"unrecognized_field"}
