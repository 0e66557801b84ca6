"""What a table looks like."""

from __future__ import annotations

import pytest

from gads_terminal.table import print_table


def test_a_cell_is_cut_in_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(["name"], [{"name": "x" * 100_000}])
    out = capsys.readouterr().out
    assert "…" in out
    assert len(out) < 2_000
