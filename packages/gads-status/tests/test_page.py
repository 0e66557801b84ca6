"""A status as a page: whatever came from outside is text in it."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from gads_domain.errors import UsageError
from gads_status.page import status_html, write_page
from gads_testing.statuses import COMPLETE, HOSTILE, HOSTILE_REASON, IN_TROUBLE, LARGE, NO_LEDGER


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes.update(name for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def test_hostile_names_and_errors_are_text_and_nothing_of_them_runs() -> None:
    html = status_html(replace(IN_TROUBLE, unknown=f"a sink says {HOSTILE_REASON[:300]}"))
    page = Page(html)
    assert page.tags.isdisjoint({"script", "img", "iframe", "object", "link", "form", "svg"})
    assert {name for name in page.attributes if name.startswith("on")} == set()
    assert "src" not in page.attributes
    assert "default-src 'none'; style-src &#39;sha256-" in html
    text = " ".join(page.texts)
    assert f"{HOSTILE} (<script>alert(1)</script>\\u001b[31m" in text
    assert "{{ 7 * 7 }}" in text
    assert not any(one in html for one in "\x1b\x07\u202e\u2066")
    assert len(html) < 20_000


def test_a_page_says_what_is_complete_what_is_not_and_what_is_unknown() -> None:
    for status, words in ((COMPLETE, "Nothing asks for a person."), (NO_LEDGER, "Not known to be complete: ")):
        text = "".join(Page(status_html(status)).texts)
        assert words in text
        assert status.answer.value.capitalize() in text
    assert len(status_html(LARGE)) < 60_000


def test_a_page_is_written_in_one_step_and_over_a_file_alone(tmp_path: Path) -> None:
    file = tmp_path / "status.html"
    write_page(COMPLETE, file)
    write_page(IN_TROUBLE, file)
    assert file.read_text(encoding="utf-8") == status_html(IN_TROUBLE)
    with pytest.raises(UsageError, match="is not a regular file"):
        write_page(COMPLETE, tmp_path)
    with pytest.raises(OSError, match="absent"):
        write_page(COMPLETE, tmp_path / "absent" / "status.html")
    assert list(tmp_path.iterdir()) == [file]
