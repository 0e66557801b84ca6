"""A ledger of version 8, whose results hold all figures of all checks, is read, and converted to the compact tables."""

from __future__ import annotations

import gzip
import json
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any, Protocol

import pytest

from gads_conformance.ledger.samples import act_of, key_of, record_one, result_of
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.ledger import StateReader
from gads_domain.state import StateFilter
from gads_domain.state_row import state_row
from gads_pipeline.ledger_queries import PartitionHistory
from gads_state_sqlite import migration
from gads_state_sqlite.adapter import ADAPTER
from gads_state_sqlite.schema import COMPACT_VERSION, MIGRATIONS, version_of

SAMPLE = Path(__file__).with_name("ledger_v8")
PRINTED: dict[str, Any] = json.loads((SAMPLE / "printed.json").read_text(encoding="utf-8"))
URL = "sqlite:state.db"


class Done(Protocol):
    code: int
    out: str

    @property
    def json(self) -> Any: ...


class Command(Protocol):
    def __call__(self, *arguments: object, cwd: Path | None = None) -> Done: ...


class Killed(BaseException):
    pass


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "state.db").write_bytes(gzip.decompress((SAMPLE / "state.db.gz").read_bytes()))
    return tmp_path


def everything(ledger: StateReader) -> dict[str, Any]:
    """What the sample's own version printed, as this version prints it."""
    keys = map(PartitionKey.parse, PRINTED["histories"])
    days = ledger.authoritative_days(StateFilter("google_ads")).days
    return {
        "histories": {
            str(key): _known_members(
                PartitionHistory(
                    key,
                    ledger.history(key),
                    frozenset(ledger.marks(key)),
                    tuple(ledger.authority_changes_of(key)),
                    tuple(ledger.acts(key)),
                ).to_document()
            )
            for key in keys
        },
        "states": [state_row(state) for state in ledger.find(StateFilter())],
        "newest_run": str(ledger.newest_run()),
        "position": ledger.position(),
        "ledger_id": ledger.ledger_id(),
        "known_contents": {
            str(key): [str(one.run_id), one.content_sha256] for key, one in ledger.known_contents(StateFilter()).items()
        },
        "authoritative_days": {
            "/".join(pair): [[str(one.first), str(one.last)] for one in ranges] for pair, ranges in days.items()
        },
    }


def _known_members(history: dict[str, Any]) -> dict[str, Any]:
    """The members that version 3 of the document has; later ones may come."""
    known = next(iter(PRINTED["histories"].values()))
    return {name: value for name, value in history.items() if name in known and name != "version"}


@pytest.fixture(scope="module")
def expected() -> dict[str, Any]:
    """Of checks that held, later versions keep the names alone."""
    printed: dict[str, Any] = json.loads(json.dumps(PRINTED))
    for history in printed["histories"].values():
        del history["version"]
        for check in (check for result in history["results"] for check in result["checks"] if check["passed"]):
            check["figures"] = {}
    return printed


def test_the_sample_holds_what_it_is_kept_for() -> None:
    histories = PRINTED["histories"].values()
    results = [result for history in histories for result in history["results"]]
    assert {result["outcome"] for result in results} == {"passed", "rejected", "unsealed"}
    assert {result["authority"] for result in results} == {"", "authoritative", "held", "revoked"}
    assert any(result["confirmed_by"] for result in results if result["authority"] == "")
    assert any(check["figures"] for result in results for check in result["checks"] if check["passed"])
    assert {history["state"]["status"] for history in histories} == {"pending", "success", "failed"}
    assert any(history["accepted"] for history in histories)


def test_it_is_read_as_it_is(folder: Path, expected: dict[str, Any]) -> None:
    before = (folder / "state.db").read_bytes()
    with ADAPTER.open_reader(URL, folder) as ledger:
        assert everything(ledger) == expected
    assert (folder / "state.db").read_bytes() == before


@pytest.mark.parametrize("opener", ["open_for_validator", "open_for_control_plane"])
def test_a_writer_converts_it(folder: Path, opener: str, expected: dict[str, Any]) -> None:
    with getattr(ADAPTER, opener)(URL, folder) as writer, ADAPTER.open_reader(URL, folder) as reader:
        assert everything(writer) == everything(reader) == expected
    with closing(sqlite3.connect(folder / "state.db")) as connection:
        assert version_of(connection) == len(MIGRATIONS)
        lists = connection.execute("SELECT checks FROM check_lists").fetchall()
        assert [len(json.loads(checks)) for (checks,) in lists] == [10, 0]
        assert connection.execute("SELECT sum(checks IS NOT NULL) FROM results").fetchone() == (2,)


