"""An OAuth 2 token endpoint on loopback, so that a client signs in without a network."""

import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs

from gads_emulator.api import TOKEN_PREFIX, Policy

_JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_REFRESH = "refresh_token"
_LIFETIME_SECONDS = 3600


def give_token(body: bytes, policy: Policy, fault: Callable[[], tuple[str, str] | None]) -> tuple[int, dict[str, Any]]:
    """Answer one token request (RFC 6749, section 5; RFC 7523) with an HTTP status and JSON.

    A service account's assertion is not verified. A refresh token is required, and must be one of the policy's if the
    policy has any. `fault` returns an error to answer instead, or None.
    """
    form = parse_qs(body.decode("utf-8", "replace"))
    grant = form.get("grant_type", [""])[0]
    injected = fault()
    if injected is not None:
        return _refused(*injected)
    if grant not in (_JWT, _REFRESH):
        return _refused("unsupported_grant_type", f"Invalid grant_type: {grant}")
    if grant == _JWT and not form.get("assertion"):
        return _refused("invalid_request", "Missing parameter: assertion")
    if grant == _REFRESH:
        token = form.get("refresh_token", [""])[0]
        if not token:
            return _refused("invalid_request", "Missing required parameter: refresh_token")
        if policy.refresh_tokens is not None and token not in policy.refresh_tokens:
            return _refused("invalid_grant", "Token has been expired or revoked.")
    return 200, {
        "access_token": TOKEN_PREFIX + secrets.token_urlsafe(24),
        "expires_in": _LIFETIME_SECONDS,
        "scope": "https://www.googleapis.com/auth/adwords",
        "token_type": "Bearer",
    }


def _refused(error: str, description: str) -> tuple[int, dict[str, Any]]:
    status = {"invalid_client": 401, "unauthorized_client": 401, "temporarily_unavailable": 503}.get(error, 400)
    return status, {"error": error, "error_description": description}
