from __future__ import annotations

import hashlib
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from gads_conformance.ledger.samples import FIRST_DAY, act_of, change_of, key_of, record_one, result_of, run_of
from gads_domain.errors import (
    FailureScope,
    HeldElsewhereError,
    InvalidValueError,
    LedgerError,
    LedgerFullError,
    UnsupportedContractError,
)
from gads_domain.state import PartitionStatus, StateFilter, ValidationOutcome
from gads_state_sqlite import schema
from gads_state_sqlite.adapter import ADAPTER, SqliteLedgerAdapter
from gads_state_sqlite.control_ledger import SqliteControlPlaneLedger
from gads_state_sqlite.ledger_file import connect, create, open_for_writing, uri_of
from gads_state_sqlite.migration import migrate
from gads_state_sqlite.queries import SQL, select_states
from gads_state_sqlite.schema import ACTIVITY_VERSION, MIGRATIONS, OLDEST_READABLE, RUNS_VERSION, version_of
from gads_state_sqlite.validator_ledger import SqliteValidatorLedger

URL = "sqlite:ledger.db"
IMPATIENT = SqliteLedgerAdapter(busy_seconds=0.05)
OPENERS = ("open_reader", "open_for_validator", "open_for_control_plane")


def use(opener: str, folder: Path, adapter: SqliteLedgerAdapter = IMPATIENT) -> None:
    with getattr(adapter, opener)(URL, folder) as ledger:
        ledger.position()
        list(ledger.find(StateFilter()))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A ledger with one success and one failure."""
    with ADAPTER.open_for_validator(URL, tmp_path) as ledger:
        record_one(ledger, result_of(key_of(1), 1))
        record_one(ledger, result_of(key_of(2), 1, ValidationOutcome.REJECTED))
    return tmp_path / "ledger.db"


def raw(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(file, isolation_level=None)


def other_database(path: Path) -> None:
    with raw(path) as connection:
        connection.execute("CREATE TABLE anything (x)")
    connection.close()


def text(path: Path) -> None:
    path.write_text("not a database, but long enough to be taken for one\n" * 100, encoding="utf-8")


@pytest.mark.parametrize("opener", OPENERS)
@pytest.mark.parametrize("make", [other_database, text, Path.touch, Path.mkdir])
def test_another_file_is_refused_as_not_a_ledger_and_left_alone(
    tmp_path: Path, opener: str, make: Callable[[Path], None]
) -> None:
    path = tmp_path / "ledger.db"
    make(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(LedgerError, match="is not a ledger") as caught:
        use(opener, tmp_path)
    assert caught.value.hint
    assert (path.read_bytes() if path.is_file() else None) == before
    assert [found.name for found in tmp_path.iterdir()] == ["ledger.db"]


@pytest.mark.parametrize("opener", OPENERS)
def test_a_damaged_ledger_is_reported_as_damaged(file: Path, opener: str) -> None:
    data = bytearray(file.read_bytes())
    data[4096:] = hashlib.shake_256(b"damage").digest(len(data) - 4096)
    file.write_bytes(data)
    with pytest.raises(LedgerError, match="damaged") as caught:
        use(opener, file.parent)
    assert caught.value.hint


@pytest.mark.parametrize("opener", OPENERS)
def test_a_truncated_ledger_is_reported_as_damaged(file: Path, opener: str) -> None:
    file.write_bytes(file.read_bytes()[:6000])
    with pytest.raises(LedgerError, match="damaged"):
        use(opener, file.parent)


def test_a_row_with_an_invalid_value_is_damage(file: Path) -> None:
    connection = raw(file)
    connection.execute("INSERT INTO runs (id, run_id) VALUES (99, 'yesterday')")
    connection.execute("UPDATE partitions SET current_run = 99 WHERE status = 'success'")
    connection.close()
    for opener in OPENERS:
        with getattr(ADAPTER, opener)(URL, file.parent) as ledger:
            with pytest.raises(LedgerError, match="damaged"):
                ledger.get(key_of(1))
            with pytest.raises(LedgerError, match="damaged"):
                list(ledger.find(StateFilter()))


@pytest.mark.parametrize("opener", OPENERS)
def test_a_newer_ledger_is_refused_and_left_alone(file: Path, opener: str) -> None:
    connection = raw(file)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    before = file.read_bytes()
    with pytest.raises(UnsupportedContractError, match="ledger") as caught:
        use(opener, file.parent)
    assert caught.value.hint
    assert file.read_bytes() == before


def test_a_ledger_that_is_held_for_too_long_is_reported_as_held(file: Path) -> None:
    holder = raw(file)
    holder.execute("BEGIN IMMEDIATE")
    with IMPATIENT.open_for_control_plane(URL, file.parent) as ledger:
        with pytest.raises(HeldElsewhereError) as caught:
            ledger.retry([key_of(2)], act_of())
        assert caught.value.hint
        use("open_reader", file.parent)
        holder.execute("ROLLBACK")
        holder.close()
        assert ledger.retry([key_of(2)], act_of()) == [True]


def test_no_space_is_an_error_and_leaves_nothing(tmp_path: Path) -> None:
    with SqliteValidatorLedger(tmp_path / "ledger.db") as ledger:
        record_one(ledger, result_of(key_of(1), 1))
        ledger._file.write(lambda connection: connection.execute("PRAGMA max_page_count = 1").fetchone())
        keys = [key_of(2, day) for day in range(500)]
        changes = [change_of(ledger.history(key), result_of(key, 1)) for key in keys]
        with pytest.raises(LedgerFullError, match="no space") as caught:
            ledger.record(changes)
        assert caught.value.hint
        assert (caught.value.scope, caught.value.retryable) == (FailureScope.LEDGER, True)
        assert ledger.position() == 1
        assert ledger.get(keys[0]).version == 0
        ledger._file.write(lambda connection: connection.execute("PRAGMA max_page_count = 100000").fetchone())
        assert all(ledger.record(changes))


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    for opener in ("open_for_validator", "open_for_control_plane"):
        with pytest.raises(LedgerError) as caught:
            getattr(ADAPTER, opener)("sqlite:taken/ledger.db", tmp_path)
        assert caught.value.hint
    with ADAPTER.open_reader("sqlite:taken/ledger.db", tmp_path) as reader:
        assert reader.ledger_id() is None


def test_a_creation_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(LedgerError):
        create(tmp_path / "ledger.db", 1, [*MIGRATIONS, ["CREATE TABLE this is no sql"]])
    assert list(tmp_path.iterdir()) == []


def test_a_second_creation_keeps_the_first(file: Path) -> None:
    before = file.read_bytes()
    create(file, 1)
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == ["ledger.db"]


def test_the_file_is_what_was_decided(file: Path) -> None:
    connection = raw(file)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA application_id").fetchone() == (schema.APPLICATION_ID,)
    assert version_of(connection) == len(MIGRATIONS)
    tables = connection.execute(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND strict = 0 AND type = 'table'"
    ).fetchall()
    assert {name for (name,) in tables} <= {"sqlite_schema", "sqlite_sequence"}
    connection.close()
    with SqliteValidatorLedger(file) as ledger:
        assert ledger._file.read(lambda c: c.execute("PRAGMA synchronous").fetchone()) == (2,)


LATER = (*MIGRATIONS, ("ALTER TABLE ledger_meta ADD COLUMN owner TEXT",), ("CREATE TABLE holds (x TEXT) STRICT",))


def allow(*_: object) -> int:
    return sqlite3.SQLITE_OK


def test_migrations_lead_from_nothing_to_now_and_on(file: Path) -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    assert version_of(connection) == 0
    migrate(connection)
    assert version_of(connection) == len(MIGRATIONS)
    migrate(connection)
    migrate(connection, LATER)
    assert version_of(connection) == len(MIGRATIONS) + 2
    upgraded = open_for_writing(file, 1, allow, LATER)
    assert version_of(upgraded) == len(MIGRATIONS) + 2
    assert upgraded.execute("SELECT count(*) FROM partition_state").fetchone() == (2,)
    upgraded.close()
    with pytest.raises(UnsupportedContractError):
        use("open_reader", file.parent)


def test_of_a_ledger_from_before_activity_was_recorded_nothing_is_known_until_a_writer_opens_it(tmp_path: Path) -> None:
    create(tmp_path / "ledger.db", 1, MIGRATIONS[: ACTIVITY_VERSION - 1])
    for is_recorded in (False, True):
        with ADAPTER.open_activity_reader(URL, tmp_path) as reader:
            assert reader.has_activity() is is_recorded
            assert (reader.heartbeats(), reader.rounds(9), reader.alerts(open_only=False)) == ([], [], [])
        with ADAPTER.open_reader(URL, tmp_path) as ledger:
            assert ledger.account_rows("google_ads", "1") == {}
        use("open_for_control_plane", tmp_path)


def test_what_an_older_version_recorded_is_there_after_the_migration(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    create(path, 1, MIGRATIONS[:1])
    key, run = "'google_ads', '1', 'campaign', '2024-05-01'", "20240602T040506789Z-7f3a9c21"
    now, seal = "2024-06-02T04:05:06.789000Z", "0" * 64
    failure = '{"code": "api", "message": "no", "retryable": true, "hint": ""}'
    connection = raw(path)
    for statement in (
        f"INSERT INTO partition_state VALUES ({key}, 'success', '{run}', 1, 5, '{seal}', 2, '{now}', NULL, 3)",
        f"INSERT INTO attempts VALUES ({key}, 1, '20240601T040506789Z-7f3a9c21', 'unsealed', '{now}', '[]', "
        f"'{failure}', NULL, NULL, NULL, NULL, NULL)",
        f"INSERT INTO attempts VALUES ({key}, 3, '{run}', 'passed', '{now}', '[]', NULL, 1, 5, '{seal}', NULL, NULL)",
        f"INSERT INTO operator_acts VALUES (1, {key}, 'retry', '{now}', 'ann', 'gads-etl', 'why', 'failed', 'pending')",
        f"INSERT INTO authority_log VALUES (1, {key}, NULL, NULL, 'pending', 'failed', NULL, NULL, NULL, '{now}', "
        "'validate')",
        f"INSERT INTO authority_log VALUES (2, {key}, NULL, NULL, 'failed', 'pending', NULL, NULL, NULL, '{now}', "
        "'retry')",
        f"INSERT INTO authority_log VALUES (3, {key}, NULL, '{run}', 'pending', 'success', 1, 5, '{seal}', '{now}', "
        "'validate')",
    ):
        connection.execute(statement)
    connection.close()
    partition = key_of(1)
    with ADAPTER.open_for_control_plane(URL, tmp_path) as ledger:
        assert ledger._file.read(version_of) == len(MIGRATIONS)
        (state,) = ledger.find(StateFilter())
        assert (state.key.report, str(state.current_run_id), state.version) == (partition.report, run, 3)
        assert [str(one.outcome) for one in ledger.history(state.key).results] == ["unsealed", "passed"]
        assert [move.cause for move in ledger.authority_changes_of(state.key)] == ["validate", "retry", "validate"]
        (act,) = ledger.acts(state.key)
        assert (act.act.actor, act.act.reason, act.act.filter) == ("ann", "why", "")
        assert ledger.marks(state.key) == frozenset()


def test_a_migration_that_fails_leaves_the_ledger_as_it_was(file: Path) -> None:
    with pytest.raises(LedgerError):
        open_for_writing(file, 1, allow, (*LATER, ("CREATE TABLE this is no sql",)))
    use("open_for_validator", file.parent)


def test_several_may_migrate_at_once(file: Path) -> None:
    gate = threading.Barrier(4)

    def upgrade(_: int) -> int:
        gate.wait()
        connection = open_for_writing(file, 10, allow, LATER)
        try:
            return version_of(connection)
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(upgrade, range(4))) == {len(LATER)}


def test_a_reader_refuses_the_oldest_tables_and_leaves_them_alone(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    create(path, 1, MIGRATIONS[: OLDEST_READABLE - 1])
    before = path.read_bytes()
    with pytest.raises(LedgerError, match="only a writer") as caught:
        use("open_reader", tmp_path)
    assert caught.value.hint
    assert path.read_bytes() == before


def test_the_newest_run_of_an_older_ledger_is_found_before_and_after_its_migration(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    create(path, 1, MIGRATIONS[: RUNS_VERSION - 1])
    now, revoked = "2024-06-02T04:05:06.789000Z", "20240603T040506789Z-7f3a9c21"
    connection = raw(path)
    for key, version, run in (("'1'", 1, run_of(1)), ("'1'", 2, revoked), ("'2'", 1, run_of(2))):
        connection.execute(
            f"INSERT INTO attempts VALUES ('google_ads', {key}, 'campaign', '2024-01-01', {version}, '{run}', "
            f"'rejected', '{now}', '[]', NULL, NULL, NULL, NULL, NULL, NULL)"
        )
    connection.execute(
        f"INSERT INTO revocations VALUES ('google_ads', '1', 'campaign', '2024-01-01', '{revoked}', '{now}')"
    )
    connection.close()
    before = path.read_bytes()
    with ADAPTER.open_reader(URL, tmp_path) as reader:
        assert reader.newest_run() == run_of(2)
        assert reader.position() == 0
    assert path.read_bytes() == before
    with ADAPTER.open_for_control_plane(URL, tmp_path) as ledger, ADAPTER.open_reader(URL, tmp_path) as reader:
        assert ledger._file.read(version_of) == len(MIGRATIONS)
        assert ledger.newest_run() == reader.newest_run() == run_of(2)
        assert ledger.revoke([(key_of(2), run_of(2))], act_of()) == [True]
        assert ledger.newest_run() == reader.newest_run() == run_of(1)


def test_the_newest_run_needs_no_scan(file: Path) -> None:
    connection = connect(uri_of(file, mode="ro"), 1)
    (plan,) = connection.execute(f"EXPLAIN QUERY PLAN {SQL['newest_run']}").fetchall()
    connection.close()
    assert plan[3] == "SCAN runs USING INDEX runs_with_results"  # backwards, up to its last entry


@pytest.mark.parametrize("table", ["results", "authority_changes", "operator_acts", "schema_pins"])
@pytest.mark.parametrize("statement", ["DELETE FROM {}", "UPDATE {} SET schema_version = 9"])
def test_what_only_grows_cannot_be_changed_by_any_program(file: Path, table: str, statement: str) -> None:
    with ADAPTER.open_for_control_plane(URL, file.parent) as control_plane:
        control_plane.retry([key_of(2)], act_of())
    connection = raw(file)
    if table == "operator_acts":
        statement = statement.replace("schema_version", "row_version")
    if table == "schema_pins":
        connection.execute(f"INSERT INTO schema_pins VALUES ('google_ads', 'campaign', 1, '{'0' * 64}', '[]')")
    with pytest.raises(sqlite3.IntegrityError, match="only grows"):
        connection.execute(statement.format(table))
    connection.close()


@pytest.mark.parametrize(
    "change",
    [
        "status = 'running'",
        "status = 'failed'",
        "current_run = NULL",
        "logical_date = '2024-1-1'",
        "logical_date = '2024-02-30'",
        "updated_at = '2024-01-01 00:00:00'",
        "updated_at = NULL",
        "record_count = -1",
        "record_count = 'many'",
        "version = 0",
        "attempt_count = -1",
        "seal_sha256 = 'short'",
    ],
)
def test_no_row_can_contradict_itself(file: Path, change: str) -> None:
    connection = raw(file)
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(f"UPDATE partitions SET {change} WHERE status = 'success'")
    connection.close()


def test_a_row_is_never_forgotten(file: Path) -> None:
    connection = raw(file)
    with pytest.raises(sqlite3.IntegrityError, match="never forgotten"):
        connection.execute("DELETE FROM partitions")
    connection.close()


def test_sqlite_itself_keeps_each_to_its_authority(file: Path) -> None:
    def refused(ledger: Any, statement: str) -> None:
        with pytest.raises(sqlite3.DatabaseError, match=r"not authorized|prohibited"):
            ledger._file.write(lambda connection: connection.execute(statement))

    with SqliteControlPlaneLedger(file) as control_plane:
        refused(control_plane, "UPDATE partitions SET current_run = NULL")
        refused(control_plane, "INSERT INTO results SELECT * FROM results")
        refused(control_plane, "INSERT INTO partitions SELECT * FROM partitions")
        refused(control_plane, "DROP TABLE results")
        refused(control_plane, "UPDATE runs SET results = 0")
    with SqliteValidatorLedger(file) as validator:
        refused(validator, "INSERT INTO operator_acts SELECT * FROM operator_acts")
        refused(validator, "DELETE FROM partitions")
        refused(validator, "UPDATE runs SET results = 9")
        refused(validator, "UPDATE account_reports SET report = 'x'")
        refused(validator, "DROP TRIGGER results_never_updated")


def test_a_value_that_no_column_takes_is_refused_whole(file: Path) -> None:
    with ADAPTER.open_for_validator(URL, file.parent) as ledger:
        good = change_of(ledger.history(key_of(7)), result_of(key_of(7), 1))
        attempt = result_of(key_of(8), 1, ValidationOutcome.REJECTED)
        for bad in (
            judged_with(attempt, changes={"share": float("nan")}),
            judged_with(attempt, changes={"when": FIRST_DAY}),
            judged_with(attempt, record_count=2**70),
            judged_with(attempt, validated_at=attempt.validated_at.replace(tzinfo=None)),
            judged_with(attempt, content_sha256="\ud800"),
        ):
            change = change_of(ledger.history(key_of(8)), attempt)
            with pytest.raises(InvalidValueError):
                ledger.record([good, type(change)(change.before, change.after, bad)])
        assert ledger.get(key_of(7)).version == 0


def judged_with(attempt: Any, **members: object) -> Any:
    return type(attempt)(**{name: members.get(name, getattr(attempt, name)) for name in attempt.__slots__})


def test_one_object_serves_several_threads(tmp_path: Path) -> None:
    with ADAPTER.open_for_validator(URL, tmp_path) as ledger, ADAPTER.open_reader(URL, tmp_path) as reader:

        def work(customer: int) -> None:
            for number in range(1, 11):
                record_one(ledger, result_of(key_of(customer), number))
                assert reader.get(key_of(customer)).version == number
                (found,) = ledger.find(StateFilter(customer_ids=(str(customer),)))
                assert found.version == number

        with ThreadPoolExecutor(6) as pool:
            list(pool.map(work, range(1, 7)))
        assert reader.position() == 60


@pytest.mark.parametrize("opener", OPENERS)
def test_a_filter_may_name_more_values_than_sqlite_has_parameters(file: Path, opener: str) -> None:
    accounts = tuple(str(number) for number in range(1, 40_000))
    with getattr(ADAPTER, opener)(URL, file.parent) as ledger:
        for wanted in (StateFilter(customer_ids=accounts), StateFilter(customer_ids=("1", "1"), reports=accounts)):
            expected = [] if wanted.reports else [key_of(1), key_of(2)]
            assert [state.key for state in ledger.find(wanted)] == expected
            assert [state.key for state in ledger.scheduling_states(wanted)] == expected
        one = StateFilter(customer_ids=("1",), reports=("ad_group", "campaign"))
        assert [state.key for state in ledger.scheduling_states(one)] == [key_of(1)]


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (StateFilter(customer_ids=("1",)), "PRIMARY KEY"),
        (StateFilter(source="google_ads", customer_ids=("1", "2"), reports=("campaign",)), "PRIMARY KEY"),
        (StateFilter(customer_ids=("1",), since=FIRST_DAY, until=FIRST_DAY), "PRIMARY KEY"),
        (StateFilter(since=FIRST_DAY, until=FIRST_DAY), "PRIMARY KEY (account_report=? AND logical_date>?"),
        (StateFilter(statuses=(PartitionStatus.FAILED,)), "partitions_not_success"),
        (StateFilter(statuses=(PartitionStatus.FAILED, PartitionStatus.PENDING)), "partitions_not_success"),
        (StateFilter(held=True), "partitions_held"),
    ],
)
def test_every_usual_question_has_an_index(tmp_path: Path, wanted: StateFilter, index: str) -> None:
    path = tmp_path / "ledger.db"
    with SqliteValidatorLedger(path) as ledger:
        keys = [key_of(1, day) for day in range(30)]
        assert all(ledger.record([change_of(ledger.history(key), result_of(key, 1)) for key in keys]))
    connection = connect(uri_of(path, mode="ro"), 1)
    statement, values = select_states(connection, wanted, None)
    plan = " ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", values))
    connection.close()
    assert index in plan
    assert "SCAN p" not in plan
    assert "TEMP B-TREE" not in plan
