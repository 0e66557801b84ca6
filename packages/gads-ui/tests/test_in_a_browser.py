"""The pages in a real browser: on a desktop, on a phone, in the dark; by keyboard; with hostile names and errors.

Pictures of each page go to a temporary folder, or to the one that GADS_SCREENSHOTS names.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from gads_status.page import status_html
from gads_testing.browser import open_page, running_browser
from gads_testing.shown_agency import FAILED, HELD, RESTATED, ShownAgency
from gads_testing.statuses import COMPLETE, IN_TROUBLE, LARGE

KINDS = {"desktop": (1280, 900, False), "phone": (390, 844, False), "dark": (1280, 900, True)}


IN_THE_DARK = ("overview", "calendar", "story-restated", "restatement")
"""The views that have every colour between them."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with running_browser() as running:
        yield running


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    chosen = os.environ.get("GADS_SCREENSHOTS")
    folder = Path(chosen) if chosen else tmp_path_factory.mktemp("pictures")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def views(agency: ShownAgency) -> dict[str, str]:
    """The path of each view, by the name of its picture."""

    def story(customer: int, days_ago: int) -> str:
        return f"/partitions/{customer}/campaign/{agency.key(customer, days_ago).logical_date}"

    return {
        "overview": "/",
        "calendar": "/calendar?report=campaign",
        "account": f"/accounts/{FAILED}",
        "story-failed": story(FAILED, 1),
        "story-restated": story(RESTATED, 3),
        "story-held": story(HELD, 3),
        "runs": "/rounds",
        "restatement": "/drift?report=campaign",
        "quota": "/quota",
        "reports": "/reports",
        "report": "/reports/campaign",
        "alerts": "/alerts",
    }


def sideways(page: Page) -> int:
    """By how many pixels the page is wider than the screen."""
    return int(page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth"))


def serious(page: Page, axe: str) -> list[tuple[str, str]]:
    """What axe finds that keeps people from using the page: the rule and the element."""
    page.evaluate(axe)
    found: list[dict[str, Any]] = page.evaluate("axe.run({resultTypes: ['violations']}).then((it) => it.violations)")
    grave = [one for one in found if one["impact"] in ("serious", "critical")]
    return [(one["id"], one["nodes"][0]["html"][:200]) for one in grave]


def test_each_page_fits_its_screen_and_a_screen_reader(
    browser: Browser, url: str, agency: ShownAgency, pictures: Path
) -> None:
    axe = (resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
    for kind, (width, height, dark) in KINDS.items():
        with open_page(browser, width, height, dark=dark) as page:
            for name, path in views(agency).items():
                page.goto(url + path)
                assert page.locator("h1").count() == 1, name
                assert sideways(page) == 0, f"{name} is wider than a {kind}"
                page.screenshot(path=pictures / f"{name}-{kind}.png", full_page=name != "reports")
                if kind == "phone" or (kind == "dark" and name in IN_THE_DARK):
                    assert serious(page, axe) == [], f"{name} {kind}"


def test_two_clicks_lead_from_the_overview_to_why_an_account_is_missing_yesterday(
    browser: Browser, url: str, agency: ShownAgency, pictures: Path
) -> None:
    yesterday = agency.key(FAILED).logical_date.isoformat()
    with open_page(browser) as page:
        page.goto(url)
        page.get_by_role("link", name=f"Dörfler Maschinenbau, {yesterday}").click()
        assert "No run of it passed in 4 attempts." in page.inner_text("main")
        assert "UNAVAILABLE: the service is not available" in page.inner_text("main")
        page.screenshot(path=pictures / "walk-1-one-click.png")
        # Or by the calendar, cell by cell.
        page.goto(url)
        page.get_by_role("table").nth(1).get_by_role("link", name="campaign", exact=True).click()
        page.screenshot(path=pictures / "walk-2-first-click.png")
        page.get_by_role("row", name="Dörfler").get_by_role("link", name=f"{yesterday}: failed").click()
        assert "UNAVAILABLE: the service is not available" in page.inner_text("main")
        page.screenshot(path=pictures / "walk-2-second-click.png")
        page.get_by_role("button", name="Copy the command").first.click()
        page.get_by_text("Copied").wait_for()


def test_the_pages_are_walked_by_keyboard_and_without_script(browser: Browser, url: str) -> None:
    with open_page(browser) as page:
        page.goto(f"{url}/calendar?report=campaign")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
        page.keyboard.press("Enter")
        assert page.evaluate("document.activeElement.id") == "content"
        failed = page.get_by_role("link", name=": failed").first
        failed.focus()
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
        page.keyboard.press("ArrowLeft")
        assert page.evaluate("document.activeElement.parentElement.className") == "authoritative"
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Enter")
        page.wait_for_url("**/partitions/**")
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(url)
    page.get_by_role("searchbox").fill("1004")
    page.get_by_role("button", name="Find").click()
    assert page.url.endswith("/accounts/1004")
    assert page.get_by_role("button", name="Copy").count() == 0
    context.close()


def test_hostile_names_and_errors_neither_run_nor_break_the_layout(
    browser: Browser,
    serving: Callable[[ShownAgency], AbstractContextManager[str]],
    hostile: ShownAgency,
    pictures: Path,
) -> None:
    with serving(hostile) as url, open_page(browser, 390, 844) as page:
        for name in ("overview", "calendar", "account", "story-failed", "story-held"):
            page.goto(url + views(hostile)[name])
            assert sideways(page) == 0, name
            # The frame stands: what was opened in a name closed nothing around it.
            assert page.locator("body > footer").count() == 1, name
            assert page.locator("script:not([src]), main script, main img:not(.strip), b, i").count() == 0, name
            assert "alert(1)" in page.inner_text("main") or name in ("story-held", "account"), name
            assert "49" not in page.inner_text("h1"), name
            assert page.evaluate("document.body.innerText.includes('\\u202e')") is False, name
            assert len(page.content()) < 1_000_000, name
            page.screenshot(path=pictures / f"hostile-{name}.png")
        page.goto(url + views(hostile)["story-failed"])
        page.locator("summary").first.click()
        assert "E" * 70_000 in page.locator("pre").first.inner_text()
        assert sideways(page) == 0


def test_the_status_as_a_page_of_its_own_fits_and_runs_nothing(
    browser: Browser, tmp_path: Path, pictures: Path
) -> None:
    axe = (resources.files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
    for name, status in (("status-trouble", IN_TROUBLE), ("status-large", LARGE), ("status-well", COMPLETE)):
        (tmp_path / f"{name}.html").write_text(status_html(status), encoding="utf-8")
    for kind, (width, height, dark) in KINDS.items():
        with open_page(browser, width, height, dark=dark) as page:
            for file in sorted(tmp_path.glob("*.html")):
                page.goto(file.as_uri())
                assert sideways(page) == 0, (file.stem, kind)
                assert page.locator("script, img, a").count() == 0
                page.screenshot(path=pictures / f"{file.stem}-{kind}.png", full_page=True)
                assert serious(page, axe) == [], (file.stem, kind)
