from __future__ import annotations

import os
import signal

import pytest
import typer

from gads_etl.error_handling import guarded
from gads_etl.main import run
from gads_etl.signals import interrupted_by_sigterm


@pytest.mark.parametrize("words", [[], ["state"], ["warehouse"]])
def test_a_command_that_is_skipped_gets_the_help_as_it_is_laid_out(
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
    assert said.err == (
        "error: No such command 'extract'.\nhint: gads-etl COMMAND --help shows the arguments and options\n"
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_says_that_what_was_sealed_is_kept(
    number: signal.Signals, capsys: pytest.CaptureFixture[str]
) -> None:
    app = typer.Typer()

    @app.command()
    def wait() -> None:
        with interrupted_by_sigterm():
            os.kill(os.getpid(), number)

    # Where the tests are a shell's background job, an interrupt is ignored from the start.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert guarded(lambda: app([], standalone_mode=False)) == 130
    finally:
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr().err.startswith("error: interrupted\nhint: what was sealed is kept")
