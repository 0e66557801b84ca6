"""The routes of the page, as an ASGI application; errors become a page with one clear sentence."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from gads_domain.errors import GadsError, UsageError
from gads_pipeline import Pipeline
from gads_ui.guard import Guard
from gads_ui.rendering import render
from gads_ui.site import Site
from gads_ui.views import account, alerts, calendar, drift, overview, partition, quota, reports, rounds, strips

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import BaseRoute
    from starlette.types import ASGIApp

_LOG = logging.getLogger(__name__)

View = Callable[[Site, "Request"], "Response"]

VIEWS: tuple[tuple[str, View], ...] = (
    ("/", overview.show),
    ("/accounts", overview.find),
    ("/accounts/{customer}", account.show),
    ("/calendar", calendar.show),
    ("/rounds", rounds.show),
    ("/strips/{report}", strips.show),
    ("/drift", drift.show),
    ("/quota", quota.show),
    ("/alerts", alerts.show),
    ("/partitions/{customer}/{report}/{day}", partition.show),
    ("/reports", reports.index),
    ("/reports/{report}", reports.show),
)
"""The path of each view."""


def create_app(
    pipeline: Pipeline,
    *,
    token: str | None = None,
    extra_routes: Sequence[BaseRoute] = (),
    hints: Callable[[str], str] = str,
) -> ASGIApp:
    """The application: read-only pages of `pipeline`, and `extra_routes` beside them.

    Without a `token` it answers to requests for loopback alone; see `Guard`. `hints` turns what an error says to a
    program into what it says to a person.
    """
    # Commands are copied to a terminal that may be in another folder.
    path = pipeline.configuration.path.absolute()
    site = Site(Pipeline(pipeline.configuration.model_copy(update={"path": path}), command=pipeline.command), hints)
    site.status.begin()

    def error_page(message: str, hint: str, status: int) -> Response:
        commands = [site.commands.of("Check configuration, sink, ledger and API", "check")] if status >= 500 else []
        values = {"message": message, "hint": hint}
        return site.page("error.html", HTTPStatus(status).phrase, "", values, commands, status)

    def of_ours(_request: Request, error: Exception) -> Response:
        assert isinstance(error, GadsError)
        return error_page(error.message, error.hint, 400 if isinstance(error, UsageError) else 503)

    def of_http(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        what = "There is no such page." if error.status_code == 404 else error.detail
        return error_page(what, "", error.status_code)

    routes = [*extra_routes, Mount("/static", StaticFiles(packages=[("gads_ui", "static")]))]
    routes += [Route(path, _endpoint(site, view, error_page)) for path, view in VIEWS]
    handlers: dict[Any, Any] = {GadsError: of_ours, HTTPException: of_http}
    app = Starlette(routes=routes, exception_handlers=handlers)
    return Guard(app, token, lambda wrong: render("login.html", {"wrong": wrong}))


def _endpoint(site: Site, view: View, error_page: Callable[[str, str, int], Response]) -> Callable[[Request], Response]:
    def endpoint(request: Request) -> Response:
        try:
            return view(site, request)
        except (GadsError, HTTPException):
            raise
        except Exception:
            # Written down where the operator of the process looks; who reads the page learns that it is no fault of
            # the data.
            _LOG.exception("the page %s could not be made", request.url.path)
            return error_page("This page could not be made: a bug of gads-etl.", "its log has the details", 500)

    return endpoint
