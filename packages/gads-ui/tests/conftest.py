"""One agency and one server for all tests of the pages: none of them changes anything."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from gads_testing.shown_agency import ShownAgency, shown_agency
from gads_ui.application import create_app
from gads_ui.server import Address, HttpServer

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)>\"'>{{ 7*7 }}\u202eoffer\u0000\u001b[31m</td></table>"
    + "W" * 2_000
)


@contextmanager
def _serving(agency: ShownAgency) -> Iterator[str]:
    """The pages of an agency; yields their address."""
    with HttpServer(create_app(agency.pipeline), Address.parse("127.0.0.1:0")) as server:
        yield server.url


@pytest.fixture
def serving() -> Callable[[ShownAgency], AbstractContextManager[str]]:
    return _serving


@pytest.fixture(scope="session")
def agency(tmp_path_factory: pytest.TempPathFactory) -> ShownAgency:
    return shown_agency(tmp_path_factory.mktemp("agency"))


@pytest.fixture(scope="session")
def url(agency: ShownAgency) -> Iterator[str]:
    with _serving(agency) as address:
        yield address


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> ShownAgency:
    """An agency whose names and errors try to run, and to break what is around them."""
    names = {1001: HOSTILE, 1002: "{% raw %}", 1003: "\u202eevil\u2066", 1004: "&lt;b&gt;", 1006: "x" * 255}
    folder = tmp_path_factory.mktemp("<b>it's&") / "'\"<i>"
    folder.mkdir()
    return shown_agency(folder, days=14, names=names, reports=["campaign"], error=HOSTILE + "E" * 70_000)
