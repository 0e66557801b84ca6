"""What reaches a terminal."""

from __future__ import annotations

import pytest

from gads_domain.clock import SystemClock
from gads_etl.error_handling import print_error
from gads_orchestrator.events import Event
from gads_pipeline.events import Notice
from gads_telemetry.event_lines import EventLines
from gads_terminal.output import print_note
from gads_terminal.table import print_table
from gads_terminal.table_options import Table

HOSTILE = "Shoes\x1b]0;owned\x07\x9b2J\u202eesreveR"
SHOWN = r"Shoes\u001b]0;owned\u0007\u009b2J\u202eesreveR"


def notice() -> Event:
    return Notice(SystemClock().now(), "", HOSTILE)


def test_control_characters_are_shown_and_not_obeyed(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(Table("name"), [{"name": HOSTILE}], title=HOSTILE)
    print_note(HOSTILE)
    print_error(HOSTILE, HOSTILE)
    EventLines().on_events(notice())
    out, err = capsys.readouterr()
    assert (out.count(SHOWN), err.count(SHOWN)) == (2, 4)
    assert (out + err).replace("\n", "").isprintable()