def test_what_is_recorded_after_it_agrees_with_a_ledger_that_never_was_older(folder: Path) -> None:
    with ADAPTER.open_for_validator(URL, folder) as validator, ADAPTER.open_for_control_plane(URL, folder) as control:
        before = validator.newest_run()
        record_one(validator, result_of(key_of(1), 900))
        record_one(validator, result_of(key_of(77), 901))
        assert validator.newest_run() != before
        assert control.revoke([(key_of(77), result_of(key_of(77), 901).run_id)], act_of(999)) == [True]
        assert validator.newest_run() == result_of(key_of(1), 900).run_id
        assert [one.sequence for one in validator.authority_changes(after=PRINTED["position"])] == [
            PRINTED["position"] + 1,
            PRINTED["position"] + 2,
        ]


@pytest.mark.parametrize("transactions", [1, 4, 9, 10])
def test_a_conversion_that_is_stopped_is_read_right_and_goes_on(
    folder: Path, transactions: int, expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration, "RANGE", 3)

    def stop(converted: int, total: int | None) -> None:
        nonlocal transactions
        assert total is not None
        assert converted <= total == len(PRINTED["states"])
        transactions -= 1
        if not transactions:
            raise Killed

    with closing(sqlite3.connect(folder / "state.db", isolation_level=None)) as connection:
        with pytest.raises(Killed):
            migration.migrate(connection, progress=stop)
        assert version_of(connection) == COMPACT_VERSION - 1
        with pytest.raises(sqlite3.IntegrityError, match="converting"):
            connection.execute("UPDATE partition_state SET version = version + 1")
    with ADAPTER.open_reader(URL, folder) as reader:
        assert everything(reader) == expected
    with ADAPTER.open_for_control_plane(URL, folder) as writer:
        assert everything(writer) == expected


def test_writers_that_open_it_at_once_share_the_conversion(
    folder: Path, expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(migration, "RANGE", 2)
    monkeypatch.setattr(migration, "_SECONDS", 0.0)
    gate = threading.Barrier(4)

    def open_it(number: int) -> None:
        gate.wait()
        opener = ADAPTER.open_for_validator if number % 2 else ADAPTER.open_for_control_plane
        with opener(URL, folder) as writer:
            assert everything(writer) == expected

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(open_it, range(4)))
    lines = [record.getMessage() for record in caplog.records if record.name == "gads_state_sqlite"]
    steps = [line.rpartition(": ")[2] for line in lines if line.endswith("partitions")]
    assert set(steps) == {f"{min(done, 27)} of 27 partitions" for done in range(2, 30, 2)}
    ranges = [step for step in steps if not step.startswith("27")]  # after the last one several may find nothing left
    assert len(set(ranges)) == len(ranges), "no range is converted twice"


def test_compact_gives_back_what_the_conversion_left(gads_etl: Command, folder: Path, expected: dict[str, Any]) -> None:
    (folder / "gads.toml").write_text(
        '[storage]\nsink = "file:raw"\nstate = "sqlite:state.db"\n[[reports]]\nname = "campaign"\n', encoding="utf-8"
    )
    file = folder / "state.db"
    before = file.read_bytes()
    foreseen = gads_etl("state", "compact", "--dry-run", "--format", "json", cwd=folder)
    assert (foreseen.code, file.read_bytes()) == (0, before)
    assert foreseen.json["compacted"] is False
    assert foreseen.json["bytes_before"] == len(before)
    found = gads_etl("state", "compact", "--format", "json", cwd=folder)
    assert (found.code, found.json["compacted"], found.json["bytes_before"]) == (0, True, len(before))
    assert found.json["bytes_after"] == file.stat().st_size < len(before)
    again = gads_etl("state", "compact", cwd=folder)
    assert (again.code, again.out.splitlines()[0]) == (0, "0 bytes are given back")
    with ADAPTER.open_reader(URL, folder) as reader:
        assert everything(reader) == expected
    assert [path.name for path in folder.iterdir() if path.name.startswith("state")] == ["state.db"]
