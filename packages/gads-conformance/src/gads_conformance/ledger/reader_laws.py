"""The laws of `StateReader` about the present."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from gads_conformance.law import law
from gads_conformance.ledger.samples import (
    FILTERS,
    PASSED,
    REJECTED,
    UNSEALED,
    act_of,
    change_of,
    everything,
    key_of,
    matches,
    moment,
    record_one,
    result_of,
    run_of,
)
from gads_conformance.ledger.suite import LedgerSuite, LedgerUnderTest
from gads_domain.control import Mark
from gads_domain.metadata import KnownContent
from gads_domain.partition_key import PartitionKey
from gads_domain.run import RunId
from gads_domain.state import (
    KeyHistory,
    PartitionState,
    StateChange,
    StateFilter,
    ValidationResult,
)


class ReaderLaws(LedgerSuite):
    """Laws of `StateReader`."""

    @law("StateReader", 12)
    def test_the_known_contents_are_those_of_authoritative_runs(self, ledger: LedgerUnderTest) -> None:
        keys = [key_of(customer, day, report) for customer in (1, 9) for day in (0, 1) for report in ("campaign", "ad")]
        for key in keys:
            ledger.record(result_of(key, 1, rows="a"))
        restated, damaged, held, revoked, failed = keys[:5]
        ledger.record(result_of(restated, 2, rows="b"))
        ledger.record(result_of(damaged, 2, rows="b"))
        ledger.record(result_of(damaged, 2, REJECTED))
        ledger.record(result_of(held, 2, count=0, vanished_rows=1.0))
        ledger.record(result_of(failed, 2, UNSEALED))
        ledger.control.revoke([(revoked, run_of(1))], act_of())
        ledger.record(result_of(key_of(2), 1, REJECTED))
        one, two = result_of(keys[5], 1, rows="a"), result_of(keys[5], 2, rows="b")
        content = {key: KnownContent(run_of(1), str(one.content_sha256), 1, 1) for key in keys}
        content[restated] = KnownContent(run_of(2), str(two.content_sha256), 1, 2)
        del content[held], content[revoked]
        for each in ledger.all:
            for wanted in FILTERS:
                known = {key: value for key, value in content.items() if wanted.selects(key)}
                assert each.known_contents(wanted) == known

    @law("StateReader", 1)
    def test_no_row_is_pending_at_version_0(self, ledger: LedgerUnderTest) -> None:
        ledger.record(result_of(key_of(1), 1))
        for each in ledger.all:
            absent = key_of(2)
            assert each.get(absent) == each.get_many([absent, key_of(1)])[0] == PartitionState(absent)
            assert each.history(absent) == KeyHistory(PartitionState(absent))
            assert each.acts(absent) == []

    def test_a_check_of_the_adapter_leaves_no_trace(self, ledger: LedgerUnderTest) -> None:
        ledger.adapter.check(ledger.url, ledger.base)
        with ledger.open_reader() as reader:
            assert reader.ledger_id() is None
        with ledger.open_for_validator() as validator:
            record_one(validator, result_of(key_of(1), 1))
            before = everything(validator, [key_of(1)])
        ledger.adapter.check(ledger.url, ledger.base)
        assert ledger.everything([key_of(1)]) == before

    @law("StateReader", 2)
    def test_an_absent_ledger_reads_as_empty_and_is_not_created(self, ledger: LedgerUnderTest) -> None:
        key = key_of()
        assert (ledger.reader.ledger_id(), ledger.reader.newest_run(), ledger.reader.position()) == (None, None, 0)
        assert ledger.reader.get_many([key]) == [PartitionState(key)]
        assert [*ledger.reader.find(StateFilter()), *ledger.reader.authority_changes()] == []
        assert ledger.reader.schema_pin("google_ads", "campaign", 1) is None
        with ledger.open_reader() as another:
            assert another.ledger_id() is None

    def test_a_reader_sees_a_ledger_that_was_created_later(self, ledger: LedgerUnderTest) -> None:
        assert ledger.reader.position() == 0
        with ledger.open_for_validator() as validator:
            record_one(validator, result_of(key_of(), 1))
            assert ledger.reader.position() == 1
            assert ledger.reader.ledger_id() == validator.ledger_id()
        assert ledger.reader.get(key_of()).version == 1

    @law("StateReader", 2)
    def test_reading_changes_nothing(self, ledger: LedgerUnderTest) -> None:
        keys = [key_of(n) for n in range(1, 4)]
        ledger.record(result_of(keys[0], 1, REJECTED))
        before = everything(ledger.validator, keys)
        for _ in range(2):
            ledger.everything(keys)
            list(ledger.reader.find(StateFilter()))
            ledger.reader.get_many(keys)
        assert everything(ledger.validator, keys) == before
        with ledger.open_reader() as another:
            assert everything(another, keys) == before

    @law("StateReader", 3)
    def test_find_is_of_one_moment(self, ledger: LedgerUnderTest) -> None:
        keys = [key_of(customer, day) for customer in (1, 2, 3) for day in range(1_000)]
        changes = [change_of(ledger.validator.history(keys[0]), result_of(keys[0], 1))]
        changes += [StateChange(PartitionState(k), replace(changes[0].after, key=k), None) for k in keys[1:]]
        assert all(ledger.validator.record(changes))
        for each in (ledger.reader, ledger.validator):
            found = each.find(StateFilter())
            first = next(found)
            states = ledger.validator.get_many(keys)
            moved = [StateChange(s, replace(s, version=s.version + 1), None) for s in states]
            assert all(ledger.validator.record(moved))
            assert [first, *found] == states

    @law("StateReader", 3)
    def test_many_keys_are_read_at_one_moment(self, ledger: LedgerUnderTest) -> None:
        keys = [key_of(customer, day) for customer in (1, 2) for day in range(0, 40, 2)]

        def record_together() -> None:
            with ledger.open_for_validator() as writer:
                for number in range(1, 31):
                    states = writer.get_many(keys)
                    together = [change_of(KeyHistory(state), result_of(state.key, number)) for state in states]
                    assert all(writer.record(together))

        with ThreadPoolExecutor(1) as pool:
            recording = pool.submit(record_together)
            while not recording.done():
                for each in (ledger.reader, ledger.validator):
                    assert len({state.version for state in each.get_many(keys)}) == 1
                    histories = each.histories(keys)
                    assert len({(one.state.version, len(one.results)) for one in histories}) == 1
                    assert histories[0].state.version == len(histories[0].results)
            recording.result()
        assert {len(one.results) for one in ledger.reader.histories(keys)} == {30}

    @law("StateReader", 4, 5)
    def test_changes_come_in_order(self, ledger: LedgerUnderTest) -> None:
        for number, second in enumerate((50, 10, 90, 20), start=1):
            ledger.record(result_of(key_of(number), number, REJECTED, second=second))
        ledger.control.retry([key_of(3)], act_of(second=5))
        log = ledger.reader.authority_changes()
        assert [entry.sequence for entry in log] == sorted({entry.sequence for entry in log})
        assert ledger.reader.position() == log[-1].sequence
        assert [entry.at for entry in log] == [moment(second) for second in (50, 50, 90, 90, 90)]
        for cursor in range(log[0].sequence - 1, log[-1].sequence + 2):
            rest = [entry for entry in log if entry.sequence > cursor]
            assert ledger.reader.authority_changes(after=cursor) == rest
            assert ledger.reader.authority_changes(after=cursor, limit=2) == rest[:2]
        assert ledger.reader.authority_changes(limit=0) == []

    @law("StateReader", 8)
    def test_the_newest_run_is_the_latest_that_is_not_revoked(self, ledger: LedgerUnderTest) -> None:
        first, second = key_of(1), key_of(2)

        def newest() -> RunId | None:
            found = {each.newest_run() for each in ledger.all}
            assert len(found) == 1
            return found.pop()

        assert newest() is None
        ledger.record(result_of(first, 5))
        assert newest() == run_of(5)
        ledger.record(result_of(second, 3, second=90))
        assert newest() == run_of(5)
        ledger.record(result_of(first, 7, UNSEALED))
        ledger.record(result_of(second, 7, REJECTED))
        ledger.record(replace(result_of(second, 7, second=91), seal_sha256="0" * 64))
        assert newest() == run_of(7)
        ledger.control.mark([first], Mark.HELD, act_of())
        ledger.control.revoke([(first, run_of(7))], act_of())
        assert newest() == run_of(7)
        ledger.control.revoke([(second, run_of(7)), (second, run_of(7))], act_of())
        assert newest() == run_of(5)
        ledger.record(replace(result_of(first, 7, second=92), seal_sha256="1" * 64))
        assert newest() == run_of(5)
        ledger.control.revoke([(first, run_of(5)), (second, run_of(3))], act_of())
        assert newest() is None
        ledger.record(result_of(second, 4, entropy=1))
        assert newest() == run_of(4, entropy=1)

    def test_states_come_in_the_order_of_the_keys(self, ledger: LedgerUnderTest) -> None:
        keys = [key_of(n) for n in (3, 1, 2)]
        for number, key in enumerate(keys, start=1):
            ledger.record(result_of(key, number))
        asked = [keys[1], key_of(9), keys[0], keys[2], keys[1]]
        assert [state.key for state in ledger.reader.get_many(asked)] == asked
        assert [state.version for state in ledger.reader.get_many(asked)] == [1, 0, 1, 1, 1]
        assert ledger.reader.get_many([]) == []

    def test_histories_hold_what_belongs_to_each_key(self, ledger: LedgerUnderTest) -> None:
        keys = [
            key_of(customer, day, report, source)
            for source in ("google_ads", "other")
            for customer in (1, 11)
            for report in ("ad_group", "campaign")
            for day in (0, 1, 2, 4, 400)
        ]
        recorded: dict[PartitionKey, list[ValidationResult]] = {key: [] for key in keys}
        for number, key in enumerate(keys):
            for run in range(number % 4, 0, -1):  # later runs first; every fourth key has none
                result = result_of(key, number * 10 + run, (PASSED, REJECTED, UNSEALED)[(number + run) % 3])
                ledger.record(result)
                recorded[key].append(result)
        revoked = [key for key in keys[::3] if recorded[key]]
        ledger.control.revoke([(key, recorded[key][0].run_id) for key in revoked], act_of())
        asked = [*reversed(keys), key_of(11, 3, "ad_group"), *keys[2:9:2], keys[1]]
        for each in ledger.all:
            assert each.histories([]) == []
            found = each.histories(asked)
            assert [one.state for one in found] == [each.get(key) for key in asked]
            assert [one.state.key for one in found] == asked
            for key, one in zip(asked, found, strict=True):
                assert one.results == tuple(recorded.get(key, ()))
                assert one.revoked == ({recorded[key][0].run_id} if key in revoked else frozenset())
                assert each.history(key) == one

    def test_find_matches_exactly_and_in_key_order(self, ledger: LedgerUnderTest) -> None:
        keys = [
            key_of(customer, day, report, source)
            for source in ("google_ads", "other")
            for customer in (9, 10, 200)
            for report in ("ad_group", "campaign")
            for day in (0, 1, 40)
        ]
        for number, key in enumerate(reversed(keys)):
            ledger.record(result_of(key, number + 1, (PASSED, REJECTED, UNSEALED)[number % 3]))
        states = {state.key: state for state in ledger.validator.get_many(keys)}
        for wanted in FILTERS:
            expected = [states[key] for key in sorted(keys) if matches(key, states[key].status, wanted)]
            assert list(ledger.reader.find(wanted)) == expected
            for limit in (0, 1, 4):
                assert list(ledger.reader.find(wanted, limit=limit)) == expected[:limit]

    def test_the_ledger_id_never_changes(self, ledger: LedgerUnderTest) -> None:
        with ledger.open_for_validator() as first:
            name = first.ledger_id()
        assert name
        assert [each.ledger_id() for each in ledger.all] == [name] * 3

    def test_a_closed_ledger_is_an_error(self, ledger: LedgerUnderTest) -> None:
        for opened in (ledger.open_for_validator(), ledger.open_for_control_plane(), ledger.open_reader()):
            opened.close()
            opened.close()
            with pytest.raises(Exception, match="closed"):
                opened.position()
            with pytest.raises(Exception, match="closed"):
                list(opened.find(StateFilter()))

    def test_each_port_has_its_own_methods_only(self, ledger: LedgerUnderTest) -> None:
        assert not hasattr(ledger.reader, "record")
        assert not hasattr(ledger.reader, "retry")
        assert not hasattr(ledger.validator, "retry")
        assert not hasattr(ledger.control, "record")
        for each in (ledger.reader, ledger.validator):
            for name in ("mark", "unmark", "revoke", "take_leases", "renew_leases", "release_leases", "spend"):
                assert not hasattr(each, name)
