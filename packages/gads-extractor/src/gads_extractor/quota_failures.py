"""What the API asks to rest when it refuses a call for a quota, and for how long.

Sources: the messages `QuotaErrorEnum` and `QuotaErrorDetails`, and
https://ads-developers.googleblog.com/2024/05/google-ads-api-resource-usage-policy.html: a query pattern that is
throttled leaves all other queries unaffected.
"""

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from gads_domain.errors import AccountQuotaError, QuotaExhaustedError, ReportQuotaError
from gads_domain.quota import RestAsked, RestReach

_HOUR = timedelta(hours=1)

RESTS: dict[str, tuple[RestReach, timedelta]] = {
    "QUOTA_ERROR.RESOURCE_EXHAUSTED": (RestReach.PROJECT, _HOUR),
    "QUOTA_ERROR.RESOURCE_TEMPORARILY_EXHAUSTED": (RestReach.PROJECT, timedelta(seconds=30)),
    "QUOTA_ERROR.EXCESSIVE_SHORT_TERM_QUERY_RESOURCE_CONSUMPTION": (RestReach.REPORT, timedelta(minutes=5)),
    "QUOTA_ERROR.EXCESSIVE_LONG_TERM_QUERY_RESOURCE_CONSUMPTION": (RestReach.REPORT, 6 * _HOUR),
}
"""By code: what rests, and for how long where the API does not say. The quota's day slides: some of it is free soon."""

QUOTA_ERRORS: dict[RestReach, type[QuotaExhaustedError]] = {
    RestReach.PROJECT: QuotaExhaustedError,
    RestReach.ACCOUNT: AccountQuotaError,
    RestReach.REPORT: ReportQuotaError,
}

_RETRY_IN = re.compile(r"[Rr]etry in (\d+) second")
_SCOPE_ACCOUNT = "ACCOUNT"


def rest_asked(message: str, codes: Sequence[str] = (), quotas: Sequence[Any] = (), details: str = "") -> RestAsked:
    """The rest that a quota failure with `codes` asks for.

    `quotas` are its `QuotaErrorDetails`, `details` what the API says of it, and `message` what is shown. A quota of an
    account rests the account, unless it is the query that is refused. Of several lengths the longest counts.
    """
    reach, length = max(
        (RESTS[code] for code in codes if code in RESTS), key=_width, default=(RestReach.PROJECT, _HOUR)
    )
    if reach is RestReach.PROJECT and any(_scope_of(quota) == _SCOPE_ACCOUNT for quota in quotas):
        reach = RestReach.ACCOUNT
    named = [quota.retry_delay.ToTimedelta() for quota in quotas if quota.HasField("retry_delay")]
    named = [delay for delay in named if delay > timedelta()]
    named = named or [timedelta(seconds=int(seconds)) for seconds in _RETRY_IN.findall(details) if int(seconds)]
    bucket = next((f" ({quota.rate_name})" for quota in quotas if quota.rate_name), "")
    if not named:
        return RestAsked(reach, length, f"{message}{bucket}; the API does not say for how long")
    return RestAsked(reach, max(named), f"{message}{bucket}; the API asks to wait {max(named).total_seconds():.0f} s")


def _width(rest: tuple[RestReach, timedelta]) -> tuple[bool, timedelta]:
    return rest[0] is RestReach.PROJECT, rest[1]


def _scope_of(quota: Any) -> str:
    values = quota.DESCRIPTOR.fields_by_name["rate_scope"].enum_type.values_by_number
    found = values.get(quota.rate_scope)
    return "" if found is None else str(found.name)
