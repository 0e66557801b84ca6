"""The header of a report file: what its query cannot say, in comment lines of a strict form.

```
-- title: Campaigns by day
-- kind: daily
-- grain: customer.id, campaign.id, segments.date
-- schema_version: 1
```

The header is the run of lines at the top that start with `--`; each is `-- key: value`, each key comes once, in any
order. It ends at the first other line, so a free comment is set off from it by an empty line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import NoReturn, TypeVar

from gads_domain.errors import ConfigurationError, InvalidValueError
from gads_domain.report import ReportKind

_T = TypeVar("_T")

REQUIRED = ("title", "kind", "grain", "schema_version")
"""The keys that every header has."""

OPTIONAL = (
    "restatement_days",
    "max_days_per_request",
    "history_days",
    "date_field",
    "row_limit",
    "versions",
)
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

    `restatement_days` is None if the header does not say; `lines` tells where each key stands, counted from 1.
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
    """An error about a line of a report file, in the form that every error of one has."""
    return ConfigurationError(f"{source}:{line}: {message}", hint=hint)


def parse_header(text: str, source: str) -> Header:
    """Read the header of a report file's text; `source` names the file in errors.

    Raises `ConfigurationError`, whose message starts with `source:line:`.
    """
    values, lines = _entries(text, source)
    reader = _Reader(source, values, lines)
    if not values:
        reader.refuse(1, "the file has no header", _EXAMPLE)
    for key in REQUIRED:
        if key not in values:
            reader.refuse(len(lines), f"the header has no {key}", f"it needs {', '.join(REQUIRED)}; {_EXAMPLE}")
    kind = reader.take("kind", _kind)
    reader.fit_kind(kind)
    if kind.has_date_field and "date_field" not in values:
        reader.refuse(
            lines["kind"],
            f"the {kind} report has no date_field",
            "add the field with the time: -- date_field: change_event.change_date_time",
        )
    first, last = reader.maybe("versions", _versions) or (None, None)
    return Header(
        title=reader.take("title", _title),
        kind=kind,
        grain=reader.take("grain", _grain),
        schema_version=reader.take("schema_version", _whole),
        restatement_days=reader.maybe("restatement_days", _whole),
        max_days_per_request=reader.maybe("max_days_per_request", _whole),
        history_days=reader.maybe("history_days", _whole),
        date_field=reader.maybe("date_field", _field),
        row_limit=reader.maybe("row_limit", _whole),
        first_api_version=first,
        last_api_version=last,
        lines=lines,
    )


def has_header(text: str) -> bool:
    """Whether a text starts with a line of a header, well formed or not otherwise; a query alone or a remark does not.

    For those who also take queries without one, such as the `file` of a report in `gads.toml`.
    """
    found = _LINE.match(text.removeprefix("\ufeff"))
    return found is not None and found[1] in REQUIRED + OPTIONAL


def render_header(header: Header) -> str:
    """Write a header so that `parse_header` gives it back."""
    values: dict[str, object] = {
        "title": header.title,
        "kind": header.kind.value,
        "grain": ", ".join(header.grain),
        "schema_version": header.schema_version,
        "restatement_days": header.restatement_days,
        "max_days_per_request": header.max_days_per_request,
        "history_days": header.history_days,
        "date_field": header.date_field,
        "row_limit": header.row_limit,
    }
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
            raise fault(
                source,
                number,
                f"{_shown(line)} is no line of a header",
                "write -- key: value, and set free comments off from the header with an empty line",
            )
        key, value = found.groups()
        if key not in REQUIRED + OPTIONAL:
            near = get_close_matches(key, REQUIRED + OPTIONAL, n=1)
            hint = f"did you mean {near[0]}?" if near else f"the keys are {', '.join(REQUIRED + OPTIONAL)}"
            raise fault(source, number, f"a header has no {key!r}", hint)
        if key in values:
            raise fault(source, number, f"{key} is said twice, first on line {lines[key]}", "leave one of them")
        if not value:
            raise fault(source, number, f"{key} has no value", "write the value after the colon, or leave the line out")
        values[key], lines[key] = value, number
    return values, lines


class _Reader:
    def __init__(self, source: str, values: Mapping[str, str], lines: Mapping[str, int]) -> None:
        self._source, self._values, self._lines = source, values, lines

    def refuse(self, line: int, message: str, hint: str) -> NoReturn:
        raise fault(self._source, line, message, hint)

    def fit_kind(self, kind: ReportKind) -> None:
        for key in self._values:
            if key in _WITH_DATE_FIELD and not kind.has_date_field:
                self.refuse(self._lines[key], f"a {kind} report has no {key}", "only an event report has one")
            if key in _WITH_HISTORY and not kind.has_history:
                hint = f"remove it: a {kind} report says how things are now, and is read once a day"
                self.refuse(self._lines[key], f"a {kind} report has no {key}", hint)

    def take(self, key: str, read: Callable[[str], _T]) -> _T:
        try:
            return read(self._values[key])
        except InvalidValueError as error:
            self.refuse(self._lines[key], f"{key}: {error.message}", error.hint)

    def maybe(self, key: str, read: Callable[[str], _T]) -> _T | None:
        return self.take(key, read) if key in self._values else None


def _title(value: str) -> str:
    if not value.isprintable():
        raise InvalidValueError(f"{_shown(value)} holds a character that cannot be printed")
    return value


def _kind(value: str) -> ReportKind:
    try:
        return ReportKind(value)
    except ValueError:
        kinds = ", ".join(kind.value for kind in ReportKind)
        raise InvalidValueError(f"{_shown(value)} is no kind of report", hint=f"the kinds are {kinds}") from None


def _field(value: str) -> str:
    if not _FIELD.fullmatch(value):
        raise InvalidValueError(f"{_shown(value)} is no field", hint="write it as in SELECT, such as campaign.id")
    return value


def _grain(value: str) -> tuple[str, ...]:
    fields = tuple(_field(part.strip(" \t")) for part in value.split(","))
    for name in fields:
        if fields.count(name) > 1:
            raise InvalidValueError(f"{name} is named twice", hint="name each field once")
    return fields


def _whole(value: str) -> int:
    if not _WHOLE.fullmatch(value):
        raise InvalidValueError(f"{_shown(value)} is no whole number from 1", hint="write digits alone")
    return int(value)


def _versions(value: str) -> tuple[str | None, str | None]:
    found = _VERSIONS.fullmatch(value)
    if found is None or value == "..":
        raise InvalidValueError(
            f"{_shown(value)} is no range of API versions", hint="write v24.. or ..v25 or v24..v25, both ends included"
        )
    first, last = found.groups()
    if first and last and int(last[1:]) < int(first[1:]):
        raise InvalidValueError(f"{first} comes after {last}", hint=f"write {last}..{first}")
    return first, last


def _shown(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:60] + "…")
