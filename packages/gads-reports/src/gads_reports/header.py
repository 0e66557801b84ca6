"""The header of a report file: what its query cannot express, in comment lines of a strict form.

```
-- title: Campaigns by day
-- kind: daily
-- grain: customer.id, campaign.id, segments.date
-- schema_version: 1
```

The header is the run of lines at the top that start with `--`; each is `-- key: value`, each key comes once, in any
order. It ends at the first other line, so an empty line separates it from a free comment.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from gads_domain.errors import ConfigurationError, InvalidValueError
from gads_domain.report import ReportKind

REQUIRED = ("title", "kind", "grain", "schema_version")
"""The keys that every header has."""

OPTIONAL = ("restatement_days", "max_days_per_request", "history_days", "date_field", "row_limit", "versions")
"""The keys that a header may have; which of them fit depends on the kind."""

_WITH_DATE_FIELD = ("date_field", "row_limit")
_WITH_HISTORY = ("restatement_days", "max_days_per_request", "history_days")
_EXAMPLE = "a header starts like: -- title: Campaigns by day"
_LINE = re.compile(r"--[ \t]*([a-z_]+)[ \t]*:[ \t]*(.*?)[ \t]*")
_FIELD = re.compile(r"[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+")
_WHOLE = re.compile(r"[1-9][0-9]{0,8}")
_VERSIONS = re.compile(r"(v[1-9][0-9]{0,3})?\.\.(v[1-9][0-9]{0,3})?")


@dataclass(frozen=True, slots=True)
class Header:
    """A header, read. The fields mean what they mean in `gads_domain.report.ReportDefinition`.

    `restatement_days` is None if the header does not have it; `lines` has the line of each key, counted from 1.
    """

    title: str
    kind: ReportKind
    grain: tuple[str, ...]
    schema_version: int
    restatement_days: int | None = None
    max_days_per_request: int | None = None
    history_days: int | None = None
    date_field: str | None = None
    row_limit: int | None = None
    first_api_version: str | None = None
    last_api_version: str | None = None
    lines: Mapping[str, int] = field(default_factory=dict, compare=False, hash=False)

    def fault(self, source: str, key: str, message: str, hint: str = "") -> ConfigurationError:
        """An error that points at the line of `key`."""
        return fault(source, self.lines.get(key, 1), message, hint)


def fault(source: str, line: int, message: str, hint: str = "") -> ConfigurationError:
    """An error about a line of a report file, in the form that every such error has."""
    return ConfigurationError(f"{source}:{line}: {message}", hint=hint)


def parse_header(text: str, source: str) -> Header:
    """Read the header of a report file's text; `source` names the file in errors.

    Raises `ConfigurationError`, whose message starts with `source:line:`.
    """
    texts, lines = _entries(text, source)
    if not texts:
        raise fault(source, 1, "the file has no header", _EXAMPLE)
    for key in REQUIRED:
        if key not in texts:
            raise fault(source, len(lines), f"the header has no {key}", f"it needs {', '.join(REQUIRED)}; {_EXAMPLE}")
    values: dict[str, Any] = {}
    for key, value in texts.items():
        try:
            values[key] = _READERS.get(key, _whole)(value)
        except InvalidValueError as error:
            raise fault(source, lines[key], f"{key}: {error.message}", error.hint) from None
    first, last = values.pop("versions", (None, None))
    header = Header(**values, first_api_version=first, last_api_version=last, lines=lines)
    _require_fitting_kind(header, source)
    return header


def has_header(text: str) -> bool:
    """Whether a text starts with a line of a header, even a malformed one; a query alone or a comment does not.

    For callers that also take queries without one, such as the `file` of a report in `gads.toml`.
    """
    found = _LINE.match(text.removeprefix("\ufeff"))
    return found is not None and found[1] in REQUIRED + OPTIONAL


def render_header(header: Header) -> str:
    """Write a header so that `parse_header` gives it back."""
    values: dict[str, object] = {key: getattr(header, key, None) for key in REQUIRED + OPTIONAL}
    values["grain"] = ", ".join(header.grain)
    if header.first_api_version or header.last_api_version:
        values["versions"] = f"{header.first_api_version or ''}..{header.last_api_version or ''}"
    return "".join(f"-- {key}: {value}\n" for key, value in values.items() if value is not None)


def _entries(text: str, source: str) -> tuple[dict[str, str], dict[str, int]]:
    values: dict[str, str] = {}
    lines: dict[str, int] = {}
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.startswith("--"):
            break
        found = _LINE.fullmatch(line.removesuffix("\r"))
        if found is None:
            hint = "write -- key: value, and separate free comments from the header with an empty line"
            raise fault(source, number, f"{_shown(line)} is not a line of a header", hint)
        key, value = found.groups()
        if key not in REQUIRED + OPTIONAL:
            near = get_close_matches(key, REQUIRED + OPTIONAL, n=1)
            hint = f"did you mean {near[0]}?" if near else f"the keys are {', '.join(REQUIRED + OPTIONAL)}"
            raise fault(source, number, f"a header has no {key!r}", hint)
        if key in values:
            raise fault(source, number, f"{key} comes twice, first on line {lines[key]}", "remove one of them")
        if not value:
            raise fault(source, number, f"{key} has no value", "write the value after the colon, or remove the line")
        values[key], lines[key] = value, number
    return values, lines


def _require_fitting_kind(header: Header, source: str) -> None:
    kind = header.kind
    for key in header.lines:
        if key in _WITH_DATE_FIELD and not kind.has_date_field:
            raise header.fault(source, key, f"a {kind} report has no {key}", "only an event report has one")
        if key in _WITH_HISTORY and not kind.has_history:
            hint = f"remove it: a {kind} report is about the present, and is read once a day"
            raise header.fault(source, key, f"a {kind} report has no {key}", hint)
    if kind.has_date_field and header.date_field is None:
        hint = "add the field with the time, such as -- date_field: change_event.change_date_time"
        raise header.fault(source, "kind", f"the {kind} report has no date_field", hint)


def _title(value: str) -> str:
    if not value.isprintable():
        raise InvalidValueError(f"{_shown(value)} has a character that cannot be printed", hint="remove it")
    return value


def _kind(value: str) -> ReportKind:
    try:
        return ReportKind(value)
    except ValueError:
        hint = f"the kinds are {', '.join(ReportKind)}"
        raise InvalidValueError(f"{_shown(value)} is not a kind of report", hint=hint) from None


def _field(value: str) -> str:
    if not _FIELD.fullmatch(value):
        raise InvalidValueError(f"{_shown(value)} is not a field", hint="write it as in SELECT, such as campaign.id")
    return value


def _grain(value: str) -> tuple[str, ...]:
    fields = tuple(_field(part.strip(" \t")) for part in value.split(","))
    for name in fields:
        if fields.count(name) > 1:
            raise InvalidValueError(f"{name} is named twice", hint="name each field once")
    return fields


def _whole(value: str) -> int:
    if not _WHOLE.fullmatch(value):
        raise InvalidValueError(f"{_shown(value)} is not a whole number from 1", hint="write digits alone")
    return int(value)


def _versions(value: str) -> tuple[str | None, str | None]:
    found = _VERSIONS.fullmatch(value)
    if found is None or value == "..":
        hint = "write v24.. or ..v25 or v24..v25, both ends included"
        raise InvalidValueError(f"{_shown(value)} is not a range of API versions", hint=hint)
    first, last = found.groups()
    if first and last and int(last[1:]) < int(first[1:]):
        raise InvalidValueError(f"{first} comes after {last}", hint=f"write {last}..{first}")
    return first, last


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:60] + "…")


_READERS: Mapping[str, Callable[[str], object]] = {
    "title": _title,
    "kind": _kind,
    "grain": _grain,
    "date_field": _field,
    "versions": _versions,
}
"""How the text of a key is read; those that are not here are whole numbers."""
