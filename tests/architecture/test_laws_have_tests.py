"""Each numbered law in a port's docstring has a test in gads-conformance that names its number."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGES = Path(__file__).parents[2] / "packages"
PORTS = sorted((PACKAGES / "gads-domain/src/gads_domain/ports").glob("*.py"))
LAWS = PACKAGES / "gads-conformance/src/gads_conformance"

TESTS_OF = {
    "PartitionWriter": ("sink_*.py", "test_writer_{}_"),
    "RawReader": ("sink_*.py", "test_reader_{}_"),
    "RawSink": ("sink_*.py", "test_sink_{}_"),
    "SealsTogether": ("sink_*.py", "test_together_{}_"),
    "SweepableSink": ("sink_*.py", "test_sweep_{}_"),
    "StateReader": ("ledger_*.py", "test_reader_law_{}_"),
    "ValidatorLedger": ("ledger_*.py", "test_validator_law_{}_"),
    "ControlPlaneLedger": ("ledger_*.py", "test_control_plane_law_{}_"),
    "Warehouse": ("warehouse_*.py", "test_law_{}_"),
    "PartitionValidator": ("validator_laws.py", "test_law_{}_"),
    "ReportSource": ("report_source_laws.py", "test_law_{}_"),
    "AccountDirectory": ("account_directory_laws.py", "test_law_{}_"),
}


def numbered_laws() -> Iterator[tuple[str, int]]:
    for file in PORTS:
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef):
                laws = (ast.get_docstring(node) or "").partition("Laws:")[2]
                yield from ((node.name, int(number)) for number in re.findall(r"^(\d+)\. ", laws, re.MULTILINE))


@pytest.mark.parametrize(("port", "number"), list(numbered_laws()))
def test_the_law_has_a_test(port: str, number: int) -> None:
    files, name = TESTS_OF[port]
    text = "".join(file.read_text(encoding="utf-8") for file in LAWS.glob(files))
    assert f"def {name.format(number)}" in text


def test_laws_are_found_at_all() -> None:
    assert {port for port, _ in numbered_laws()} == TESTS_OF.keys()
