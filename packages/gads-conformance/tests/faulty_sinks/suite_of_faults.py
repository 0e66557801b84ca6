"""One class of the laws a fault; collected by test_sink_faults.py alone."""

import os
from pathlib import Path

import pytest

from gads_conformance.sink.laws import SinkLaws, check_against_model
from gads_conformance.sink.optional_laws import JointSealLaws
from gads_conformance.sink.prune_laws import PruneLaws
from gads_conformance.sink.suite import Effort


class Folder:
    def __init__(self, root):
        self._root = root

    def names(self):
        return [path.relative_to(self._root).as_posix() for path in self._root.rglob("*") if path.is_file()]

    def get(self, path):
        return (self._root / path).read_bytes()

    def put(self, path, data):
        (self._root / path).parent.mkdir(parents=True, exist_ok=True)
        (self._root / path).write_bytes(data)

    def remove(self, path):
        (self._root / path).unlink()


class LawsOfOne(SinkLaws):
    def test_a_sink_behaves_as_its_model(self, sink_url, base):
        effort = Effort(examples=20 if "-none:" in sink_url else 400)
        # That the fault is found is enough; the shortest way to it would take minutes.
        check_against_model(sink_url, base, effort, shrink=False)


BY_FIRST_WORD = {"together": JointSealLaws, "prune": PruneLaws}


def suite_of(fault):
    class Suite(BY_FIRST_WORD.get(fault.partition("_")[0], LawsOfOne)):
        @pytest.fixture
        def sink_url(self):
            return f"faulty-{fault.replace('_', '-')}:raw"

        @pytest.fixture
        def backdoor(self, base: Path):
            return Folder(base / "raw")

    Suite.__name__ = Suite.__qualname__ = f"Test_{fault}"
    return Suite


for name in os.environ.get("FAULTS", "").split():
    globals()[f"Test_{name}"] = suite_of(name)
