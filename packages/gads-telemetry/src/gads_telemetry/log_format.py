"""Log lines on stderr, for people or as JSON, and where they are turned on."""

import json
import logging
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, TextIO

from gads_domain.clock import iso_utc
from gads_domain.visible_text import visible

LOGGER = "gads_etl"
"""The logger above all of ours."""

SCHEMA_VERSION = 1
"""Of a JSON line: a member may be added; one that is removed or means something else raises it."""

LONGEST_MESSAGE = 4_000
"""Characters of a message, and of each text among the members; what is longer is cut, and the line says so."""

_LONGEST_TRACEBACK = 16_000
_SUBJECT = ("run_id", "customer_id", "report", "first", "last")
_SECRET = re.compile(r"(?i)(secret|token|password|passwd|api_?key|headers|credential)")
_SHORTEST_SECRET = 6
_USER_IN_URL = re.compile(r"(?<=://)[^/\s@]+(?=@)")
_HIDDEN = "***"
_RAISES_IT = ("google.ads.googleads", "urllib3.connectionpool")
"""Loggers that warn of what is tried again, or raised and named by us."""


class LogFormat(StrEnum):
    """How a log line is written."""

    PEOPLE = "people"
    JSON = "json"


class LogLevel(StrEnum):
    """The least level that is written: `debug` has each slice, call and partition."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class _Formatter(logging.Formatter):
    """Cuts what is long, and hides the values of secret variables and passwords in URLs, wherever they appear.

    `wording` puts what the library says into the words of the program that prints it.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ, wording: Callable[[str], str] = str) -> None:
        super().__init__()
        self._secrets = sorted(set(_secrets_in(environment)), key=len, reverse=True)
        self._wording = wording

    def text_of(self, value: str, longest: int = LONGEST_MESSAGE) -> str:
        """`value` as it may be printed."""
        value = self._wording(value)
        for secret in self._secrets:
            value = value.replace(secret, _HIDDEN)
        value = _USER_IN_URL.sub(_HIDDEN, value)
        left = len(value) - longest
        return value if left <= 0 else f"{value[:longest]}… ({left:,} more characters)"

    def traceback_of(self, record: logging.LogRecord) -> str:
        """The traceback of what was raised, empty if nothing was."""
        return self.text_of(self.formatException(record.exc_info), _LONGEST_TRACEBACK) if record.exc_info else ""


