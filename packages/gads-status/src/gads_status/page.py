"""A status as one page of HTML that needs nothing else: no script, no picture, no other file."""

import base64
import hashlib
import os
from contextlib import suppress
from importlib import resources
from pathlib import Path

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from gads_domain.errors import UsageError
from gads_domain.visible_text import visible
from gads_status.screen import facts, missing_texts, summary, up_to
from gads_status.status import Status

_MOST = 100


def status_html(status: Status) -> str:
    """The page. Whatever came from outside is text in it, with control characters shown."""
    style = _text("page.css")
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return _template().render(
        status=status,
        style=Markup(style),
        style_source=f"'sha256-{digest}'",
        summary=summary(status),
        missing=missing_texts(status),
        facts=facts(status, _MOST),
        reports=[(one, up_to(status, one)) for one in status.reports],
    )


def write_page(status: Status, file: Path) -> None:
    """Write the page to `file` in one step: whoever reads it meanwhile gets the former one, or this one.

    Raises `UsageError` if `file` is there and no regular file, and `OSError`.
    """
    if file.exists() and not file.is_file():
        raise UsageError(f"{file} is not a regular file", hint="name a file, which is made or replaced")
    beside = file.with_name(f".{file.name}.{os.getpid()}.partial")
    try:
        beside.write_text(status_html(status), encoding="utf-8")
        beside.replace(file)
    except OSError:
        with suppress(OSError):
            beside.unlink()
        raise


def _template() -> Template:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_shown
    )
    return environment.from_string(_text("page.html"))


def _text(name: str) -> str:
    return (resources.files("gads_status") / name).read_text("utf-8")


def _shown(value: object) -> object:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
