"""The laws of `StateReader`, each test named by its law's number in the port."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gads_conformance.ledger_samples import (
    act_of,
    change_of,
    everything,
    judged,
    key_of,
    moment,
    record_one,
    run_of,
)
from gads_conformance.ledger_suite import LedgerSuite
from gads_domain.adapters import LedgerAdapter
from gads_domain.control import Mark
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.ledger import ControlPlaneLedger, StateReader, ValidatorLedger
from gads_domain.run import RunId
from gads_domain.state import (
    KeyHistory,
    PartitionState,
    PartitionStatus,
    StateChange,
    StateFilter,
    ValidationOutcome,
    ValidationResult,
)

PASSED, REJECTED, UNSEALED = ValidationOutcome.PASSED, ValidationOutcome.REJECTED, ValidationOutcome.UNSEALED


class StateReaderLaws(LedgerSuite):
    """Laws of `StateReader`."""

    def test_reader_law_1_no_row_is_pending_at_version_0(
        self, reader: StateReader, validator: ValidatorLedger, control_plane: ControlPlaneLedger
    ) -> None:
        """A partition without a row is `pending`, at version 0, with nothing else set."""
        record_one(validator, judged(key_of(1), 1))
        for ledger in (reader, validator, control_plane):
            absent = key_of(2)
            assert ledger.get(absent) == PartitionState(absent)
            assert ledger.get_many([absent, key_of(1)])[0] == PartitionState(absent)
            assert ledger.history(absent).results == ()
            assert ledger.history(absent).state == PartitionState(absent)
            assert ledger.acts(absent) == []

    def test_a_check_of_the_adapter_leaves_no_trace(self, adapter: LedgerAdapter, ledger_url: str, base: Path) -> None:
        """The adapter's `check` makes no ledger where there is none, and changes nothing where there is one."""
        adapter.check(ledger_url, base)
        with adapter.open_reader(ledger_url, base) as reader:
            assert reader.ledger_id() is None
        with adapter.open_for_validator(ledger_url, base) as validator:
            record_one(validator, judged(key_of(1), 1))
            before = everything(validator, [key_of(1)])
        adapter.check(ledger_url, base)
        with adapter.open_reader(ledger_url, base) as reader:
            assert everything(reader, [key_of(1)]) == before

    def test_reader_law_2_an_absent_ledger_reads_as_empty_and_is_not_created(
        self, reader: StateReader, adapter: LedgerAdapter, ledger_url: str, base: Path
    ) -> None:
        """A ledger that does not exist reads as empty and is not created by it."""
        key = key_of()
        assert reader.ledger_id() is None
        assert reader.get_many([key]) == [PartitionState(key)]
        assert list(reader.find(StateFilter())) == []
        assert reader.authority_changes() == []
        assert reader.position() == 0
        assert reader.schema_pin("google_ads", "campaign", 1) is None
        assert reader.newest_run() is None
        with adapter.open_reader(ledger_url, base) as another:
            assert another.ledger_id() is None

    def test_a_reader_sees_the_ledger_that_came_into_being(
        self, reader: StateReader, adapter: LedgerAdapter, ledger_url: str, base: Path
    ) -> None:
        """A reader that found nothing is not bound to nothing."""
        assert reader.position() == 0
        with adapter.open_for_validator(ledger_url, base) as validator:
            record_one(validator, judged(key_of(), 1))
            assert reader.position() == 1
            assert reader.ledger_id() == validator.ledger_id()
        assert reader.get(key_of()).version == 1

    def test_reader_law_2_reading_changes_nothing(
        self, reader: StateReader, validator: ValidatorLedger, adapter: LedgerAdapter, ledger_url: str, base: Path
    ) -> None:
        """Whatever is asked, the ledger says the same afterwards."""
        keys = [key_of(n) for n in range(1, 4)]
        record_one(validator, judged(keys[0], 1, REJECTED))
        before = everything(validator, keys)
        for _ in range(2):
            everything(reader, keys)
            list(reader.find(StateFilter()))
            reader.get_many(keys)
        assert everything(validator, keys) == before
        with adapter.open_reader(ledger_url, base) as another:
            assert everything(another, keys) == before

    def test_reader_law_3_find_is_of_one_moment(self, reader: StateReader, validator: ValidatorLedger) -> None:
        """What `find` hands out late is as old as what it handed out first, whatever was recorded meanwhile."""
        keys = [key_of(customer, day) for customer in (1, 2, 3) for day in range(1_000)]
        changes = [change_of(validator.history(keys[0]), judged(keys[0], 1))]
        changes += [StateChange(PartitionState(k), replace(changes[0].after, key=k), None) for k in keys[1:]]
        assert all(validator.record(changes))
        for ledger in (reader, validator):
            found = ledger.find(StateFilter())
            first = next(found)
            states = validator.get_many(keys)
            moved = [StateChange(s, replace(s, version=s.version + 1), None) for s in states]
            assert all(validator.record(moved))
            assert [first, *found] == states

    def test_reader_law_3_what_is_said_of_many_keys_is_of_one_moment(
        self, reader: StateReader, validator: ValidatorLedger, adapter: LedgerAdapter, ledger_url: str, base: Path
    ) -> None:
        """Keys that only ever move together are never seen apart, in `get_many` and in `histories`."""
        keys = [key_of(customer, day) for customer in (1, 2) for day in range(0, 40, 2)]

        def march() -> None:
            with adapter.open_for_validator(ledger_url, base) as marching:
                for number in range(1, 31):
                    states = marching.get_many(keys)
                    together = [change_of(KeyHistory(state), judged(state.key, number)) for state in states]
                    assert all(marching.record(together))

        with ThreadPoolExecutor(1) as pool:
            march_past = pool.submit(march)
            while not march_past.done():
                for ledger in (reader, validator):
                    assert len({state.version for state in ledger.get_many(keys)}) == 1
                    histories = ledger.histories(keys)
                    assert len({(one.state.version, len(one.results)) for one in histories}) == 1
                    assert histories[0].state.version == len(histories[0].results)
            march_past.result()
        assert {len(one.results) for one in reader.histories(keys)} == {30}

    def test_reader_law_4_and_5_the_log_grows_in_order(
        self, reader: StateReader, validator: ValidatorLedger, control_plane: ControlPlaneLedger
    ) -> None:
        """Numbers grow, a cursor gets exactly the rest, and time never goes back though clocks do."""
        for number, second in enumerate((50, 10, 90, 20), start=1):
            record_one(validator, judged(key_of(number), number, REJECTED, second=second))
        control_plane.retry([key_of(3)], act_of(second=5))
        log = reader.authority_changes()
        assert [entry.sequence for entry in log] == sorted({entry.sequence for entry in log})
        assert reader.position() == log[-1].sequence
        assert [entry.at for entry in log] == [moment(second) for second in (50, 50, 90, 90, 90)]
        for cursor in range(log[0].sequence - 1, log[-1].sequence + 2):
            rest = [entry for entry in log if entry.sequence > cursor]
            assert reader.authority_changes(after=cursor) == rest
            assert reader.authority_changes(after=cursor, limit=2) == rest[:2]
        assert reader.authority_changes(limit=0) == []

    def test_reader_law_8_the_newest_run_is_the_latest_with_a_result_that_is_not_revoked(
        self, reader: StateReader, validator: ValidatorLedger, control_plane: ControlPlaneLedger
    ) -> None:
        """By its id and not by when it was validated; a revocation counts for its own partition alone."""
        first, second = key_of(1), key_of(2)

        def newest() -> RunId | None:
            found = {ledger.newest_run() for ledger in (reader, validator, control_plane)}
            assert len(found) == 1
            return found.pop()

        assert newest() is None
        record_one(validator, judged(first, 5))
        assert newest() == run_of(5)
        record_one(validator, judged(second, 3, second=90))
        assert newest() == run_of(5)
        record_one(validator, judged(first, 7, UNSEALED))
        record_one(validator, judged(second, 7, REJECTED))
        record_one(validator, replace(judged(second, 7, second=91), seal_sha256="0" * 64))
        assert newest() == run_of(7)
        control_plane.mark([first], Mark.HELD, act_of())
        control_plane.revoke([(first, run_of(7))], act_of())
        assert newest() == run_of(7)
        control_plane.revoke([(second, run_of(7)), (second, run_of(7))], act_of())
        assert newest() == run_of(5)
        record_one(validator, replace(judged(first, 7, second=92), seal_sha256="1" * 64))
        assert newest() == run_of(5)
        control_plane.revoke([(first, run_of(5)), (second, run_of(3))], act_of())
        assert newest() is None
        record_one(validator, judged(second, 4, entropy=1))
        assert newest() == run_of(4, entropy=1)

    def test_get_many_keeps_the_order_asked_for(self, reader: StateReader, validator: ValidatorLedger) -> None:
        """One state for each key asked for, in that order, repeated keys included."""
        keys = [key_of(n) for n in (3, 1, 2)]
        for number, key in enumerate(keys, start=1):
            record_one(validator, judged(key, number))
        asked = [keys[1], key_of(9), keys[0], keys[2], keys[1]]
        assert [state.key for state in reader.get_many(asked)] == asked
        assert [state.version for state in reader.get_many(asked)] == [1, 0, 1, 1, 1]
        assert reader.get_many([]) == []

    def test_histories_say_of_each_key_what_is_its_own(
        self, reader: StateReader, validator: ValidatorLedger, control_plane: ControlPlaneLedger
    ) -> None:
        """In the order asked for, repeated keys included, the neighbours of a key left out if nobody asked for them."""
        keys = [
            key_of(customer, day, report, source)
            for source in ("google_ads", "other")
            for customer in (1, 11)
            for report in ("ad_group", "campaign")
            for day in (0, 1, 2, 4, 400)
        ]
        told: dict[PartitionKey, list[ValidationResult]] = {key: [] for key in keys}
        for number, key in enumerate(keys):
            for run in range(number % 4, 0, -1):  # later runs first; every fourth key has none
                attempt = judged(key, number * 10 + run, (PASSED, REJECTED, UNSEALED)[(number + run) % 3])
                record_one(validator, attempt)
                told[key].append(attempt)
        withdrawn = [key for key in keys[::3] if told[key]]
        control_plane.revoke([(key, told[key][0].run_id) for key in withdrawn], act_of())
        asked = [*reversed(keys), key_of(11, 3, "ad_group"), *keys[2:9:2], keys[1]]
        for ledger in (reader, validator, control_plane):
            assert ledger.histories([]) == []
            said = ledger.histories(asked)
            assert [one.state for one in said] == [ledger.get(key) for key in asked]
            assert [one.state.key for one in said] == asked
            for key, one in zip(asked, said, strict=True):
                assert one.results == tuple(told.get(key, ()))
                assert one.revoked == ({told[key][0].run_id} if key in withdrawn else frozenset())
                assert ledger.history(key) == one

    def test_find_matches_exactly_and_in_key_order(self, reader: StateReader, validator: ValidatorLedger) -> None:
        """All of a filter has to match, an empty member means all, bounds are included, a limit cuts the end off."""
        keys = [
            key_of(customer, day, report, source)
            for source in ("google_ads", "other")
            for customer in (9, 10, 200)
            for report in ("ad_group", "campaign")
            for day in (0, 1, 40)
        ]
        outcomes = (PASSED, REJECTED, UNSEALED)
        for number, key in enumerate(reversed(keys)):
            record_one(validator, judged(key, number + 1, outcomes[number % 3]))
        states = {state.key: state for state in validator.get_many(keys)}
        day = keys[0].logical_date
        filters = [
            StateFilter(),
            StateFilter(source="other"),
            StateFilter(source="nowhere"),
            StateFilter(customer_ids=("10",)),
            StateFilter(customer_ids=("200", "9", "9", "77")),
            StateFilter(reports=("campaign",), since=day + timedelta(days=1)),
            StateFilter(until=day),
            StateFilter(since=day + timedelta(days=1), until=day + timedelta(days=1)),
            StateFilter(since=day + timedelta(days=2), until=day),
            StateFilter(statuses=(PartitionStatus.FAILED,)),
            StateFilter(statuses=(PartitionStatus.PENDING,)),
            StateFilter(statuses=(PartitionStatus.SUCCESS,), since=day, until=day),
            StateFilter(statuses=tuple(PartitionStatus)),
            StateFilter(statuses=(PartitionStatus.FAILED, PartitionStatus.PENDING), customer_ids=("9", "10")),
            StateFilter("google_ads", ("10", "9"), ("ad_group",), day, day, (PartitionStatus.FAILED,)),
        ]
        for wanted in filters:
            expected = [states[key] for key in sorted(keys) if _matches(states[key], wanted)]
            assert list(reader.find(wanted)) == expected
            for limit in (0, 1, 4):
                assert list(reader.find(wanted, limit=limit)) == expected[:limit]

    def test_the_ledger_id_is_one_for_all_and_for_good(
        self, adapter: LedgerAdapter, ledger_url: str, base: Path
    ) -> None:
        """Whoever opens the ledger, now or later, is told the same name."""
        with adapter.open_for_validator(ledger_url, base) as ledger:
            name = ledger.ledger_id()
        assert name
        with adapter.open_for_control_plane(ledger_url, base) as again:
            assert again.ledger_id() == name
        with adapter.open_reader(ledger_url, base) as reader:
            assert reader.ledger_id() == name

    def test_a_closed_ledger_is_an_error(self, adapter: LedgerAdapter, ledger_url: str, base: Path) -> None:
        """Using a ledger after `close` is an error; closing it again is none."""
        for opened in (
            adapter.open_for_validator(ledger_url, base),
            adapter.open_for_control_plane(ledger_url, base),
            adapter.open_reader(ledger_url, base),
        ):
            opened.close()
            opened.close()
            with pytest.raises(Exception, match="closed"):
                opened.position()
            with pytest.raises(Exception, match="closed"):
                list(opened.find(StateFilter()))

    def test_authority_is_cut(
        self, reader: StateReader, validator: ValidatorLedger, control_plane: ControlPlaneLedger
    ) -> None:
        """Nobody holds a method that is not theirs."""
        assert not hasattr(reader, "record")
        assert not hasattr(reader, "retry")
        assert not hasattr(validator, "retry")
        assert not hasattr(control_plane, "record")


def _matches(state: PartitionState, wanted: StateFilter) -> bool:
    key = state.key
    return (
        (wanted.source is None or key.source == wanted.source)
        and (not wanted.customer_ids or key.customer_id in wanted.customer_ids)
        and (not wanted.reports or key.report in wanted.reports)
        and (wanted.since is None or key.logical_date >= wanted.since)
        and (wanted.until is None or key.logical_date <= wanted.until)
        and (not wanted.statuses or state.status in wanted.statuses)
    )
