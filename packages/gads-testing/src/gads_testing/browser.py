"""A real browser for tests: the distribution's Chromium, headless, that reaches loopback alone.

Where Chromium is not installed its packages are unpacked; see `gads_testing.debian_packages`.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, sync_playwright

from gads_testing.debian_packages import unpacked

_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--font-render-hinting=none",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE 127.0.0.1",
)
_PACKAGES = ["chromium", "fonts-liberation", "fonts-dejavu-core"]


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Chromium, until the end of the `with` statement; its start costs a second, so share it."""
    program, environment = _chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program, args=list(_FLAGS), env={**os.environ, **environment}, chromium_sandbox=False
        )
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def open_page(browser: Browser, width: int = 1280, height: int = 900, *, dark: bool = False) -> Iterator[Page]:
    """A page of that size; what it reports as an error, a refusal by its policy among it, fails the test."""
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme="dark" if dark else "light", reduced_motion="reduce"
    )
    page, errors = context.new_page(), list[str]()

    def note(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            errors.append(message.text)

    def refuse(dialog: Dialog) -> None:
        errors.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    page.on("console", note)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("dialog", refuse)
    try:
        yield page
        assert not errors, errors
    finally:
        context.close()


def _chromium() -> tuple[str, dict[str, str]]:
    """The program and the environment that it needs."""
    installed = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("chromium-browser")
    if installed:
        return installed, {}
    root = unpacked("chromium", _PACKAGES)
    # Some libraries lie in folders of their own, which their packages' ELF files name by absolute paths.
    libraries = sorted({str(path.parent) for path in root.rglob("lib*.so*")})
    program = root / "usr" / "lib" / "chromium" / "chromium"
    return str(program), {"LD_LIBRARY_PATH": ":".join([*libraries, str(program.parent)])}
