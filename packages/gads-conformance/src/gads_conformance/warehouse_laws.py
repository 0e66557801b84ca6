"""The laws of `Warehouse`, each test named by its number in the port; an engine's tests subclass `WarehouseLaws`."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from gads_conformance.warehouse_machine import check_against_model
from gads_conformance.warehouse_samples import (
    CHANGED,
    NARROW,
    WIDE,
    Story,
    WritePayload,
    key_of,
    position_of,
    step,
)
from gads_conformance.warehouse_suite import ReadRows, WarehouseSuite, keys_shown
from gads_domain.errors import DamagedPartitionError, LedgerConflictError, UsageError
from gads_domain.ports.warehouse import LoadedStep, LoadMode, Replacement, Warehouse, WarehouseAdapter


class _BrokenOffError(Exception):
    """What ends a step in the middle."""


class WarehouseLaws(WarehouseSuite):
    """Every law of a warehouse; see `WarehouseSuite` for what a subclass gives."""

    def test_law_3_what_was_applied_is_shown(self, story: Story, warehouse: Warehouse, read_rows: ReadRows) -> None:
        """Several chunks, reports and a day without rows; then replacement, withdrawal and new days in one step."""
        first = [story.replacement(key_of(day), 1, day) for day in range(4)]
        other = [story.replacement(key_of(0, 2, "account"), 1)]
        done = warehouse.apply(step(None, position_of(5), [first[:2], first[2:], other], mode=LoadMode.RECONCILE))
        assert done == LoadedStep(5, 0, 0, 9)
        story.expect([*first, *other])
        self.require_shown(story, warehouse, read_rows)
        assert warehouse.position() == position_of(5)
        assert warehouse.reports() == ["account", "campaign"]
        again = [story.replacement(key_of(2), 2, 5), story.replacement(key_of(7), 2, 1)]
        done = warehouse.apply(step(position_of(5), position_of(9), [again], [key_of(1), key_of(0, 2, "account")]))
        assert done == LoadedStep(1, 1, 2, 6)
        story.expect(again, [key_of(1), key_of(0, 2, "account")])
        self.require_shown(story, warehouse, read_rows)
        assert warehouse.position() == position_of(9)

    def test_removing_what_is_not_shown_is_no_error(self, story: Story, warehouse: Warehouse) -> None:
        """A partition may come and go between two steps."""
        done = warehouse.apply(step(None, position_of(2), [], [key_of(1)]))
        assert done == LoadedStep(0, 0, 0, 0)
        assert warehouse.position() == position_of(2)

    def test_law_1_an_error_in_the_middle_changes_nothing(
        self, story: Story, warehouse: Warehouse, read_rows: ReadRows
    ) -> None:
        """What `replace` raises comes out as it is, and neither rows nor pointers nor tables of the step stay."""
        first = [story.replacement(key_of(day), 1) for day in range(3)]
        warehouse.apply(step(None, position_of(3), [first]))
        story.expect(first)

        def chunks() -> Iterator[Sequence[Replacement]]:
            yield [story.replacement(key_of(1), 2), story.replacement(key_of(9), 2)]
            yield [
                story.replacement(key_of(5), 2, schema=CHANGED, version=2),
                story.replacement(key_of(0, 1, "new"), 2),
            ]
            raise _BrokenOffError

        with pytest.raises(_BrokenOffError):
            warehouse.apply(step(position_of(3), position_of(8), chunks(), [key_of(0)]))
        self.require_shown(story, warehouse, read_rows)
        assert warehouse.position() == position_of(3)
        assert warehouse.reports() == ["campaign"]

    def test_law_1_an_error_in_the_first_step_leaves_an_empty_warehouse(
        self, story: Story, warehouse: Warehouse
    ) -> None:
        """It can be loaded afterwards as if nothing had been."""

        def chunks() -> Iterator[Sequence[Replacement]]:
            yield [story.replacement(key_of(1), 1)]
            raise _BrokenOffError

        with pytest.raises(_BrokenOffError):
            warehouse.apply(step(None, position_of(8), chunks()))
        assert warehouse.position() is None
        assert warehouse.reports() == []
        warehouse.apply(step(None, position_of(1), [[story.replacement(key_of(1), 1)]]))
        assert keys_shown(warehouse, "campaign") == [key_of(1)]

    @pytest.mark.parametrize("chunks_before", [0, 1, 2])
    def test_law_1_a_killed_process_changes_nothing(
        self,
        chunks_before: int,
        story: Story,
        warehouse: Warehouse,
        read_rows: ReadRows,
        warehouse_url: str,
        base: Path,
    ) -> None:
        """SIGKILL between the chunks of a step: the next who comes finds the step before, and carries this one out."""
        first = [story.replacement(key_of(day), 1) for day in range(3)]
        warehouse.apply(step(None, position_of(3), [first]))
        story.expect(first)
        later = [[story.replacement(key_of(1), 2)], [story.replacement(key_of(4), 2, schema=CHANGED, version=2)]]
        names = [[str(one.payload) for one in chunk] for chunk in later]
        order = {"url": warehouse_url, "base": str(base), "chunks": names, "stop_after": chunks_before}
        worker = subprocess.Popen(
            [sys.executable, "-m", "gads_conformance.warehouse_worker", json.dumps(order)],
            stdout=subprocess.PIPE,
            stdin=subprocess.PIPE,
        )
        try:
            assert worker.stdout is not None
            assert worker.stdout.readline() == b"in the middle\n"
        finally:
            worker.send_signal(signal.SIGKILL)
            worker.communicate(timeout=30)
        self.require_shown(story, warehouse, read_rows)
        assert warehouse.position() == position_of(3)
        warehouse.apply(step(position_of(3), position_of(8), later, [key_of(0)]))
        story.expect([one for chunk in later for one in chunk], [key_of(0)])
        self.require_shown(story, warehouse, read_rows)

    def test_law_2_a_step_from_elsewhere_is_refused(
        self, story: Story, warehouse: Warehouse, read_rows: ReadRows
    ) -> None:
        """From a position passed, from none, from one not reached; a repeated step is one of them."""
        with pytest.raises(LedgerConflictError):
            warehouse.apply(step(position_of(1), position_of(2), [[story.replacement(key_of(0), 1)]]))
        first = step(None, position_of(3), [[story.replacement(key_of(0), 1)]])
        warehouse.apply(first)
        story.expect([story.replacement(key_of(0), 1)])
        for after in (None, position_of(2), position_of(4)):
            with pytest.raises(LedgerConflictError):
                warehouse.apply(step(after, position_of(5), [[story.replacement(key_of(0), 2)]], [key_of(1)]))
        self.require_shown(story, warehouse, read_rows)
        assert warehouse.position() == position_of(3)

    def test_law_2_a_step_of_another_ledger_or_source_is_refused(self, story: Story, warehouse: Warehouse) -> None:
        """Tables are of one ledger and one source for good."""
        warehouse.apply(step(None, position_of(3), [[story.replacement(key_of(0), 1)]]))
        with pytest.raises(UsageError):
            warehouse.apply(step(position_of(3), position_of(5, "ledger-b")))
        with pytest.raises(UsageError):
            warehouse.apply(replace(step(position_of(3), position_of(5)), source="elsewhere"))
        assert warehouse.position() == position_of(3)

    def test_law_4_pointers_come_and_go_with_their_rows(
        self, story: Story, warehouse: Warehouse, read_rows: ReadRows
    ) -> None:
        """In whichever of the steps, there is no pointer without its rows and no row without its pointer."""

        def of_each() -> list[tuple[date, str]]:
            return [(one.key.logical_date, one.run_id.value) for one in sorted(warehouse.pointers("campaign"))]

        def of_rows() -> list[tuple[date, str]]:
            return sorted({(row["_logical_date"], row["_run_id"]) for row in read_rows("campaign")})

        steps = [
            step(None, position_of(2), [[story.replacement(key_of(day), 1) for day in range(3)]]),
            step(position_of(2), position_of(4), [[story.replacement(key_of(0), 2)]], [key_of(1)]),
            step(position_of(4), position_of(5), [[story.replacement(key_of(1), 3)]], [key_of(0), key_of(2)]),
            step(position_of(5), position_of(6), [], [key_of(1)]),
        ]
        counts = []
        for one in steps:
            warehouse.apply(one)
            assert of_each() == of_rows()
            counts.append(len(of_each()))
        assert counts == [3, 2, 1, 0]

    def test_law_5_reading_an_absent_warehouse_creates_nothing(self, warehouse: Warehouse, base: Path) -> None:
        """It is empty, and stays absent."""
        before = sorted(base.rglob("*"))
        assert warehouse.position() is None
        assert warehouse.reports() == []
        assert warehouse.pointers("campaign") == []
        assert warehouse.untrue() == []
        assert dict(warehouse.unplaced()) == {}
        assert list(warehouse.contents("campaign")) == []
        assert warehouse.is_current()
        assert sorted(base.rglob("*")) == before

    def test_law_5_reading_changes_no_byte(self, story: Story, warehouse: Warehouse, base: Path) -> None:
        """Whatever is asked."""
        one = story.replacement(key_of(0), 1)
        warehouse.apply(step(None, position_of(3), [[one]]))
        before = {path: path.read_bytes() for path in base.rglob("*") if path.is_file()}
        warehouse.position(), warehouse.reports(), warehouse.pointers("campaign"), warehouse.untrue()
        list(warehouse.contents("campaign"))
        warehouse.measure([one])
        assert warehouse.is_current()
        assert {path: path.read_bytes() for path in base.rglob("*") if path.is_file()} == before

    @pytest.mark.parametrize("order", [(1, 2), (2, 1)])
    def test_law_6_added_columns_share_the_table(
        self, order: tuple[int, int], story: Story, warehouse: Warehouse, read_rows: ReadRows
    ) -> None:
        """Whichever version comes first."""
        at = None
        for number, version in enumerate(order, start=1):
            one = story.replacement(key_of(number), 1, schema=NARROW if version == 1 else WIDE, version=version)
            warehouse.apply(step(at, position_of(number), [[one]]))
            story.expect([one])
            at = position_of(number)
        self.require_shown(story, warehouse, read_rows)
        assert all(
            set(one.sums) == {"metrics_clicks", "metrics_conversions_value"} for one in warehouse.contents("campaign")
        )

    @pytest.mark.parametrize("schema", [CHANGED, NARROW], ids=["another type", "another meaning"])
    def test_law_6_what_changed_does_not_share_the_table(
        self, schema: object, story: Story, warehouse: Warehouse, read_rows: ReadRows
    ) -> None:
        """Also where one step holds both, and where a partition moves from one to the other and back."""
        changed = CHANGED if schema is CHANGED else NARROW
        both = [story.replacement(key_of(0), 1), story.replacement(key_of(1), 1, schema=changed, version=2)]
        warehouse.apply(step(None, position_of(2), [both]))
        story.expect(both)
        self.require_shown(story, warehouse, read_rows)
        moved = [story.replacement(key_of(0), 2, schema=changed, version=2), story.replacement(key_of(1), 2)]
        warehouse.apply(step(position_of(2), position_of(4), [moved[1:], moved[:1]]))
        story.expect(moved)
        self.require_shown(story, warehouse, read_rows)

    def test_law_6_one_version_with_two_schemas_is_refused(
        self, story: Story, warehouse: Warehouse, read_rows: ReadRows
    ) -> None:
        """In one step or in two."""
        one, two = story.replacement(key_of(0), 1), story.replacement(key_of(1), 1, schema=WIDE)
        with pytest.raises(UsageError):
            warehouse.apply(step(None, position_of(2), [[one, two]]))
        warehouse.apply(step(None, position_of(1), [[one]]))
        story.expect([one])
        with pytest.raises(UsageError):
            warehouse.apply(step(position_of(1), position_of(2), [[two]]))
        self.require_shown(story, warehouse, read_rows)

    def test_law_7_contents_equal_what_was_measured(self, story: Story, warehouse: Warehouse) -> None:
        """Before and after loading, whatever else is in the tables; another row is another digest."""
        several = [
            story.replacement(key_of(0), 1, 4),
            story.replacement(key_of(1), 1, 2, schema=WIDE, version=2),
            story.replacement(key_of(2), 1, 3, schema=CHANGED, version=3),
        ]
        warehouse.apply(step(None, position_of(2), [several]))
        measured = warehouse.measure(several)
        assert sorted(warehouse.contents("campaign"), key=lambda one: one.key) == measured
        assert [one.record_count for one in measured] == [4, 2, 3]
        assert measured[0].sums["metrics_clicks"] == 64
        (other,) = warehouse.measure([story.replacement(key_of(0), 2, 4)])
        assert other.digest != measured[0].digest
        (empty,) = warehouse.measure([story.replacement(key_of(5), 2, 0)])
        assert empty.record_count == 0

    @pytest.mark.parametrize("vouched", [[0], [2], [4], [2, 4]], ids=str)
    def test_law_8_another_number_of_rows_is_refused(
        self, vouched: list[int], story: Story, warehouse: Warehouse, read_rows: ReadRows
    ) -> None:
        """More or fewer than the ledger vouches for, also where one payload has what another lacks."""
        good = story.replacement(key_of(0), 1)
        warehouse.apply(step(None, position_of(1), [[good]]))
        story.expect([good])
        wrong = [story.replacement(key_of(day), 2, 3, record_count=count) for day, count in enumerate(vouched)]
        with pytest.raises(DamagedPartitionError):
            warehouse.apply(step(position_of(1), position_of(2), [wrong]))
        self.require_shown(story, warehouse, read_rows)

    def test_law_9_a_reader_in_the_middle_sees_what_was_before(self, story: Story, warehouse: Warehouse) -> None:
        """Position, pointers and contents, after each chunk; a warehouse that shuts readers out says so instead."""
        first = [story.replacement(key_of(day), 1) for day in range(3)]
        warehouse.apply(step(None, position_of(3), [first]))
        before = list(warehouse.contents("campaign"))
        seen = []

        def chunks() -> Iterator[Sequence[Replacement]]:
            for day in (0, 1, 5):
                yield [story.replacement(key_of(day), 2)]
                seen.append((warehouse.position(), list(warehouse.contents("campaign"))))

        warehouse.apply(step(position_of(3), position_of(8), chunks(), [key_of(2)]))
        assert seen == [(position_of(3), before)] * 3
        assert warehouse.position() == position_of(8)

    def test_law_10_what_is_nobody_s_is_told_apart_and_removed_by_reconciling(
        self, story: Story, warehouse: Warehouse, read_rows: ReadRows, plant_strays: Callable[[], None]
    ) -> None:
        """Neither pointers nor contents speak of it, and a step of another mode leaves it."""
        first = [story.replacement(key_of(day), 1) for day in range(2)]
        warehouse.apply(step(None, position_of(2), [first]))
        story.expect(first)
        before = warehouse.pointers("campaign"), sorted(warehouse.contents("campaign"), key=lambda one: one.key)
        plant_strays()
        assert sum(warehouse.unplaced().values()) > 1
        now = warehouse.pointers("campaign"), sorted(warehouse.contents("campaign"), key=lambda one: one.key)
        assert now == before
        warehouse.apply(step(position_of(2), position_of(3), [], mode=LoadMode.FEED))
        assert warehouse.unplaced()
        warehouse.apply(step(position_of(3), position_of(4), [], mode=LoadMode.RECONCILE))
        assert dict(warehouse.unplaced()) == {}
        self.require_shown(story, warehouse, read_rows)

    def test_any_story_agrees_with_the_model(
        self, adapter: WarehouseAdapter, warehouse_url: str, base: Path, write_payload: WritePayload
    ) -> None:
        """Random steps, broken off at random places; see `warehouse_machine`."""
        scheme = warehouse_url.split(":", 1)[0] + ":"
        check_against_model(adapter, base, write_payload, scheme=scheme, examples=6, steps=6)

    @pytest.mark.campaign
    @pytest.mark.timeout(3600)
    def test_many_long_stories_agree_with_the_model(
        self, adapter: WarehouseAdapter, warehouse_url: str, base: Path, write_payload: WritePayload
    ) -> None:
        """The same, for minutes."""
        scheme = warehouse_url.split(":", 1)[0] + ":"
        check_against_model(adapter, base, write_payload, scheme=scheme, examples=100, steps=25)
