"""How far back the API keeps rows, by resource and by how fine the figures are."""

from __future__ import annotations

from datetime import date

import pytest

from gads_gaql import history_of, parse


@pytest.mark.parametrize(
    ("query", "first_kept"),
    [
        ("SELECT segments.date, metrics.clicks FROM campaign", date(2021, 2, 28)),
        ("SELECT segments.hour, segments.month, metrics.clicks FROM campaign", date(2021, 2, 28)),
        ("SELECT segments.week, metrics.clicks FROM campaign", date(2021, 2, 28)),
        ("SELECT segments.month, metrics.clicks FROM campaign", date(2013, 3, 31)),
        ("SELECT segments.date, click_view.gclid FROM click_view", date(2024, 1, 1)),
        ("SELECT change_event.change_date_time FROM change_event", date(2024, 3, 1)),
        ("SELECT change_status.last_change_date_time FROM change_status", date(2024, 1, 1)),
    ],
)
def test_days_are_kept_by_resource_and_fineness(query: str, first_kept: date) -> None:
    """Seen on a 31st: where the month has no such day, the last one it has."""
    history = history_of(parse(query))
    assert history is not None
    assert history.first_kept(date(2024, 3, 31)) == first_kept
    assert history.source.startswith("https://developers.google.com/")


def test_what_has_no_metrics_and_no_segments_is_of_today() -> None:
    assert history_of(parse("SELECT label.name FROM label")) is None
