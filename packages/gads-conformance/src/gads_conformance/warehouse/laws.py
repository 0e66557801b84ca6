"""The laws of `Warehouse`: one by one, and all of them in random steps against a model."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from gads_conformance.law import law, quick_and_campaign, run_stories
from gads_conformance.warehouse.samples import (
    CHANGED,
    NARROW,
    WIDE,
    BrokenOffError,
    Observed,
    ReadRows,
    Story,
    WritePayload,
    broken_off_after,
    key_of,
    position_of,
    step,
)
from gads_conformance.warehouse.suite import WarehouseSuite
from gads_conformance.worker_process import WorkerProcess
from gads_domain.account import AccountStatus
from gads_domain.completeness import Freshness
from gads_domain.errors import DamagedPartitionError, LedgerConflictError, UsageError
from gads_domain.expectations import Expectation, Expectations, ListedAccount
from gads_domain.metadata import TableSchema
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.ports.warehouse import (
    FullLoad,
    LoadedExpectations,
    LoadedStep,
    LoadMode,
    Replacement,
    Warehouse,
    WarehouseAdapter,
    WarehousePosition,
)

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


class WarehouseLaws(ModelLaws):
    """Every law of `Warehouse`. A subclass gives what `WarehouseSuite` names."""

    @law("Warehouse", 3)
    def test_what_was_applied_is_shown(self, story: Story, warehouse: Warehouse) -> None:
        first = [story.replacement(key_of(day), 1, day) for day in range(4)]
        other = [story.replacement(key_of(0, 2, "account"), 1)]
        done = story.apply(None, position_of(5), [*first, *other], mode=LoadMode.RECONCILE)
        assert done == LoadedStep(5, 0, 0, 9)
        story.require_shown()
        assert warehouse.position() == position_of(5)
        assert warehouse.reports() == ["account", "campaign"]
        again = [story.replacement(key_of(2), 2, 5), story.replacement(key_of(7), 2, 1)]
        done = story.apply(position_of(5), position_of(9), again, [key_of(1), key_of(0, 2, "account")])
        assert done == LoadedStep(1, 1, 2, 6)
        story.require_shown()
        assert warehouse.position() == position_of(9)

    def test_removing_what_is_not_shown_is_not_an_error(self, story: Story, warehouse: Warehouse) -> None:
        done = warehouse.apply(step(None, position_of(2), [], [key_of(1)]))
        assert done == LoadedStep(0, 0, 0, 0)
        assert warehouse.position() == position_of(2)

    @law("Warehouse", 1)
    def test_an_error_in_the_middle_changes_nothing(self, story: Story, warehouse: Warehouse) -> None:
        story.begin(3)
        later = [
            story.replacement(key_of(1), 2),
            story.replacement(key_of(9), 2),
            story.replacement(key_of(5), 2, schema=CHANGED, version=2),
            story.replacement(key_of(0, 1, "new"), 2),
        ]
        with pytest.raises(BrokenOffError):
            warehouse.apply(step(position_of(3), position_of(8), Observed(later, broken_off_after(4)), [key_of(0)]))
        story.require_shown()
        assert warehouse.position() == position_of(3)
        assert warehouse.reports() == ["campaign"]

    @law("Warehouse", 1)
    def test_an_error_in_the_first_step_leaves_an_empty_warehouse(self, story: Story, warehouse: Warehouse) -> None:
        one = story.replacement(key_of(1), 1)
        with pytest.raises(BrokenOffError):
            warehouse.apply(step(None, position_of(8), Observed([one], broken_off_after(1))))
        assert warehouse.position() is None
        assert warehouse.reports() == []
        warehouse.apply(step(None, position_of(1), [one]))
        assert [pointer.key for pointer in warehouse.pointers("campaign")] == [key_of(1)]

    @law("Warehouse", 1)
    @pytest.mark.parametrize("stop_after", [0, 1, 2])
    def test_a_killed_process_changes_nothing(
        self, stop_after: int, story: Story, warehouse: Warehouse, warehouse_url: str, base: Path
    ) -> None:
        story.begin(3)
        later = [story.replacement(key_of(1), 2), story.replacement(key_of(4), 2, schema=CHANGED, version=2)]
        payloads = [str(one.payload) for one in later]
        with WorkerProcess("gads_conformance.warehouse.worker", warehouse_url, str(base), *payloads) as worker:
            assert worker.ask(stop_after) == "stopped"
        story.require_shown()
        assert warehouse.position() == position_of(3)
        story.apply(position_of(3), position_of(8), later, [key_of(0)])
        story.require_shown()

    @law("Warehouse", 2)
    def test_a_step_from_elsewhere_is_refused(self, story: Story, warehouse: Warehouse) -> None:
        with pytest.raises(LedgerConflictError):
            warehouse.apply(step(position_of(1), position_of(2), [story.replacement(key_of(0), 1)]))
        story.apply(None, position_of(3), [story.replacement(key_of(0), 1)])
        for after in (None, position_of(2), position_of(4)):
            with pytest.raises(LedgerConflictError):
                warehouse.apply(step(after, position_of(5), [story.replacement(key_of(0), 2)], [key_of(1)]))
        story.require_shown()
        assert warehouse.position() == position_of(3)

    @law("Warehouse", 2)
    def test_a_step_of_another_ledger_or_source_is_refused(self, story: Story, warehouse: Warehouse) -> None:
        warehouse.apply(step(None, position_of(3), [story.replacement(key_of(0), 1)]))
        with pytest.raises(UsageError):
            warehouse.apply(step(position_of(3), position_of(5, "ledger-b")))
        with pytest.raises(UsageError):
            warehouse.apply(replace(step(position_of(3), position_of(5)), source="elsewhere"))
        assert warehouse.position() == position_of(3)

    @law("Warehouse", 4)
    def test_pointers_come_and_go_with_their_rows(
        self, story: Story, warehouse: Warehouse, read_rows: ReadRows
    ) -> None:
        steps = [
            step(None, position_of(2), [story.replacement(key_of(day), 1) for day in range(3)]),
            step(position_of(2), position_of(4), [story.replacement(key_of(0), 2)], [key_of(1)]),
            step(position_of(4), position_of(5), [story.replacement(key_of(1), 3)], [key_of(0), key_of(2)]),
            step(position_of(5), position_of(6), [], [key_of(1)]),
        ]
        counts = []
        for one in steps:
            warehouse.apply(one)
            pointers = {(one.key.logical_date, one.run_id.value) for one in warehouse.pointers("campaign")}
            assert pointers == {(row["_logical_date"], row["_run_id"]) for row in read_rows("campaign")}
            counts.append(len(warehouse.pointers("campaign")))
        assert counts == [3, 2, 1, 0]

    @law("Warehouse", 5)
    def test_reading_an_absent_warehouse_creates_nothing(self, warehouse: Warehouse, base: Path) -> None:
        before = sorted(base.rglob("*"))
        assert (warehouse.position(), warehouse.full_load()) == (None, None)
        assert [*warehouse.reports(), *warehouse.pointers("campaign"), *warehouse.mismatched()] == []
        assert list(warehouse.contents("campaign")) == []
        assert dict(warehouse.invalid_identity()) == {}
        assert warehouse.view_figures() == []
        assert warehouse.is_current()
        with pytest.raises(UsageError):
            warehouse.query("SELECT 1")
        assert sorted(base.rglob("*")) == before

    @law("Warehouse", 5)
    def test_reading_changes_no_byte(self, story: Story, warehouse: Warehouse, base: Path) -> None:
        one = story.replacement(key_of(0), 1)
        warehouse.apply(step(None, position_of(3), [one]))
        before = {path: path.read_bytes() for path in base.rglob("*") if path.is_file()}
        warehouse.position(), warehouse.reports(), warehouse.pointers("campaign"), warehouse.mismatched()
        list(warehouse.contents("campaign"))
        warehouse.measure([one])
        assert warehouse.is_current()
        assert {path: path.read_bytes() for path in base.rglob("*") if path.is_file()} == before

    @law("Warehouse", 6)
    @pytest.mark.parametrize("order", [(1, 2), (2, 1)])
    def test_added_columns_share_the_table(self, order: tuple[int, int], story: Story, warehouse: Warehouse) -> None:
        at = None
        for number, version in enumerate(order, start=1):
            one = story.replacement(key_of(number), 1, schema=NARROW if version == 1 else WIDE, version=version)
            story.apply(at, position_of(number), [one])
            at = position_of(number)
        story.require_shown()
        assert all(
            set(one.sums) == {"metrics_clicks", "metrics_conversions_value"} for one in warehouse.contents("campaign")
        )

    @law("Warehouse", 6)
    @pytest.mark.parametrize("schema", [CHANGED, NARROW], ids=["another type", "another meaning"])
    def test_what_changed_does_not_share_the_table(self, schema: TableSchema, story: Story) -> None:
        both = [story.replacement(key_of(0), 1), story.replacement(key_of(1), 1, schema=schema, version=2)]
        story.apply(None, position_of(2), both)
        story.require_shown()
        swapped = [story.replacement(key_of(0), 2, schema=schema, version=2), story.replacement(key_of(1), 2)]
        story.apply(position_of(2), position_of(4), swapped[::-1])
        story.require_shown()

    @law("Warehouse", 6)
    def test_one_version_with_two_schemas_is_refused(self, story: Story, warehouse: Warehouse) -> None:
        one, two = story.replacement(key_of(0), 1), story.replacement(key_of(1), 1, schema=WIDE)
        with pytest.raises(UsageError):
            warehouse.apply(step(None, position_of(2), [one, two]))
        story.apply(None, position_of(1), [one])
        with pytest.raises(UsageError):
            warehouse.apply(step(position_of(1), position_of(2), [two]))
        story.require_shown()

    @law("Warehouse", 7)
    def test_contents_equal_what_was_measured(self, story: Story, warehouse: Warehouse) -> None:
        several = [
            story.replacement(key_of(0), 1, 4),
            story.replacement(key_of(1), 1, 2, schema=WIDE, version=2),
            story.replacement(key_of(2), 1, 3, schema=CHANGED, version=3),
        ]
        warehouse.apply(step(None, position_of(2), several))
        measured = warehouse.measure(several)
        assert sorted(warehouse.contents("campaign"), key=lambda one: one.key) == measured
        assert [one.record_count for one in measured] == [4, 2, 3]
        assert measured[0].sums["metrics_clicks"] == 64
        (other,) = warehouse.measure([story.replacement(key_of(0), 2, 4)])
        assert other.digest != measured[0].digest
        (empty,) = warehouse.measure([story.replacement(key_of(5), 2, 0)])
        assert empty.record_count == 0

    @law("Warehouse", 8)
    @pytest.mark.parametrize("counts", [[0], [2], [4], [2, 4]], ids=str)
    def test_another_number_of_rows_is_refused(self, counts: list[int], story: Story, warehouse: Warehouse) -> None:
        story.begin(1)
        wrong = [story.replacement(key_of(day), 2, 3, record_count=count) for day, count in enumerate(counts)]
        with pytest.raises(DamagedPartitionError):
            warehouse.apply(step(position_of(1), position_of(2), wrong))
        story.require_shown()

    @law("Warehouse", 9)
    def test_a_reader_in_the_middle_sees_what_was_before(self, story: Story, warehouse: Warehouse) -> None:
        story.begin(3)
        before = list(warehouse.contents("campaign"))
        seen = []

        def look(_: int) -> None:
            seen.append((warehouse.position(), list(warehouse.contents("campaign"))))

        later = [
            story.replacement(key_of(0), 2),
            story.replacement(key_of(0, 1, "account"), 2),
            story.replacement(key_of(1), 2),
            story.replacement(key_of(5), 2, schema=CHANGED, version=2),
        ]
        warehouse.apply(step(position_of(3), position_of(8), Observed(later, look), [key_of(2)]))
        assert seen == [(position_of(3), before)] * 5
        assert warehouse.position() == position_of(8)

    @law("Warehouse", 10)
    def test_an_invalid_identity_is_counted_apart_and_removed_on_request(
        self, story: Story, warehouse: Warehouse, plant_invalid: Callable[[], None]
    ) -> None:
        story.begin(2)
        before = warehouse.pointers("campaign"), sorted(warehouse.contents("campaign"), key=lambda one: one.key)
        plant_invalid()
        assert sum(warehouse.invalid_identity().values()) > 1
        now = warehouse.pointers("campaign"), sorted(warehouse.contents("campaign"), key=lambda one: one.key)
        assert now == before
        warehouse.apply(step(position_of(2), position_of(3), mode=LoadMode.RECONCILE))
        assert warehouse.invalid_identity()
        warehouse.apply(step(position_of(3), position_of(4), discard_invalid=True))
        assert dict(warehouse.invalid_identity()) == {}
        story.require_shown()

    @law("Warehouse", 11)
    def test_a_query_reads(self, story: Story, warehouse: Warehouse) -> None:
        story.begin(3)
        found = warehouse.query("SELECT campaign_id AS number, count(*) AS days FROM campaign GROUP BY 1 ORDER BY 1")
        assert found.columns == ("number", "days")
        assert found.rows == ((0, 3), (1, 3), (2, 3))
        invalid = "SELECT nothing FROM campaign", "SELECT FROM WHERE", ""
        for sql in ("DELETE FROM campaign", "SELECT 1; DELETE FROM campaign", "COMMIT", *invalid):
            with pytest.raises(UsageError):
                warehouse.query(sql)
        story.require_shown()

    @law("Warehouse", 13)
    def test_what_is_expected_comes_with_a_step(self, story: Story, warehouse: Warehouse) -> None:
        assert warehouse.expected() is None
        drawn_at = datetime(2024, 6, 2, 3, 4, 5, 678901, tzinfo=UTC)
        listed = ListedAccount(
            "1", "Acme “Süd”", "EUR", "Europe/Berlin", ("90", "9"), AccountStatus.ENABLED, True, "", drawn_at, drawn_at
        )
        skipped = ListedAccount("2", selected=False, skipped="accounts.exclude has it")
        first, last = date(2024, 5, 1), date(2024, 5, 31)
        expected = (
            Expectation("1", "campaign", first, last, "the account is not listed any more"),
            Expectation("1", "campaign", last + timedelta(days=2)),
            Expectation("2", "campaign", first, last, inferred=True),
        )
        some = LoadedExpectations(
            Expectations(GOOGLE_ADS, drawn_at, (listed, skipped), expected),
            Freshness(timedelta(hours=1.5), timedelta(hours=40), {"campaign": timedelta(hours=30), "ad": timedelta(0)}),
            (key_of(1), key_of(7)),
        )
        none = LoadedExpectations(Expectations(GOOGLE_ADS), Freshness())
        warehouse.apply(replace(step(None, position_of(1), [story.replacement(key_of(1), 1)]), expected=some))
        assert warehouse.expected() == some
        broken = Observed([story.replacement(key_of(2), 1)], broken_off_after(1))
        with pytest.raises(BrokenOffError):
            warehouse.apply(replace(step(position_of(1), position_of(2), broken), expected=none))
        assert warehouse.expected() == some
        warehouse.apply(step(position_of(1), position_of(2), [story.replacement(key_of(3), 1)]))
        assert warehouse.expected() == some
        warehouse.apply(replace(step(position_of(2), position_of(2)), expected=none))
        assert warehouse.expected() == none

    @law("Warehouse", 12)
    def test_a_full_load_has_no_position_until_it_ends(self, story: Story, warehouse: Warehouse) -> None:
        at: WarehousePosition | FullLoad | None = None
        for load in (1, 2):
            target, later = position_of(load * 10), position_of(load * 10 + 5)
            steps: list[WarehousePosition | FullLoad] = [FullLoad(target, 2, 3), FullLoad(later, 4, 1), later]
            for number, to in enumerate(steps):
                several = [story.replacement(key_of(number), load, number), story.replacement(key_of(9), number + 1)]
                remove = [key_of(0)] if number == 1 else []
                story.apply(at, to, several, remove, mode=LoadMode.RECONCILE)
                story.require_shown()
                assert warehouse.full_load() == (to if isinstance(to, FullLoad) else None)
                assert warehouse.position() == (None if isinstance(to, FullLoad) else to)
                at = to

    @law("Warehouse", 12)
    def test_a_step_that_does_not_continue_the_full_load_is_refused(self, story: Story, warehouse: Warehouse) -> None:
        one = [story.replacement(key_of(0), 1)]
        earlier, now = FullLoad(position_of(9), 1, 2), FullLoad(position_of(9), 2, 1)
        story.apply(None, earlier, one)
        warehouse.apply(step(earlier, now))
        for after in (None, position_of(9), earlier):
            with pytest.raises(LedgerConflictError):
                warehouse.apply(step(after, position_of(9), [], [key_of(0)]))
        with pytest.raises(UsageError):
            warehouse.apply(step(now, position_of(9, "ledger-b")))
        story.require_shown()
        assert warehouse.full_load() == now

    @law("Warehouse", 15)
    def test_an_erased_account_is_in_no_table(self, story: Story, warehouse: Warehouse) -> None:
        listed = tuple(ListedAccount(number, f"Name {number}") for number in ("1", "2"))
        expected = tuple(Expectation(one.customer_id, "campaign", date(2024, 1, 1)) for one in listed)

        def loaded(number: int) -> LoadedExpectations:
            known = Expectations(GOOGLE_ADS, datetime(2024, 6, 1, tzinfo=UTC), listed[:number], expected[:number])
            return LoadedExpectations(known, Freshness(), (key_of(0, int(listed[number - 1].customer_id)),))

        kinds = [(1, NARROW), (2, WIDE), (3, CHANGED)]
        keys = [
            key_of(day, customer, report) for day in range(3) for customer in (1, 2) for report in ("campaign", "ad")
        ]
        first = [
            story.replacement(key, 1, schema=schema, version=version)
            for key, (version, schema) in zip(keys, [kinds[key.logical_date.day % 3] for key in keys], strict=True)
        ]
        warehouse.apply(replace(step(None, position_of(1), first), expected=loaded(2)))
        story.expect(first)
        story.apply(position_of(1), position_of(2), [], [key_of(0, 2, "campaign")])
        before, mine = warehouse.account_rows("1"), warehouse.account_rows("2")
        assert sum(mine.values()) > 2 * len(keys)
        assert warehouse.account_rows("3") == {}
        erasing = replace(step(position_of(2), position_of(2)), erase=("2",), expected=loaded(1))
        with pytest.raises(LedgerConflictError):
            warehouse.apply(replace(erasing, after=position_of(1)))
        assert warehouse.apply(erasing).removed == 5
        story.expect(remove=[key for key in keys if key.customer_id == "2"])
        story.require_shown()
        assert warehouse.account_rows("2") == {}
        kept = 1  # what is held now
        assert sum(warehouse.account_rows("1").values()) == sum(before.values()) + kept
        assert warehouse.expected() == loaded(1)
        assert [one for one in warehouse.view_figures() if not one.agrees] == []
        warehouse.apply(erasing)
        story.require_shown()

    @law("Warehouse", 14)
    def test_views_show_what_the_tables_hold(
        self, story: Story, warehouse: Warehouse, break_view: Callable[[], None]
    ) -> None:
        story.begin(3)
        figures = warehouse.view_figures()
        assert [one for one in figures if not one.agrees] == []
        counts = warehouse.view_figures(counts_only=True)
        assert {one.view for one in counts} == {one.view for one in figures}
        assert set(counts) < set(figures)
        break_view()
        assert not warehouse.is_current()
        assert [one for one in warehouse.view_figures(counts_only=True) if not one.agrees] != []
        story.apply(position_of(3), position_of(4), [story.replacement(key_of(3), 1)])
        assert warehouse.is_current()
        assert [one for one in warehouse.view_figures() if not one.agrees] == []
