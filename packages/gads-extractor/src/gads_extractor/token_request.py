"""Access tokens from the token server, whose answers are read within bounds of size and time, and checked.

`google-auth` reads an answer whole, for as long as it takes, and takes whatever is in it.
"""

import json
import queue
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from google.ads.googleads import oauth2
from google.auth import exceptions as auth_errors
from google.auth.transport import requests as transport
from google.oauth2 import credentials as user
from google.oauth2 import service_account

from gads_domain.local_path import read_file

_LARGEST = 64 * 1024
_SECONDS = 30.0
_SHOWN = 80
_SCOPES = ["https://www.googleapis.com/auth/adwords"]
_TOKEN_URI = "https://accounts.google.com/o/oauth2/token"


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    data: bytes


def _failed(reason: object) -> Exception:
    return auth_errors.TransportError(reason)  # type: ignore[no-untyped-call]  # google-auth has no annotations


class BoundedRequest(transport.Request):
    """Sends a request to the token server; raises `TransportError` for an answer that is too long, slow or no token."""

    def __call__(
        self, url: str, method: str = "GET", body: Any = None, headers: Any = None, timeout: Any = None, **options: Any
    ) -> _Answer:
        """The answer, after `_SECONDS` at most."""
        done: queue.SimpleQueue[_Answer | Exception] = queue.SimpleQueue()

        def send() -> None:
            try:
                done.put(self._sent(method, url, data=body, headers=headers, timeout=2 * _SECONDS, **options))
            except Exception as error:
                done.put(error)

        # What sends a byte a second ends no read by its timeout; a thread can be left behind.
        threading.Thread(target=send, daemon=True).start()
        try:
            answer = done.get(timeout=_SECONDS)
        except queue.Empty:
            raise _failed(f"its answer was not over within {_SECONDS:g} s") from None
        if isinstance(answer, requests.exceptions.RequestException):
            raise _failed(answer) from answer
        if isinstance(answer, Exception):
            raise answer
        if method == "POST" and answer.status == requests.codes.ok:
            _require_token(answer)
        return answer

    def _sent(self, method: str, url: str, **options: Any) -> _Answer:
        deadline, data = time.monotonic() + _SECONDS, bytearray()
        with self.session.request(method, url, stream=True, **options) as response:
            for piece in response.iter_content(1):
                data += piece
                if len(data) > _LARGEST:
                    raise _failed(f"its answer is longer than {_LARGEST:,} bytes")
                if time.monotonic() > deadline:
                    break
            return _Answer(response.status_code, response.headers, bytes(data))


def _require_token(answer: _Answer) -> None:
    try:
        document = json.loads(answer.data)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        shown = repr(answer.data[:_SHOWN].decode("utf-8", "replace"))
        raise _failed(f"it answered {answer.headers.get('content-type', 'data')}, no token: {shown}")
    if not isinstance(document.get("access_token"), str):
        raise _failed("it answered JSON without an access_token")
    lifetime = document.get("expires_in", 0)
    digits = str(lifetime)
    if isinstance(lifetime, bool) or not digits.isascii() or not digits.isdigit() or len(digits) > 8:
        raise _failed(f"it answered expires_in: {digits[:_SHOWN]!r}, which is no number of seconds")


class _UserCredentials(user.Credentials):
    def refresh(self, request: Any) -> None:
        bounded = BoundedRequest(getattr(request, "session", None))
        super().refresh(bounded)  # type: ignore[no-untyped-call]  # google-auth has no annotations


class _ServiceAccount(service_account.Credentials):
    def refresh(self, request: Any) -> None:
        bounded = BoundedRequest(getattr(request, "session", None))
        super().refresh(bounded)  # type: ignore[no-untyped-call]  # google-auth has no annotations


def _key_in(path: Path) -> dict[str, Any]:
    try:
        key = json.loads(read_file(path))
    except RecursionError:
        key = None
    if not isinstance(key, dict):
        raise ValueError(f"{path} is not a key")
    return key


_USER_KEYS = ("client_id", "client_secret", "refresh_token")


def credentials_of(settings: Mapping[str, Any]) -> Any:
    """Credentials with a first access token, of a user or a service account, as the official client makes them.

    Application default credentials are the official client's own. Raises `ValueError` for settings that are incomplete
    and what `google-auth` raises.
    """
    made: _UserCredentials | _ServiceAccount
    if settings.get("use_application_default_credentials"):
        return oauth2.get_credentials(dict(settings))
    if all(name in settings for name in _USER_KEYS):
        keys = {name: settings[name] for name in _USER_KEYS}
        made = _UserCredentials(None, token_uri=_TOKEN_URI, **keys)  # type: ignore[no-untyped-call]  # google-auth has no annotations
    elif settings.get("json_key_file_path"):
        key = _key_in(Path(settings["json_key_file_path"]))
        how = {"subject": settings.get("impersonated_email"), "scopes": _SCOPES}
        made = _ServiceAccount.from_service_account_info(key, **how)  # type: ignore[no-untyped-call]  # google-auth has no annotations
    else:
        raise ValueError("no credentials")
    session = requests.Session()
    if proxy := settings.get("http_proxy"):
        session.proxies.update({"http": proxy, "https": proxy})
    made.refresh(transport.Request(session))
    return made
