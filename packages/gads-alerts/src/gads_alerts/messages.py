"""One message for all that a destination is told at a time: worst first, cut to what a person reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gads_alerts.condition import Condition
from gads_domain.activity import Severity
from gads_domain.visible_text import visible

MOST_ENTRIES = 20
"""How many alerts a message names; of the others it has the number."""

_SIGNS = str.maketrans({"<": "‹", ">": "›", "@": "@\u2060"})
_LONGEST_ENTRY = 600


@dataclass(frozen=True, slots=True)
class Message:
    """A `title`, entries of one or more lines each, and the `last` line. `kind` is critical, warning, resolved or info.

    At most so many entries are shown as `most` says; `command` shows the others.
    """

    title: str
    kind: str
    entries: tuple[str, ...]
    last: str = ""
    command: str = "gads-etl alerts list"
    most: int = MOST_ENTRIES

    def body(self, limit: int = 0) -> str:
        """The text, with as many entries as are read and as `limit` characters hold (0: any number)."""
        shown = self.entries[: self.most]
        while True:
            left = len(self.entries) - len(shown)
            more = [f"and {left:,} more: {self.command}"] if left else []
            text = "\n".join([*shown, *more, *([self.last] if self.last else [])])
            if not limit or len(text) <= limit:
                return text
            if not shown:
                return text[:limit]
            shown = shown[:-1]


def alert_message(
    conditions: Sequence[tuple[Condition, datetime | None]],
    over: Sequence[tuple[str, datetime]],
    *,
    still_open: int,
    now: datetime,
    origin: str,
) -> Message:
    """What is new, what is open since a time, and the text of what is over with the time since when it was open.

    `still_open` counts all alerts that are open at `now`.
    """
    severities = [one.severity for one, _ in conditions]
    warnings = severities.count(Severity.WARNING)
    counts = [
        _counted(severities.count(Severity.CRITICAL), "critical"),
        _counted(warnings, "warning" if warnings == 1 else "warnings"),
        _counted(len(over), "resolved"),
    ]
    entries = [_entry(one, since) for one, since in conditions]
    entries += [clean(f"resolved: {text} (from {_when(since)} to {_when(now)})") for text, since in over]
    # A service that closes its incident on a success must not do so while something is open.
    kind = max(severities, key=list(Severity).index).value if severities else "info" if still_open else "resolved"
    return Message(f"gads-etl: {', '.join(one for one in counts if one)}", kind, tuple(entries), origin)


def blind_message(why: str, origin: str) -> Message:
    """That nothing can be evaluated, and so nothing else is said."""
    entry = f"CRITICAL: alerts cannot be evaluated: {why}\n    gads-etl check --offline"
    return Message("gads-etl: 1 critical", "critical", (clean(entry),), origin)


def seeing_message(origin: str) -> Message:
    """That the alerts are evaluated again."""
    return Message("gads-etl: 1 resolved", "info", ("resolved: alerts are evaluated again",), origin)


def trial_message(origin: str) -> Message:
    """What `alerts test` sends."""
    return Message("gads-etl: a test", "info", ("This is a test of [[alerts]]; nothing is wrong.",), origin)


def _entry(condition: Condition, since: datetime | None) -> str:
    head = condition.severity.upper() + (f", open since {_when(since)}" if since else "")
    lines = [f"{head}: {condition.text}"]
    lines += [f"    {line}" for line in (condition.examples, condition.command) if line]
    return clean("\n".join(lines))


def clean(text: str) -> str:
    """Without what steers a reader's program: control characters, markup and mentions in names from the API."""
    text = visible(text).translate(_SIGNS)
    return text if len(text) <= _LONGEST_ENTRY else f"{text[:_LONGEST_ENTRY]}…"


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}" if number else ""


def _when(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
