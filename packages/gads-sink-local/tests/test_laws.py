from pathlib import Path

import pytest

from gads_conformance.sink_laws import SinkLaws


class Folder:
    def __init__(self, root: Path) -> None:
        self._root = root

    def names(self) -> list[str]:
        return [path.relative_to(self._root).as_posix() for path in self._root.rglob("*") if not path.is_dir()]

    def get(self, path: str) -> bytes:
        return (self._root / path).read_bytes()

    def put(self, path: str, data: bytes) -> None:
        target = self._root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)

    def remove(self, path: str) -> None:
        (self._root / path).unlink()


class TestLocalSink(SinkLaws):
    @pytest.fixture
    def sink_url(self) -> str:
        return "file:store/raw"

    @pytest.fixture
    def backdoor(self, base: Path) -> Folder:
        return Folder(base / "store" / "raw")
