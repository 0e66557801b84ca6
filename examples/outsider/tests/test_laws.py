"""Both adapters keep the laws of their ports."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pocket_store.sink import TABLE, connected

from gads_conformance import Backdoor, LedgerLaws, PruneLaws, SinkLaws


class Rows:
    """The rows of the sink's file, reached without the sink."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self) -> list[str]:
        return [str(path) for (path,) in self._do("SELECT path FROM files")]

    def get(self, path: str) -> bytes:
        ((content,),) = self._do("SELECT content FROM files WHERE path = ?", path)
        return bytes(content)

    def put(self, path: str, data: bytes) -> None:
        self._do("INSERT OR REPLACE INTO files VALUES (?, ?)", path, data)

    def remove(self, path: str) -> None:
        self._do("DELETE FROM files WHERE path = ?", path)

    def _do(self, statement: str, *parameters: str | bytes) -> list[Any]:
        with connected(self._path) as connection:
            connection.execute(TABLE)
            return connection.execute(statement, parameters).fetchall()


class TestPocketSink(SinkLaws, PruneLaws):
    @pytest.fixture
    def sink_url(self) -> str:
        return "pocket:raw.db"

    @pytest.fixture
    def backdoor(self, base: Path) -> Backdoor:
        return Rows(base / "raw.db")


class TestPocketLedger(LedgerLaws):
    @pytest.fixture
    def ledger_url(self) -> str:
        return "pocket:state/ledger.bin"
