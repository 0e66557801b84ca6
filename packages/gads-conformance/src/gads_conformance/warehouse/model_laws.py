"""Random steps against a model: a dictionary of what is shown."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gads_conformance.law import quick_and_campaign
from gads_conformance.model import run_stories
from gads_conformance.warehouse.samples import (
    CHANGED,
    NARROW,
    WIDE,
    BrokenOffError,
    Observed,
    Story,
    WritePayload,
    broken_off_after,
    key_of,
    position_of,
    step,
)
from gads_conformance.warehouse.suite import WarehouseSuite
from gads_domain.errors import LedgerConflictError
from gads_domain.metadata import TableSchema
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.warehouse import FullLoad, Replacement, WarehouseAdapter, WarehousePosition

_SCHEMAS: dict[int, TableSchema] = {1: NARROW, 2: WIDE, 3: CHANGED, 4: CHANGED}

_KEYS = st.builds(key_of, st.integers(0, 3), st.integers(1, 2), st.sampled_from(["campaign", "account"]))
_REPLACED = st.dictionaries(_KEYS, st.tuples(st.integers(0, 3), st.sampled_from(sorted(_SCHEMAS))), max_size=4)


class WarehouseMachine(RuleBasedStateMachine):
    """A story of one warehouse."""

    numbers = itertools.count()

    def __init__(self, story: Story) -> None:
        super().__init__()
        self.story = story
        self.warehouse = story.warehouse
        self.run = 0
        self.position = 0
        self.at: WarehousePosition | FullLoad | None = None

    @rule(replaced=_REPLACED, removed=st.sets(_KEYS, max_size=3), ends=st.booleans())
    def apply(self, replaced: dict[PartitionKey, tuple[int, int]], removed: set[PartitionKey], ends: bool) -> None:
        replacements = self._replacements(replaced)
        remove = sorted(removed - set(replaced))
        self.position += 1
        target = position_of(self.position)
        to = target if ends else FullLoad(target, self.position, 1)
        shown = set(self.story.shown)
        done = self.story.apply(self.at, to, replacements, remove)
        self.at = to
        assert done.replaced == len(shown & set(replaced))
        assert done.added == len(replaced) - done.replaced
        assert done.removed == len(shown & set(remove))
        assert done.rows == sum(one.partition.record_count for one in replacements)

    @rule(replaced=_REPLACED, removed=st.sets(_KEYS, max_size=3))
    def break_off(self, replaced: dict[PartitionKey, tuple[int, int]], removed: set[PartitionKey]) -> None:
        replacements = self._replacements(replaced)
        broken = Observed(replacements, broken_off_after(len(replacements)))
        with pytest.raises(BrokenOffError):
            self.warehouse.apply(step(self.at, position_of(self.position + 1), broken, sorted(removed - set(replaced))))

    @rule()
    def apply_from_elsewhere(self) -> None:
        with pytest.raises(LedgerConflictError):
            self.warehouse.apply(step(position_of(self.position + 7), position_of(self.position + 8)))

    @invariant()
    def shows_the_model(self) -> None:
        reports = {key.report for key in self.story.shown} | set(self.warehouse.reports())
        pointers = {one.key: one for report in reports for one in self.warehouse.pointers(report)}
        assert pointers == {key: pointer for key, (pointer, _) in self.story.shown.items()}
        found = {one.key: one for report in reports for one in self.warehouse.contents(report)}
        expected = {key: one for key, one in self.story.shown.items() if one[0].record_count}
        assert found.keys() == expected.keys()
        for key, (pointer, rows) in expected.items():
            assert found[key].run_id == pointer.run_id
            assert found[key].record_count == len(rows)
            assert found[key].sums["metrics_clicks"] == sum(row["metrics_clicks"] for row in rows)
        assert self.warehouse.mismatched() == []
        assert (self.warehouse.full_load() or self.warehouse.position()) == self.at

    def teardown(self) -> None:
        self.warehouse.close()

    def _replacements(self, replaced: dict[PartitionKey, tuple[int, int]]) -> list[Replacement]:
        self.run += 1
        return [
            self.story.replacement(key, self.run, count, schema=_SCHEMAS[version], version=version)
            for key, (count, version) in sorted(replaced.items())
        ]


class ModelLaws(WarehouseSuite):
    """Random steps, some of them broken off."""

    quick: ClassVar[tuple[int, int]] = (6, 6)
    campaign: ClassVar[tuple[int, int]] = (100, 25)
    effort = quick_and_campaign(timeout=3600)

    def test_any_story_agrees_with_the_model(
        self,
        adapter: WarehouseAdapter,
        warehouse_url: str,
        base: Path,
        write_payload: WritePayload,
        effort: tuple[int, int],
    ) -> None:
        class Machine(WarehouseMachine):
            def __init__(self) -> None:
                folder = base / f"story-{next(self.numbers)}"
                folder.mkdir()
                url = f"{warehouse_url.partition(':')[0]}:tables.db"
                super().__init__(Story(folder, write_payload, adapter.open_warehouse(url, folder), lambda _: []))

        run_stories(Machine, *effort)
