"""Which of the credentials is wrong, as far as an answer shows: client, refresh token, login, Cloud project.

Sources: https://developers.google.com/google-ads/api/docs/common-errors, https://www.rfc-editor.org/rfc/rfc6749
section 5.2, and Google's additions to it: https://developers.google.com/identity/protocols/oauth2/web-server.
"""

_GRANTS = {
    "invalid_grant": (
        "refresh_token is expired, revoked or of another client_id: make a new one; of a service account it is the key "
        "at json_key_file_path, impersonated_email or this machine's clock; while the OAuth consent screen is in "
        "testing, a refresh_token ends after seven days: publish the app, or use a service account"
    ),
    "invalid_client": "client_id and client_secret are not those of an OAuth client, or do not belong together",
    "unauthorized_client": (
        "client_id may not use this refresh_token; of a service account impersonated_email has not delegated to it"
    ),
    "deleted_client": "client_id is of an OAuth client that was deleted: make another, and a refresh_token for it",
    "disabled_client": "client_id is of an OAuth client that was disabled: enable it in its cloud project",
    "org_internal": "client_id lets in users of its own organization alone; refresh_token is of another's user",
    "invalid_scope": "refresh_token was not granted https://www.googleapis.com/auth/adwords: make a new one",
    "access_denied": "the Google account behind refresh_token may not grant access; ask its administrator",
    "admin_policy_enforced": "the administrator of the Google account behind refresh_token forbids this client_id",
}
"""What the token server answers, and which setting is at fault."""

REFUSED_GRANTS = tuple(_GRANTS)

_DEVELOPER_TOKEN = (
    "developer tokens ended on 2026-09-09: delete developer_token from google-ads.yaml; access belongs to the Cloud "
    "project of client_id or of the service account"
)
_OF_CODE = {
    "INVALID_LOGIN_CUSTOMER_ID": "login_customer_id is not an account: a manager's number, ten digits without dashes",
    "LOGIN_CUSTOMER_ID_PARAMETER_MISSING": "login_customer_id is missing: a manager's number, ten digits",
    "INVALID_LINKED_CUSTOMER_ID": "linked_customer_id is not an account",
    "NOT_ADS_USER": "the Google account behind refresh_token has no Google Ads account: share one with it",
    "GOOGLE_ACCOUNT_DELETED": "the Google account behind refresh_token was deleted: use another",
    "TWO_STEP_VERIFICATION_NOT_ENROLLED": "the Google account behind refresh_token needs 2-Step Verification",
    "ADVANCED_PROTECTION_NOT_ENROLLED": "the Google account behind refresh_token needs Advanced Protection",
    "PROJECT_DISABLED": "the cloud project of client_id, or the Google Ads API in it, is disabled: enable it",
    "CLOUD_PROJECT_NOT_FOUND": "the cloud project of client_id does not exist",
    "CLOUD_PROJECT_NOT_APPROVED_FOR_PRODUCTION": "the cloud project of client_id is for test accounts alone: apply for "
    "Explorer, Basic or Standard access for the project",
    "CLOUD_PROJECT_NOT_UNDER_ORGANIZATION": "the cloud project of client_id belongs to no organization",
    "INCOMPLETE_SIGNUP": "the account has not been set up to its end: sign in to it once",
}

_REFRESH_TOKEN = (
    "refresh_token gives no access any more: make a new one, or of a service account renew json_key_file_path"
)
ANY_OF_THEM = "one of client_id, refresh_token and login_customer_id is wrong; the answer does not name it"


def of_code(code: str) -> str | None:
    """What to do about an error code such as `AUTHENTICATION_ERROR.OAUTH_TOKEN_REVOKED`; None if it is about no login.

    An authentication error about the account that a call is for is not told apart here.
    """
    group, _, name = code.partition(".")
    if "DEVELOPER_TOKEN" in name:
        return _DEVELOPER_TOKEN
    if name in _OF_CODE or group != "AUTHENTICATION_ERROR":
        return _OF_CODE.get(name)
    return _REFRESH_TOKEN if name.startswith(("OAUTH_TOKEN", "GOOGLE_ACCOUNT", "LOGIN_COOKIE")) else ANY_OF_THEM


def of_oauth(text: str) -> str:
    """What to do about an answer of the token server, such as `invalid_grant: Token has been expired or revoked.`"""
    return next((hint for grant, hint in _GRANTS.items() if grant in text), _REFRESH_TOKEN)
