from __future__ import annotations

import pytest

from gads_etl.main import run


@pytest.mark.parametrize("words", [[], ["state"], ["warehouse"]])
def test_a_command_that_is_left_out_gets_the_help_as_it_is_laid_out(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(words)
    said = capsys.readouterr()
    assert ended.value.code == 2
    assert said.out == ""
    assert said.err.startswith("Usage: gads-etl")
    assert "\nCommands:\n" in said.err


def test_a_command_that_is_not_there_is_one_line_and_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        run(["extract"])
    said = capsys.readouterr()
    assert ended.value.code == 2
    assert said.err == ("error: No such command 'extract'.\nhint: gads-etl COMMAND --help shows how it is meant\n")
