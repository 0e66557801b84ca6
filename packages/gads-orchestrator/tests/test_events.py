from __future__ import annotations

import json
import pickle
import re
from dataclasses import fields
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, get_type_hints

import pytest

from gads_orchestrator import events
from gads_orchestrator.events import Event, event_document, event_name

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")


def _leaves(kind: type[Event]) -> list[type[Event]]:
    below = kind.__subclasses__()
    return [kind] if not below else [leaf for each in below for leaf in _leaves(each)]


# A frozen dataclass with slots leaves the class it was made from behind; only what the module names counts.
FACTS = sorted({k for k in _leaves(Event) if getattr(events, k.__name__, None) is k}, key=lambda kind: kind.__name__)
_SAMPLES: dict[Any, Any] = {
    str: "x",
    int: 3,
    bool: True,
    date: date(2024, 6, 1),
    datetime: datetime(2024, 6, 1, tzinfo=UTC),
}


def test_there_are_facts() -> None:
    assert len(FACTS) >= 20


@pytest.mark.parametrize("kind", FACTS, ids=lambda kind: kind.__name__)
def test_a_fact_is_documented_and_goes_through_json(kind: type[Event]) -> None:
    assert f"`{kind.__name__}`" in README
    assert kind.__doc__
    hints = get_type_hints(kind)
    event = kind(**{field.name: _SAMPLES.get(hints[field.name], {"new": 1}) for field in fields(kind)})
    document = json.loads(json.dumps(event_document(event)))
    assert document["event"] == event_name(kind)
    assert document["at"] == "2024-06-01T00:00:00.000000Z"
    assert list(document) == ["event", *(field.name for field in fields(kind))]


@pytest.mark.parametrize("kind", FACTS, ids=lambda kind: kind.__name__)
def test_a_fact_goes_through_a_pipe(kind: type[Event]) -> None:
    hints = get_type_hints(kind)
    event = kind(**{field.name: _SAMPLES.get(hints[field.name], {"new": 1}) for field in fields(kind)})
    assert pickle.loads(pickle.dumps([event])) == [event]


def _rows() -> dict[str, str]:
    """What the README has of each event, by its type."""
    rows = [line for line in README.splitlines() if line.startswith("| `") and line.count("|") == 4]
    return {name: row for row in rows for name in re.findall(r"`([A-Z]\w+)`", row.split("|")[1])}


def test_the_readme_lists_the_facts_and_no_others_with_all_that_they_say() -> None:
    rows = _rows()
    assert sorted(rows) == [kind.__name__ for kind in FACTS]
    common = {"at", "run_id", "customer_id", "report", "first", "last", "logical_date"}
    for kind in FACTS:
        for field in fields(kind):
            assert field.name in common or f"`{field.name}`" in rows[kind.__name__], (kind, field.name)


def test_names_are_in_lower_case_with_underscores() -> None:
    assert event_name(events.SliceStarted) == "slice_started"
    assert len({event_name(kind) for kind in FACTS}) == len(FACTS)
