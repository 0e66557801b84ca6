"""Events on stderr, as JSON for programs."""

import json
import sys

from gads_domain.visible_text import visible
from gads_orchestrator.events import Event, RowsReceived, event_document

_PIECE = 4096
"""How many characters are written at once: a pipe takes that many whole when several processes write to it."""

_encode = json.JSONEncoder(ensure_ascii=False).encode


class EventLines:
    """Writes each event but the rows to stderr, one JSON document a line."""

    def on_events(self, *events: Event) -> None:
        """Write them, a few lines at once."""
        piece = ""
        for event in events:
            if isinstance(event, RowsReceived):
                continue
            line = visible(_encode(event_document(event))) + "\n"
            if piece and len(piece) + len(line) > _PIECE:
                sys.stderr.write(piece)
                piece = ""
            piece += line
        if piece:
            sys.stderr.write(piece)
