"""Who may ask what: the host that was asked, the token, the methods; and the headers of every answer."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOGIN = "/login"
_COOKIE = "gads_etl"
_OPEN = ("/healthz", "/readyz")
_OPEN_FOLDER = "/static/"
_LONGEST_FORM = 4096
_HOSTS = frozenset({"localhost", "127.0.0.1", "[::1]"})

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self'; script-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
"""Every answer has these."""


class Guard:
    """Lets through what may be asked.

    Without a token the server is on loopback, and only a request for a name of loopback is answered: a page of another
    host that had its name resolve to this machine is refused. With a token each request has to have it, as a bearer or
    by the cookie of the login page; only the health endpoints and the style sheet are open. Nothing but the login is
    ever posted. `login_page` makes that page, with what was wrong.
    """

    def __init__(self, app: ASGIApp, token: str | None, login_page: Callable[[str], str]) -> None:
        self._app = app
        self._token = token
        self._login_page = login_page
        # Who reads the cookie cannot use it as a bearer, and it outlives a restart.
        self._cookie = hmac.new((token or "").encode(), b"gads-etl page", hashlib.sha256).hexdigest()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or have the application do it."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                if not request.url.path.startswith(_OPEN_FOLDER):
                    headers.setdefault("Cache-Control", "no-store")
            await send(message)

        answer = await self._refusal(request)
        await (self._app if answer is None else answer)(scope, receive, with_headers)

    async def _refusal(self, request: Request) -> Response | None:
        path = request.url.path
        if self._token is None:
            if _host(request) not in _HOSTS:
                return PlainTextResponse("this address answers to localhost and 127.0.0.1 only\n", 421)
        elif path == LOGIN:
            return await self._login(request)
        if request.method not in ("GET", "HEAD"):
            return PlainTextResponse("nothing is changed over HTTP\n", 405, {"Allow": "GET, HEAD"})
        if self._token is None or path in _OPEN or path.startswith(_OPEN_FOLDER) or self._is_known(request):
            return None
        if "text/html" in request.headers.get("accept", ""):
            asked = path + (f"?{request.url.query}" if request.url.query else "")
            return RedirectResponse(f"{LOGIN}?next={quote(asked)}", 303)
        return PlainTextResponse("a token is needed: Authorization: Bearer …\n", 401, {"WWW-Authenticate": "Bearer"})

    def _is_known(self, request: Request) -> bool:
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        cookie = request.cookies.get(_COOKIE, "")
        return (kind.lower() == "bearer" and self._is_token(given.strip())) or _same(cookie, self._cookie)

    def _is_token(self, given: str) -> bool:
        return self._token is not None and _same(given, self._token)

    async def _login(self, request: Request) -> Response:
        if request.method in ("GET", "HEAD"):
            return _html(self._login_page(""))
        if request.method != "POST":
            return PlainTextResponse("log in by GET and POST\n", 405, {"Allow": "GET, HEAD, POST"})
        form = b""
        async for part in request.stream():
            form += part
            if len(form) > _LONGEST_FORM:
                return _html(self._login_page("That is not the token."), 413)
        given = parse_qs(form.decode("utf-8", "replace")).get("token", [""])[0]
        if not self._is_token(given.strip()):
            return _html(self._login_page("That is not the token."), 403)
        answer = RedirectResponse(_local(request.query_params.get("next", "/")), 303)
        is_secure = request.url.scheme == "https"
        answer.set_cookie(_COOKIE, self._cookie, httponly=True, samesite="strict", secure=is_secure)
        return answer


def _html(text: str, status: int = 200) -> Response:
    return Response(text, status, media_type="text/html")


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())


def _host(request: Request) -> str:
    """The host that was asked for, without its port."""
    given = request.headers.get("host", "").lower()
    return given[: given.index("]") + 1] if "]" in given else given.partition(":")[0]


def _local(path: str) -> str:
    """A path of this server; where it is of another one, the overview."""
    is_ours = path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable()
    return path if is_ours else "/"
