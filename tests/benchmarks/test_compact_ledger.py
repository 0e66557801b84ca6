"""What a validation result and a confirmation take in the ledger, before the compact tables and in them; and speed."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.ports.ledger import StateReader
from gads_domain.run import RunId
from gads_domain.state import (
    CheckResult,
    Confirmation,
    KeyHistory,
    PartitionState,
    PartitionStatus,
    StateChange,
    StateFilter,
    ValidationOutcome,
    ValidationResult,
)
from gads_domain.state_machine import settle
from gads_state_sqlite.adapter import ADAPTER
from gads_state_sqlite.ledger_file import create, open_for_writing
from gads_state_sqlite.queries import SQL
from gads_state_sqlite.rows import key_columns
from gads_state_sqlite.schema import MIGRATIONS
from gads_testing.former_ledger import VERSION, write_former_ledger

PAIRS, DAYS = 2_000, 500
URL = "sqlite:ledger.db"
CHECKS = tuple(
    CheckResult(name, True)
    for name in (
        *("seal", "identity", "payload_size", "payload_sha256", "readable", "record_count", "schema_fingerprint"),
        *("logical_date", "customer", "grain"),
    )
)
NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
FIRST = date(2024, 1, 1)

# What version 8 executed for the same row, result and change.
_FORMER = (
    "INSERT INTO partition_state (source, customer_id, report, logical_date, status, current_run_id, schema_version, "
    "record_count, seal_sha256, attempt_count, updated_at, last_error, version, held_run_id, confirmed_run_id, "
    "confirmed_at) VALUES (?, ?, ?, ?, 'success', ?, 1, ?, ?, 1, ?, NULL, 1, NULL, NULL, NULL) "
    "ON CONFLICT (source, customer_id, report, logical_date) DO UPDATE SET version = excluded.version",
    "INSERT INTO attempts (source, customer_id, report, logical_date, run_id, outcome, judged_at, checks, failure, "
    "schema_version, record_count, seal_sha256, content_sha256, changes, vanished_rows, confirmed_by, confirmed_at, "
    "version) VALUES (?, ?, ?, ?, ?, 'passed', ?, ?, NULL, 1, ?, ?, ?, NULL, 1.0, NULL, NULL, 1)",
    "INSERT INTO authority_log (source, customer_id, report, logical_date, from_run, to_run, status_before, "
    "status_after, schema_version, record_count, seal_sha256, cause, at) "
    "VALUES (?, ?, ?, ?, NULL, ?, 'pending', 'success', 1, ?, ?, 'validate', ?)",
)


def _slices(pairs: int, days: int) -> Iterator[list[StateChange]]:
    """The changes of an agency's first run: 30 days of one account and report at once, as the executor validates."""
    for pair in range(pairs):
        for first in range(0, days, 30):
            keys = [
                PartitionKey(GOOGLE_ADS, str(1234000000 + pair // 10), f"report_number_{pair % 10}", day)
                for day in (FIRST + timedelta(days=n) for n in range(first, min(first + 30, days)))
            ]
            yield [_change(key, pair * days + number) for number, key in enumerate(keys, first)]


def _change(key: PartitionKey, number: int) -> StateChange:
    run = RunId.compose(NOW - timedelta(days=number % 50), bytes(4))
    result = ValidationResult(
        key=key,
        run_id=run,
        outcome=ValidationOutcome.PASSED,
        validated_at=NOW + timedelta(milliseconds=number),
        checks=CHECKS,
        schema_version=1,
        record_count=number % 4000,
        seal_sha256=_sum(number),
        content_sha256=_sum(-number - 1),
        vanished_rows=1.0,
    )
    before = PartitionState(key)
    return StateChange(before, settle(KeyHistory(before), result, result.validated_at), result)


def _confirmations(ledger: StateReader, changes: list[StateChange]) -> list[Confirmation]:
    first, last = changes[0].after.key, changes[-1].after.key
    wanted = StateFilter(GOOGLE_ADS, (first.customer_id,), (first.report,), first.logical_date, last.logical_date)
    by = RunId.compose(NOW + timedelta(days=1), bytes(4))
    return [
        Confirmation(key, known.run_id, by, known.content_sha256, NOW)
        for key, known in ledger.known_contents(wanted).items()
    ]


def _sum(number: int) -> str:
    return (number * 0x9E3779B97F4A7C15F39CC0605CEDC834 % 2**256).to_bytes(32).hex()


def _timed(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def _size(folder: Path) -> int:
    """Bytes of the file once all of its log is in it."""
    with closing(sqlite3.connect(folder / "ledger.db")) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    return (folder / "ledger.db").stat().st_size


def _questions(ledger: StateReader) -> dict[str, float]:
    """Seconds of processor time for what plans, gaps and consumers ask."""
    everything = StateFilter(GOOGLE_ADS)
    open_ = replace(everything, statuses=(PartitionStatus.PENDING, PartitionStatus.FAILED))
    day = FIRST + timedelta(days=DAYS // 2)
    month = [PartitionKey(GOOGLE_ADS, "1234000007", "report_number_3", day + timedelta(days=n)) for n in range(30)]
    account = StateFilter(GOOGLE_ADS, ("1234000007",))
    last = ledger.position()
    asked: dict[str, Callable[[], object]] = {
        "gaps: authoritative days": lambda: ledger.authoritative_days(everything),
        "gaps: pending and failed": lambda: list(ledger.scheduling_states(open_)),
        "gaps: held": lambda: list(ledger.find(replace(everything, held=True))),
        "plan: all scheduling states": lambda: sum(1 for _ in ledger.scheduling_states(everything)),
        "plan: one account, 100 times": lambda: [list(ledger.scheduling_states(account)) for _ in range(100)],
        "all rows": lambda: sum(1 for _ in ledger.find(everything)),
        "one day of all": lambda: list(ledger.find(replace(everything, since=day, until=day))),
        "what 30 days have sealed, 100 times": lambda: [
            ledger.known_contents(replace(account, since=day, until=day + timedelta(days=29))) for _ in range(100)
        ],
        "histories of 30 days, 100 times": lambda: [ledger.histories(month) for _ in range(100)],
        "feed: 100,000 changes": lambda: ledger.authority_changes(after=last // 2, limit=100_000),
        "as of a former position: one day": lambda: list(
            ledger.as_of(replace(everything, since=day, until=day), last - 10)
        ),
    }
    return {what: min(_timed(work) for _ in range(2)) for what, work in asked.items()}


@pytest.mark.benchmark
@pytest.mark.timeout(3600)
def test_a_result_takes_400_bytes_and_a_confirmation_100(tmp_path: Path) -> None:
    former, converted, fresh = (tmp_path / name for name in ("former", "converted", "fresh"))
    for folder in (former, converted, fresh):
        folder.mkdir()
    count = write_former_ledger(former / "ledger.db", PAIRS, DAYS)
    before = _size(former)
    with ADAPTER.open_reader(URL, former) as ledger:
        asked_before = _questions(ledger)
    shutil.move(former / "ledger.db", converted)
    began = time.perf_counter()
    ADAPTER.open_for_validator(URL, converted).close()
    opened = time.perf_counter() - began
    compaction = ADAPTER.compact(URL, converted, dry_run=False, say=print)
    compacted = time.perf_counter() - began - opened
    with ADAPTER.open_reader(URL, converted) as ledger:
        asked_after = _questions(ledger)

    with ADAPTER.open_for_validator(URL, fresh) as validator:
        recorded = sum(_timed(partial(validator.record, changes)) for changes in _slices(PAIRS, DAYS))
    after = _size(fresh)
    grown, confirmed = {}, {}
    for folder in (fresh, converted):
        size = _size(folder)
        with ADAPTER.open_for_validator(URL, folder) as validator:
            confirmed[folder] = sum(
                _timed(partial(validator.confirm, _confirmations(validator, changes)))
                for changes in _slices(PAIRS, DAYS)
            )
        grown[folder] = (_size(folder) - size) / count

    print(
        f"\n{count:,} results, one a partition, with row, entry of the log and indexes:\n"
        f"  version {VERSION}: {before / count:,.0f} bytes a result\n"
        f"  recorded in compact tables: {after / count:,.0f} bytes a result, {recorded / count * 1e6:.0f} µs\n"
        f"  converted in {opened:.0f} s, compacted in {compacted:.0f} s: {compaction.bytes_after / count:,.0f} bytes\n"
        f"  a confirmation: {grown[fresh]:.0f} bytes, {confirmed[fresh] / count * 1e6:.0f} µs; the first one after a "
        f"compaction, which fills each page: {grown[converted]:.0f} bytes"
    )
    for what, seconds in asked_after.items():
        print(f"  {what}: {seconds * 1e3:,.1f} ms, before {asked_before[what] * 1e3:,.1f} ms")
    assert after / count <= 400
    assert compaction.bytes_after / count <= 400
    assert max(grown.values()) <= 100
    slower = {
        what: (seconds, asked_before[what])
        for what, seconds in asked_after.items()
        if seconds > 1.25 * asked_before[what] + 0.02
    }
    assert not slower


@pytest.mark.benchmark
@pytest.mark.timeout(600)
def test_recording_is_not_slower(tmp_path: Path) -> None:
    """The statements of version 8 against the present ones, for the same rows, a transaction for 30 days each."""
    path = tmp_path / "former.db"
    create(path, 1, MIGRATIONS[:VERSION])
    checks = '[{"name":"seal","passed":true,"detail":"","figures":{"metadata_bytes":1204}}' + " " * 940 + "]"
    slices = [[change for change in changes if change.attempt is not None] for changes in _slices(200, 500)]
    at = "2026-01-02T03:04:05.678901Z"
    rows: list[tuple[list[tuple[object, ...]], ...]] = []
    for changes in slices:
        states: list[tuple[object, ...]] = []
        results: list[tuple[object, ...]] = []
        entries: list[tuple[object, ...]] = []
        for change in changes:
            key, attempt = key_columns(change.after.key), change.attempt
            assert attempt is not None
            run, rows_, seal = attempt.run_id.value, attempt.record_count, attempt.seal_sha256
            states.append((*key, run, rows_, seal, at))
            results.append((*key, run, at, checks, rows_, seal, attempt.content_sha256))
            entries.append((*key, run, rows_, seal, at))
        rows.append((states, results, entries))
    former = sqlite3.connect(path, isolation_level=None)
    former.execute("PRAGMA synchronous = FULL")

    def as_before() -> None:
        for each in rows:
            former.execute("BEGIN IMMEDIATE")
            for statement, values in zip(_FORMER, each, strict=True):
                former.executemany(statement, values)
            former.execute("COMMIT")

    before = _timed(as_before)
    former.close()
    present = open_for_writing(tmp_path / "ledger.db", 1, lambda *_: sqlite3.SQLITE_OK)
    present.execute("INSERT INTO check_lists (checks) VALUES ('[\"seal\"]')")

    def as_now() -> None:
        for states, results, entries in rows:
            present.execute("BEGIN IMMEDIATE")
            present.execute(SQL["put_account_report"], states[0][:3])
            present.executemany(SQL["put_run"], sorted({(state[4],) for state in states}))
            present.executemany(
                SQL["put_state"],
                [(*s[:4], "success", s[4], 1, s[5], b"a" * 32, 1, 1, None, 1, None, None, None) for s in states],
            )
            present.executemany(
                SQL["put_result"],
                [
                    (*r[:5], "passed", 1, '["seal"]', None, 1, r[7], b"a" * 32, b"b" * 32, None, 1.0, None, None, 1)
                    for r in results
                ],
            )
            present.executemany(
                SQL["append_change"],
                [(*e[:4], None, e[4], "pending", "success", 1, e[5], b"a" * 32, "validate", 1) for e in entries],
            )
            present.execute("COMMIT")

    after = _timed(as_now)
    present.close()
    count = sum(map(len, slices))
    print(f"\n{count:,} results: {before / count * 1e6:.1f} µs each before, {after / count * 1e6:.1f} µs now")
    assert after <= 1.1 * before
