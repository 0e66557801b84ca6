from __future__ import annotations

import json
import os
import re
import signal
import sys
from pathlib import Path

import pytest
import typer

from gads_domain.errors import UsageError
from gads_etl.error_handling import IN_WORDS_OF_THE_COMMAND_LINE, guarded
from gads_etl.main import run
from gads_etl.signals import interrupted_by_sigterm
from gads_pipeline import pipeline
from gads_pipeline.work_request import require_days
from gads_telemetry.log_format import start_logging


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


def test_a_command_that_logs_json_and_cannot_begin_says_so_as_json(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    with pytest.raises(SystemExit) as ended:
        run(["run", "--log-format", "json", "--config", "gone.toml"])
    assert ended.value.code == 2
    said = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert (said[0]["level"], said[0]["message"]) == ("error", "there is no gone.toml")
    start_logging()


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


def test_a_hint_of_the_library_names_what_is_typed(capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(lambda: require_days(None, None)) == 2
    assert capsys.readouterr().err == "error: which days?\nhint: give --since and --until, both included\n"
    with pytest.raises(UsageError) as raised:
        require_days(None, None)
    assert raised.value.hint == "give `since` and `until`, both included"


def test_every_name_in_a_hint_of_the_library_has_its_words_here() -> None:
    hints = [
        text
        for path in Path(pipeline.__file__).parent.glob("*.py")
        for text in re.findall(r'(?:hint|else)[ =(]*f?"[^"]*"(?:\s*f?"[^"]*")*', path.read_text(encoding="utf-8"))
    ]
    named = {name for hint in hints for name in re.findall(r"`([^`]+)`", hint)}
    assert {"customers", "Pipeline.accounts", "template.real_account"} <= named <= set(IN_WORDS_OF_THE_COMMAND_LINE)
    assert not [hint for hint in hints if "--" in hint or "gads-etl" in hint]
