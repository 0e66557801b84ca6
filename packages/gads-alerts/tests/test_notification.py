"""What is due to a destination by what is on record: new, worse, again, over; once, by one of several processes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from gads_alerts.condition import Condition, Evaluation
from gads_alerts.messages import MOST_ENTRIES, alert_message
from gads_alerts.notification import DIGEST, digest_day, due
from gads_alerts.rules import AlertRules, Rule
from gads_domain.activity import AlertState, Severity

NOW = datetime(2024, 6, 10, 9, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
RULES = AlertRules()


def condition(subject: str = "campaign", severity: Severity = Severity.WARNING, rule: Rule = Rule.GAPS) -> Condition:
    return Condition(rule, subject, severity, f"{subject} is late", f"gads-etl state gaps --report {subject}")


def on_record(subject: str = "campaign", **parts: object) -> AlertState:
    state = AlertState("gaps", f"ops: {subject}", NOW - 30 * HOUR, f"{subject} is late")
    told = replace(state, claimed_at=NOW - HOUR, notified_at=NOW - HOUR)
    return replace(told, **parts)  # type: ignore[arg-type]  # of the test


def test_what_is_new_is_due_and_what_was_said_is_not() -> None:
    found = due("ops", [on_record()], Evaluation.of([condition(), condition("keyword")]), RULES, NOW)
    assert [(one.subject, since) for one, since in found.conditions] == [("keyword", None)]
    assert (found.over, found.lapsed, found.open) == ((), (), 2)


def test_states_of_another_destination_are_not_its_own() -> None:
    other = on_record(subject="x")
    other = replace(other, subject="mail: campaign")
    found = due("ops", [other], Evaluation.of([condition()]), RULES, NOW)
    assert len(found.conditions) == 1
    assert due("ops", [other], Evaluation.of([]), RULES, NOW).over == ()


@pytest.mark.parametrize(
    ("state", "is_due"),
    [
        (on_record(notified_at=NOW - 24 * HOUR, claimed_at=NOW - 24 * HOUR), True),
        (on_record(notified_at=NOW - 23 * HOUR, claimed_at=NOW - 23 * HOUR), False),
        # Claimed by a process that may still be sending, and by one that was killed.
        (on_record(notified_at=None, claimed_at=NOW - timedelta(minutes=1)), False),
        (on_record(notified_at=None, claimed_at=NOW - timedelta(minutes=5)), True),
        (on_record(notified_at=NOW - 25 * HOUR, claimed_at=NOW - timedelta(minutes=1)), False),
    ],
)
def test_an_open_alert_is_due_again_and_when_no_service_took_it(state: AlertState, is_due: bool) -> None:
    found = due("ops", [state], Evaluation.of([condition()]), RULES, NOW)
    assert len(found.conditions) == is_due
    never = due("ops", [state], Evaluation.of([condition()]), replace(RULES, repeat=None), NOW)
    assert len(never.conditions) == (is_due and state.notified_at is None)


def test_what_became_worse_is_due_at_once() -> None:
    worse = condition(severity=Severity.CRITICAL)
    assert len(due("ops", [on_record()], Evaluation.of([worse]), RULES, NOW).conditions) == 1
    better = on_record(severity=Severity.CRITICAL)
    assert due("ops", [better], Evaluation.of([condition()]), RULES, NOW).conditions == ()


def test_what_is_over_is_due_unless_it_cannot_be_told_or_is_not_watched() -> None:
    states = [on_record()]
    nothing = Evaluation.of([])
    assert due("ops", states, nothing, RULES, NOW).over == tuple(states)
    unknown = due("ops", states, Evaluation.of([], [Rule.GAPS]), RULES, NOW)
    assert (unknown.over, unknown.lapsed, unknown.open) == ((), (), 1)
    others = replace(RULES, watch=frozenset({Rule.BUDGET}))
    unwatched = due("ops", states, nothing, others, NOW)
    assert (unwatched.over, unwatched.lapsed) == ((), tuple(states))


def test_what_was_over_before_a_service_took_it_is_said_all_the_same() -> None:
    state = on_record(notified_at=None, claimed_at=NOW - HOUR)
    assert due("ops", [state], Evaluation.of([]), RULES, NOW).over == (state,)


@pytest.mark.parametrize(
    ("now", "sent", "day"),
    [
        ("2024-06-10 05:59", [], ""),
        ("2024-06-10 06:00", [], "2024-06-10"),  # 08:00 in Zurich
        ("2024-06-10 21:59", [], "2024-06-10"),
        ("2024-06-10 22:00", [], ""),  # the next day there
        ("2024-06-10 09:00", ["2024-06-09"], "2024-06-10"),
        ("2024-06-10 09:00", ["2024-06-10"], ""),
    ],
)
def test_a_digest_is_due_once_a_day_in_its_zone(now: str, sent: list[str], day: str) -> None:
    moment = datetime.fromisoformat(now).replace(tzinfo=UTC)
    states = [
        AlertState(DIGEST, f"ops: {one}", moment, "", claimed_at=moment, notified_at=moment, resolved_at=moment)
        for one in sent
    ]
    rules = replace(RULES, digest=time(8), time_zone="Europe/Zurich")
    assert digest_day(states, "ops", rules, moment) == day
    assert digest_day(states, "ops", RULES, moment) == ""


def test_one_message_has_everything_worst_first_and_counts_the_rest() -> None:
    worst = condition("budget", Severity.CRITICAL, Rule.BUDGET)
    found = Evaluation.of([*(condition(f"report_{number:03}") for number in range(212)), worst]).conditions
    message = alert_message(
        [(one, None) for one in found[:-1]] + [(found[-1], NOW - HOUR)],
        [("keyword is late", NOW - 2 * HOUR)],
        still_open=213,
        now=NOW,
        origin="gads.toml on etl-01",
    )
    assert (message.title, message.kind) == ("gads-etl: 1 critical, 212 warnings, 1 resolved", "critical")
    lines = message.body().splitlines()
    assert lines[0] == "CRITICAL: budget is late"
    assert lines[1] == "    gads-etl state gaps --report budget"
    assert lines[-2:] == [f"and {214 - MOST_ENTRIES} more: gads-etl alerts list", "gads.toml on etl-01"]
    assert message.entries[-2].startswith("WARNING, open since 2024-06-10 08:30 UTC: report_211 is late")
    assert message.entries[-1] == "resolved: keyword is late (from 2024-06-10 07:30 UTC to 2024-06-10 09:30 UTC)"


@pytest.mark.parametrize(("still_open", "kind"), [(0, "resolved"), (1, "info")])
def test_a_success_is_sent_when_nothing_is_open_any_more(still_open: int, kind: str) -> None:
    message = alert_message([], [("x", NOW)], still_open=still_open, now=NOW, origin="")
    assert (message.title, message.kind) == ("gads-etl: 1 resolved", kind)


def test_names_from_the_api_steer_nothing() -> None:
    hostile = "<!channel> @everyone \x1b[2J\u202e[x](http://evil)" + "x" * 70_000
    one = replace(condition(), examples=hostile)
    (entry,) = alert_message([(one, None)], [], still_open=1, now=NOW, origin="").entries
    assert not set("<>\x1b\u202e") & set(entry)
    assert "@everyone" not in entry
    assert len(entry) < 1_000


@pytest.fixture(autouse=True)
def _no_output(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    yield
    assert capfd.readouterr() == ("", "")
