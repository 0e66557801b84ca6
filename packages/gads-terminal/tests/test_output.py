"""What is printed for programs."""

from __future__ import annotations

import json

import pytest

from gads_terminal.output import print_json

HOSTILE = "Shoes\x1b]0;owned\x07\x9b2J\u202eesreveR"


def test_json_has_them_escaped_and_means_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"name": HOSTILE})
    out = capsys.readouterr().out
    assert out.replace("\n", "").isprintable()
    assert json.loads(out) == {"name": HOSTILE}
