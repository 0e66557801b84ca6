"""How far back the API keeps the rows of a query."""

from gads_domain.report import History
from gads_gaql.syntax import Query

FINE_SEGMENTS = frozenset({"segments.date", "segments.hour", "segments.week"})
"""The segments whose figures are kept for 37 months; those by month, quarter or year are kept for 11 years."""

HISTORY_OF_RESOURCE = {
    "change_event": History("https://developers.google.com/google-ads/api/docs/change-event", days=30),
    "change_status": History("https://developers.google.com/google-ads/api/docs/change-status", days=90),
    "click_view": History("https://developers.google.com/google-ads/api/fields/v26/click_view", days=90),
}
"""The resources that are kept for less time than figures by day are."""
_DEPRECATIONS = "https://developers.google.com/google-ads/api/docs/deprecations"
_FINE = History(_DEPRECATIONS, months=37)
_COARSE = History(_DEPRECATIONS, months=11 * 12)


def history_of(query: Query) -> History | None:
    """How far back rows of `query` are kept; None for a query without metrics or segments, whose rows are of today.

    Daily, hourly and weekly figures are kept for 37 months since 2026-06-01. Clicks and changes have less.
    """
    if query.resource in HISTORY_OF_RESOURCE:
        return HISTORY_OF_RESOURCE[query.resource]
    selected = frozenset(query.field_names)
    if selected & FINE_SEGMENTS:
        return _FINE
    return _COARSE if any(name.startswith(("metrics.", "segments.")) for name in selected) else None