class PeopleFormatter(_Formatter):
    """A line for people: time (UTC), level, account, report and days, what happened, and the run.

    Ends of lines and control characters of a message are shown and not obeyed; a traceback has lines of its own.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        subject = _subject_of(record)
        at = f"{iso_utc(_time_of(record))[:19]}Z {record.levelname.lower():<7}"
        of_run = f" (run {subject['run_id']})" if subject["run_id"] else ""
        about = _about(subject, str(_members_of(record).get("name") or ""))
        message = f"{f'{about}: ' if about else ''}{self.text_of(record.getMessage())}{of_run}"
        line = visible(f"{at} {' '.join(message.split())}")
        return "\n  ".join([line, *visible(self.traceback_of(record)).splitlines()])


class JsonFormatter(_Formatter):
    """A JSON document in one line, in printable ASCII.

    `version`, `at`, `level`, `logger` and `message` are always there; `run_id`, `customer_id`, `account` (its name),
    `report`, `first` and `last` (days) where the line is about one; `event` and `data` (what the event's type adds) for
    an event; `traceback` for an error that was raised.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        members = _members_of(record)
        subject = {name: value for name, value in _subject_of(record).items() if value}
        data = {name: self._cut(value) for name, value in members.items() if name not in _PLACED}
        document = {
            "version": SCHEMA_VERSION,
            "at": iso_utc(_time_of(record)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": self.text_of(record.getMessage()),
            **subject,
            **({"account": self._cut(members["name"])} if members.get("name") else {}),
            **({"event": members["event"]} if "event" in members else {}),
            **({"data": data} if data else {}),
            **({"traceback": text} if (text := self.traceback_of(record)) else {}),
        }
        return json.dumps(document, default=str)

    def _cut(self, value: Any) -> Any:
        return self.text_of(value) if isinstance(value, str) else value


_PLACED = frozenset({*_SUBJECT, "event", "at", "name", "logical_date"})
_FORMATTERS = {LogFormat.PEOPLE: PeopleFormatter, LogFormat.JSON: JsonFormatter}


class _Handler(logging.Handler):
    """Writes to what stderr is at the moment, a line at once, so that a progress bar can stay below."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Without what libraries warn of that is tried again or raised."""
        return record.levelno > logging.WARNING or not record.name.startswith(_RAISES_IT)

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
            stream = sys.stderr
            (stream.inner if isinstance(stream, JsonLines) else stream).write(f"{line}\n")
        except Exception:
            self.handleError(record)


class JsonLines:
    """Stands for stderr: each line that is printed becomes a log line, so that all of stderr is JSON."""

    def __init__(self, inner: TextIO, handler: logging.Handler) -> None:
        self.inner = inner
        self._handler = handler
        self._begun = ""

    def write(self, text: str) -> int:
        """Take `text`; whole lines are written, the rest waits for its end."""
        *lines, self._begun = (self._begun + text).split("\n")
        for line in filter(str.strip, lines):
            level, message = _level_of(line)
            self._handler.handle(logging.LogRecord(f"{LOGGER}.stderr", level, "", 0, message, None, None))
        return len(text)

    def isatty(self) -> bool:
        """Never: nothing is drawn between log lines."""
        return False

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def start_logging(
    format_: LogFormat = LogFormat.PEOPLE, level: LogLevel = LogLevel.INFO, wording: Callable[[str], str] = str
) -> None:
    """Write log records to stderr from now on: ours from `level` up, those of libraries from `WARNING` up.

    With JSON whatever else is printed to stderr becomes a log line as well. Called again, the last call holds.
    """
    root = logging.getLogger()
    for handler in [one for one in root.handlers if isinstance(one, _Handler)]:
        root.removeHandler(handler)
    if isinstance(sys.stderr, JsonLines):
        sys.stderr = sys.stderr.inner
    handler = _Handler()
    handler.setFormatter(_FORMATTERS[format_](wording=wording))
    root.addHandler(handler)
    logging.getLogger(LOGGER).setLevel(level.upper())
    if format_ is LogFormat.JSON:
        sys.stderr = JsonLines(sys.stderr, handler)


def _level_of(line: str) -> tuple[int, str]:
    for prefix, level in (("error: ", logging.ERROR), ("warning: ", logging.WARNING)):
        if line.startswith(prefix):
            return level, line.removeprefix(prefix)
    return logging.INFO, line


def _members_of(record: logging.LogRecord) -> Mapping[str, Any]:
    found = getattr(record, "gads", {})
    return found if isinstance(found, Mapping) else {}


def _subject_of(record: logging.LogRecord) -> dict[str, str]:
    """The run, account, report and days that a record is about; empty where there is none."""
    members = _members_of(record)
    day = members.get("logical_date", "")
    found = {name: str(members.get(name) or "") for name in _SUBJECT}
    return {**found, "first": found["first"] or day, "last": found["last"] or day}


def _about(subject: Mapping[str, str], name: str) -> str:
    first, last = subject["first"], subject["last"]
    account = f"{subject['customer_id']} ({name})" if name else subject["customer_id"]
    return " ".join(filter(None, (account, subject["report"], first if first == last else f"{first}..{last}")))


def _time_of(record: logging.LogRecord) -> datetime:
    at = _members_of(record).get("at")
    return datetime.fromisoformat(at) if isinstance(at, str) else datetime.fromtimestamp(record.created, UTC)


def _secrets_in(environment: Mapping[str, str]) -> Iterator[str]:
    for name, value in environment.items():
        if _SECRET.search(name) and "/" not in value:
            # Of headers, written `name=value,…`, each value is one.
            parts = (value, *(part.partition("=")[2] for part in value.split(",")))
            yield from (part for part in parts if len(part) >= _SHORTEST_SECRET)
