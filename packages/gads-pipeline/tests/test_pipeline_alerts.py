"""Alerts of a deployment: by real deliveries, on a real ledger, once, again when that failed, and aloud when over."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gads_domain.activity import Heartbeat
from gads_domain.clock import SystemClock
from gads_domain.errors import ConfigurationError, CredentialsError, HeldElsewhereError
from gads_orchestrator.events import Event, ServePaused
from gads_pipeline import Pipeline
from gads_pipeline.alert_watch import AlertWatch, watching_alerts
from gads_pipeline.alerts import AlertDesk
from gads_pipeline.composition import open_activity, open_ledger_for_control_plane
from gads_pipeline.configuration import Configuration
from gads_pipeline.events import Notice
from gads_testing.alert_destinations import SECRET, Webhook, mailbox, webhook
from gads_testing.local_deployment import SINK, STATE, LocalDeployment

HOUR = timedelta(hours=1)


class Clock:
    """What the alerts take for now; the ledger is real, and so is the time in which it is written."""

    def __init__(self) -> None:
        self.moment = datetime.now(UTC)

    def now(self) -> datetime:
        return self.moment


@pytest.fixture
def hook() -> Iterator[Webhook]:
    with webhook() as found:
        yield found


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(SystemClock, "now", lambda _: found.moment)
    return found


@pytest.fixture
def deployment(tmp_path: Path) -> Callable[..., Pipeline]:
    def write(alerts: str) -> Pipeline:
        path = tmp_path / "gads.toml"
        path.write_text(
            '[google_ads]\ncustomer_ids = ["1234567890"]\n[google_ads.emulator]\n'
            '[storage]\nsink = "file:raw"\nstate = "sqlite:state.db"\n[[reports]]\nname = "campaign"\n' + alerts
        )
        (tmp_path / "raw").mkdir(exist_ok=True)
        pipeline = Pipeline.open(path)
        with open_ledger_for_control_plane(pipeline.configuration):
            return pipeline

    return write


def beat_of(process: str, at: datetime) -> Heartbeat:
    pid = int(process.split(":")[1])
    return Heartbeat(process, "etl-01", pid, "gads-etl serve", "0.1.0", at - 9 * HOUR, at, timedelta(seconds=30))


def dies(pipeline: Pipeline, at: datetime, process: str = "a:17:x") -> None:
    """A daemon gave its last sign of life at `at`."""
    ledger = open_activity(pipeline.configuration)
    assert ledger is not None
    with ledger:
        ledger.record(beat_of(process, at))


def ends(pipeline: Pipeline, at: datetime, process: str = "a:17:x") -> None:
    ledger = open_activity(pipeline.configuration)
    assert ledger is not None
    with ledger:
        ledger.record(replace(beat_of(process, at), ended_at=at))


def watched(hook: Webhook, more: str = "") -> str:
    return f'[[alerts]]\nname = "ops"\nurl = "{hook.url}"\nwatch = ["daemon"]\n{more}'


def test_an_alert_is_raised_repeated_and_resolved_aloud(
    deployment: Callable[..., Pipeline], hook: Webhook, clock: Clock
) -> None:
    pipeline = deployment(watched(hook))
    assert pipeline.check_alerts() == []
    dies(pipeline, clock.moment - HOUR)
    (would,) = pipeline.check_alerts(dry_run=True)
    assert (hook.received, pipeline.alerts()) == ([], [])
    (sent,) = pipeline.check_alerts()
    assert sent.message == would.message
    assert hook.texts[0].startswith("gads-etl: 1 critical\nCRITICAL: serve on etl-01 (pid 17) sends no heartbeat since")
    (state,) = pipeline.alerts()
    assert (state.rule, state.subject, state.severity) == ("daemon", "ops: serve on etl-01, process 17", "critical")
    assert state.notified_at is not None
    assert pipeline.check_alerts() == []
    clock.moment += timedelta(hours=24, seconds=1)
    (again,) = pipeline.check_alerts()
    assert again.message.body().startswith("CRITICAL, open since ")
    ends(pipeline, clock.moment)
    clock.moment += HOUR
    (over,) = pipeline.check_alerts()
    assert over.message.title == "gads-etl: 1 resolved"
    assert hook.received[-1]["type"] == "success"
    assert hook.received[-1]["message"].startswith("resolved: serve on etl-01")
    assert pipeline.alerts() == []
    assert [one.rule for one in pipeline.alerts(open_only=False)] == ["daemon"]
    assert pipeline.check_alerts() == []
    assert len(hook.received) == 3


def test_what_no_service_took_is_shown_and_sent_later(
    deployment: Callable[..., Pipeline], hook: Webhook, clock: Clock
) -> None:
    with mailbox() as box:
        mail = f'[[alerts]]\nname = "mail"\nurl = "{box.url}"\nwatch = ["daemon"]\n'
        pipeline = deployment(watched(hook) + mail)
        dies(pipeline, clock.moment - HOUR)
        hook.refuses = True
        failed, taken = pipeline.check_alerts()
        assert (failed.destination, taken.destination, taken.failure) == ("ops", "mail", "")
        assert "500" in failed.failure
        assert SECRET not in failed.failure
        delivered = {one.subject: one.notified_at is not None for one in pipeline.alerts()}
        assert delivered == {"ops: serve on etl-01, process 17": False, "mail: serve on etl-01, process 17": True}
        hook.refuses = False
        assert pipeline.check_alerts() == [], "the claim may be of a process that is still sending"
        clock.moment += timedelta(minutes=5)
        (later,) = pipeline.check_alerts()
        assert (later.destination, later.failure) == ("ops", "")
        assert len(hook.received) == len(box.received) == 1
        # It came and went while the destination was down: that is said too.
        ends(pipeline, clock.moment)
        clock.moment += HOUR
        dies(pipeline, clock.moment - HOUR / 2, "b:18:y")
        hook.refuses = True
        pipeline.check_alerts()
        ends(pipeline, clock.moment, "b:18:y")
        hook.refuses = False
        clock.moment += timedelta(minutes=5)
        pipeline.check_alerts()
        assert "resolved: serve on etl-01" in hook.received[-1]["message"]
        assert pipeline.alerts() == []


def test_of_many_processes_at_once_one_notifies(
    deployment: Callable[..., Pipeline], hook: Webhook, clock: Clock
) -> None:
    pipeline = deployment(watched(hook, 'digest = "00:00"\n'))
    for number in range(5):
        dies(pipeline, clock.moment - HOUR, f"a:{number}:x")
    together, sent, errors = threading.Barrier(6), [], []

    def check() -> None:
        own = Pipeline.open(pipeline.configuration.path)
        together.wait()
        for _ in range(4):
            try:
                sent.extend(own.check_alerts())
            except HeldElsewhereError:
                pass  # the ledger is busy; a daemon looks again
            except Exception as error:
                errors.append(error)

    threads = [threading.Thread(target=check) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    text = "\n".join(hook.texts)
    assert text.count("CRITICAL: serve on etl-01 (pid ") == 5, text
    assert len([one for one in hook.received if "incomplete" in one["title"] or "unknown" in one["title"]]) == 1
    assert len(sent) == len(hook.received)


def test_a_digest_comes_once_a_day(deployment: Callable[..., Pipeline], hook: Webhook, clock: Clock) -> None:
    clock.moment = datetime(2030, 6, 10, 5, 59, tzinfo=UTC)
    pipeline = deployment(watched(hook, 'digest = "08:00"\ntime_zone = "Europe/Zurich"\n'))
    assert pipeline.check_alerts() == []
    clock.moment += timedelta(minutes=1)
    (digest,) = pipeline.check_alerts()
    assert digest.message.title == "gads-etl: unknown on 2030-06-10"
    assert "no list of accounts was ever drawn" in hook.received[0]["message"]
    clock.moment += 10 * HOUR
    assert pipeline.check_alerts() == []
    assert pipeline.alerts(open_only=False) == []
    clock.moment += 14 * HOUR
    assert len(pipeline.check_alerts()) == 1


def test_a_test_says_which_destination_took_it(
    deployment: Callable[..., Pipeline], hook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    with webhook() as broken:
        broken.refuses = True
        monkeypatch.setenv("GADS_HOOK_URL", broken.url)
        pipeline = deployment(watched(hook) + '[[alerts]]\nurl_env = "GADS_HOOK_URL"\n')
        taken, refused = pipeline.test_alerts()
    assert (taken.destination, taken.failure) == ("ops", "")
    assert refused.destination == "GADS_HOOK_URL"
    assert "500" in refused.failure
    assert hook.texts[0].startswith("gads-etl: a test\nThis is a test of [[alerts]]; nothing is wrong.\n")
    findings = {one.subject: one for one in pipeline.check(offline=True)}
    assert findings["alerts ops"].message == "its URL is one of JSON"
    monkeypatch.delenv("GADS_HOOK_URL")
    findings = {one.subject: one for one in pipeline.check(offline=True)}
    assert findings["alerts GADS_HOOK_URL"].message == "alerts: the environment has no GADS_HOOK_URL"
    assert SECRET not in repr(pipeline.configuration) + str(findings)


class Collected:
    def __init__(self) -> None:
        self.notes: list[str] = []

    def on_events(self, *events: Event) -> None:
        self.notes += [one.message for one in events if isinstance(one, Notice)]


def test_a_daemon_says_that_its_credentials_are_refused_and_when_they_are_taken(
    deployment: Callable[..., Pipeline], hook: Webhook
) -> None:
    pipeline = deployment(watched(hook).replace("daemon", "credentials"))
    with pytest.raises(CredentialsError), watching_alerts(pipeline.configuration, Collected()):
        raise CredentialsError("invalid_grant")
    assert hook.texts[0].startswith("gads-etl: 1 critical\nCRITICAL: the credentials are refused: invalid_grant\n")
    assert pipeline.check_alerts() == [], "from outside it cannot be told, so it is open still"
    hook.arrived.clear()
    seen = Collected()
    with watching_alerts(pipeline.configuration, seen) as (observer, begin):
        begin()
        assert hook.arrived.wait(20)
        hook.arrived.clear()
        observer.on_events(ServePaused(SystemClock().now(), "", "source", "credentials", "revoked", "", 30.0))
    assert hook.received[1]["message"].startswith("resolved: the credentials are refused: invalid_grant")
    assert len(hook.received) == 2
    assert pipeline.alerts() == []


def test_an_evaluation_that_fails_costs_a_note_and_harms_nothing(
    deployment: Callable[..., Pipeline], hook: Webhook
) -> None:
    pipeline, seen = deployment(watched(hook)), Collected()
    desk = AlertDesk.open(pipeline.configuration)
    watch = AlertWatch(desk, seen, 30)
    file = pipeline.configuration.base / "state.db"
    whole = file.read_bytes()
    file.write_bytes(b"no ledger" * 1000)
    watch.look()
    watch.look()
    (note,) = seen.notes
    assert note.startswith("warning: alerts were not evaluated; it is tried again: ")
    assert hook.received == []
    for _ in range(3):
        watch.look()
    (blind,) = hook.texts
    assert blind.startswith("gads-etl: 1 critical\nCRITICAL: alerts cannot be evaluated: ")
    file.write_bytes(whole)
    watch.look()
    watch.look()
    assert hook.texts[1:] == [f"gads-etl: 1 resolved\nresolved: alerts are evaluated again\n{desk.origin}"]


def test_a_deadline_and_a_large_restatement_are_read_from_the_ledger(
    tmp_path: Path, hook: Webhook, clock: Clock
) -> None:
    local = LocalDeployment(tmp_path, clock)
    clock.moment = datetime(2024, 7, 1, 6, 59, tzinfo=UTC)
    local.list_accounts(1, 2, 3, zones=dict.fromkeys((1, 2, 3), "Europe/Zurich"))
    local.make_days_authoritative(range(29))
    local.make_days_authoritative(range(30), customer=2)
    local.make_days_authoritative(range(29), customer=3)
    local.close()
    path = tmp_path / "gads.toml"
    path.write_text(
        f'[google_ads.emulator]\n[storage]\nsink = "{SINK}"\nstate = "{STATE}"\n[[reports]]\nname = "campaign"\n'
        f'[[alerts]]\nname = "ops"\nurl = "{hook.url}"\nwatch = ["deadline", "restatement"]\n'
        'deadlines = [{by = "09:00", accounts = ["1", "2"]}]\n'
    )
    desk = AlertDesk.open(Configuration.load(path))
    assert desk.check() == [], "the day before yesterday is there"
    clock.moment += timedelta(minutes=1)
    (late,) = desk.check()
    assert late.message.entries == (
        "CRITICAL: campaign of 2024-06-30 is not complete by 09:00 of 1, 2 in Europe/Zurich: 1 of 2 accounts lack it\n"
        "    1\n"
        "    gads-etl state gaps --report campaign --since 2024-06-30 --until 2024-06-30",
    )
    local.open()
    local.make_days_authoritative([29])
    local.make_days_authoritative([0, 28], run=100, customer=2)
    local.close()
    clock.moment += HOUR
    (both,) = desk.check()
    assert both.message.entries == (
        "WARNING: campaign: 1 day of 1 account moved by 25% or more within 24 hours; most metrics_run of 2024-06-01, "
        "by 9,900% (3 to 300)\n    2\n    gads-etl state history google_ads/2/campaign/2024-06-01",
        "resolved: campaign of 2024-06-30 is not complete by 09:00 of 1, 2 in Europe/Zurich: 1 of 2 accounts lack it "
        "(from 2024-07-01 07:00 UTC to 2024-07-01 08:00 UTC)",
    )
    assert desk.check() == AlertDesk.open(Configuration.load(path)).check() == []
    clock.moment += 25 * HOUR
    # A day later the restatement is no news, and the next day is promised.
    (later,) = desk.check()
    assert later.message.title == "gads-etl: 1 critical, 1 resolved"


@pytest.mark.parametrize(
    ("alerts", "message"),
    [
        ("", "give either url_env, the name of an environment variable, or url"),
        ('url = "slack://T0KEN"\nurl_env = "GADS"', "give either url_env"),
        ('url_env = "slack://T0KEN"', "url_env is the name of an environment variable, and not the URL itself"),
        ('url = "T0KEN"', "url does not begin with the scheme of a service"),
        ('url = ["slack://T0KEN"]', "alerts[0].url: Input should be a valid string"),
        ('url = "slack://T0KEN"\n[[alerts]]\nurl = "slack://T0KEN"', "two destinations are called slack; give each"),
        ('url = "slack://T0KEN"\nwatch = ["everything"]', "alerts[0].watch[0]: Input should be 'deadline', 'gaps'"),
        ('url = "slack://T0KEN"\ndigest = "8"', "alerts[0].digest: '8' is not a time of day, such as '09:00'"),
        ('url = "slack://T0KEN"\ntime_zone = "Zurich"', "alerts[0].time_zone: there is no time zone 'Zurich'"),
        ('url = "slack://T0KEN"\ndeadlines = [{by = "25:00"}]', "alerts[0].deadlines[0].by: '25:00' is not a time"),
        (
            'url = "slack://T0KEN"\ndeadlines = [{by = "09:00", reports = ["camp"]}]',
            "a deadline is for 'camp', and no report has that name",
        ),
        (
            'url = "slack://T0KEN"\ndeadlines = [{by = "09:00", accounts = ["label:x"]}]',
            "'label:x': a deadline knows accounts by id and name alone",
        ),
        ('url = "slack://T0KEN"\nname = "on call"', "alerts[0].name: String should match pattern"),
    ],
)
def test_what_is_wrong_with_alerts_is_named_without_the_url(
    deployment: Callable[..., Any], alerts: str, message: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        deployment(f"[[alerts]]\n{alerts}\n")
    assert message in caught.value.message
    assert "T0KEN" not in caught.value.message
