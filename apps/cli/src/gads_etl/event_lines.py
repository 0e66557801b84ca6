"""Events on stderr: a line for people, or JSON for programs."""

import json
import sys

from gads_domain.clock import iso_utc
from gads_domain.expectations import ListedAccount
from gads_orchestrator.events import (
    CallEnded,
    Event,
    PartitionEvent,
    RowsReceived,
    RunPlanned,
    SliceEvent,
    event_document,
    event_name,
)
from gads_pipeline.events import CompletenessRead, DaysFailed, Notice
from gads_terminal.output import day_span, visible

_QUIET = (RowsReceived, CallEnded, PartitionEvent)
"""Too many for people; programs get all but the rows."""

_PIECE = 4096
"""How many characters are written at once: a pipe takes that many whole when several processes write to it."""

_encode = json.JSONEncoder(ensure_ascii=False).encode


class EventLines:
    """Writes each event as a line to stderr; `as_json` as one JSON document a line."""

    def __init__(self, *, as_json: bool = False) -> None:
        self._as_json = as_json

    def on_events(self, *events: Event) -> None:
        """Write them, a few lines at once."""
        piece = ""
        for event in events:
            if isinstance(event, RowsReceived if self._as_json else _QUIET):
                continue
            line = visible(_encode(event_document(event)) if self._as_json else _line(event)) + "\n"
            if piece and len(piece) + len(line) > _PIECE:
                sys.stderr.write(piece)
                piece = ""
            piece += line
        if piece:
            sys.stderr.write(piece)


def _line(event: Event) -> str:
    document = event_document(event)
    for name in ("event", "at", "run_id"):
        document.pop(name)
    if isinstance(event, Notice):
        return event.message
    at = f"{iso_utc(event.at)[:19]}Z"
    if isinstance(event, DaysFailed):
        account, days = ListedAccount(event.customer_id, event.name), day_span(event.first, event.last)
        return f"{at} not success: {account} {event.report} {days}: {event.reason}"
    if isinstance(event, CompletenessRead):
        return f"{at} {event}"
    head = f"{at} {event_name(type(event))}"
    if isinstance(event, SliceEvent):
        span = [str(document.pop(name)) for name in ("customer_id", "report", "first", "last")]
        head += f" {span[0]} {span[1]} {span[2]}..{span[3]}"
    if isinstance(event, RunPlanned):
        document["by_reason"] = " ".join(f"{name}:{count}" for name, count in event.by_reason.items())
    return " ".join([head, *(f"{name}={value}" for name, value in document.items() if value != "")])
