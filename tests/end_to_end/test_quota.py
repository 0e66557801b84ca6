"""A budget that runs share, and rests that the API asks for: a run stops cleanly and says when to go on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_a_run_ends_at_the_budget_and_what_was_not_asked_for_stays_pending(
    gads_etl: Any, project: Callable[..., Path], agency: Path, customers: list[str]
) -> None:
    config = project(agency, customers, extra="[quota]\noperations_per_day = 4\n")
    asked = ("run", "-c", config, "--since", "2024-03-01", "--until", "2024-03-02", "--format", "json")
    first = gads_etl(*asked)
    assert first.code == 75, first.err
    assert first.json["summary"] == {"pending": 4, "success": 8, "failed": 0}
    assert "4 more may be spent from 20" in first.json["stopped_by"]["hint"]

    again = gads_etl(*asked)
    assert (again.code, again.json["summary"], again.json["up_to_date"]) == (
        75,
        {"pending": 4, "success": 0, "failed": 0},
        8,
    )
    table = gads_etl(*asked[:-2])
    assert "error: the budget is spent: 4 operations within 24 hours" in table.err

    config.write_text(config.read_text().replace("operations_per_day = 4", "operations_per_day = 6"))
    last = gads_etl(*asked)
    assert (last.code, last.json["summary"]["success"], last.json["up_to_date"]) == (0, 4, 8)
