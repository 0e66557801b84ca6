"""A status on a screen: it fits, what needs a person comes first, and nothing unknown looks complete."""

from __future__ import annotations

import unicodedata
from dataclasses import replace
from datetime import timedelta

import pytest

from gads_domain.activity import Liveness, Severity
from gads_domain.completeness import Answer
from gads_domain.gaps import NEVER_ATTEMPTED
from gads_domain.state import PartitionStatus
from gads_domain.visible_text import one_line, visible
from gads_status.attention import attention_of
from gads_status.gap_summary import summed_up
from gads_status.screen import screen
from gads_status.status import ProcessStanding, Status, WarehouseStanding
from gads_terminal.screen_lines import print_lines
from gads_testing.statuses import COMPLETE, IN_TROUBLE, LARGE, LAST, NO_LEDGER, NOW, SHOES, beat, group

ALIVE = Liveness.ALIVE
EVERY = (COMPLETE, IN_TROUBLE, LARGE, NO_LEDGER)


def shown(status: Status, capsys: pytest.CaptureFixture[str], width: int = 80) -> list[str]:
    capsys.readouterr()
    print_lines(screen(status, width), width)
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("width", [80, 110])
def test_it_fits_one_screen_however_large_or_hostile_what_it_shows_is(
    width: int, capsys: pytest.CaptureFixture[str]
) -> None:
    for status in EVERY:
        lines = shown(status, capsys, width)
        assert len(lines) <= 42
        assert max(map(len, lines)) <= width
        assert {unicodedata.category(one) for line in lines for one in line}.isdisjoint({"Cc", "Cf", "Cs", "Co"})


def test_what_is_worst_comes_first_each_with_the_command_to_run_next(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(IN_TROUBLE, capsys)
    assert lines[1].startswith("INCOMPLETE: 533 of 540 expected partitions authoritative, 3 failed, 1 held, 3")
    assert lines[3] == "Not known to be complete: the list of accounts is 50 hours old"
    silent = lines.index("!! serve on etl-1 (4711): no heartbeat since 02:41 UTC, 31 minutes ago; it was")
    assert lines[silent + 2] == "     gads-etl serve --config 'my gads.toml'"
    severities = [one.severity for one in IN_TROUBLE.attention]
    assert severities == sorted(severities, key=lambda one: one is not Severity.CRITICAL)


def test_everything_that_a_person_has_to_act_on_is_named_and_nothing_else() -> None:
    found = [(one.severity.value, one.code, one.subject) for one in IN_TROUBLE.attention]
    assert found == [
        ("critical", "sink", "sink"),
        ("critical", "disk", "ledger"),
        ("critical", "silent", "serve on etl-1 (4711)"),
        ("critical", "api_version", "API"),
        ("warning", "round", "round 120"),
        ("warning", "unknown", "accounts"),
        ("warning", "gaps", "campaign"),
        ("warning", "gaps", "ad_group"),
        ("warning", "gaps", "ad_group"),
        ("warning", "budget", "budget default"),
        ("warning", "warehouse", "warehouse"),
    ]
    assert attention_of(COMPLETE) == ()
    (alone,) = attention_of(replace(COMPLETE, rounds=IN_TROUBLE.rounds))
    assert (alone.severity, alone.text) == (
        Severity.CRITICAL,
        "it ended early at 02:22 UTC: the refresh token was revoked",
    )


def test_an_alert_is_shown_once_whatever_the_number_of_destinations(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(LARGE, capsys)
    assert lines[-2:] == ["ALERTS     warning, deadline, 0 seconds ago: report_0 is late", "           and 49 more"]


def test_a_long_command_goes_on_after_a_backslash(capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(LARGE, capsys)
    first = next(number for number, line in enumerate(lines) if line.endswith("\\"))
    assert lines[first] == "     gads-etl state history google_ads/1000000001/report_0/2024-06-01 --config \\"
    assert lines[first + 1] == "         'my gads.toml'"


def test_days_before_those_that_serve_attempts_need_a_backfill() -> None:
    status = replace(COMPLETE, gaps=(group("campaign", PartitionStatus.PENDING, NEVER_ATTEMPTED),))
    (needed,) = attention_of(status, reach={"campaign": LAST + timedelta(days=1)})
    assert needed.command == f"gads-etl backfill --report campaign --since {LAST} --until {LAST} --dry-run"
    assert attention_of(status, reach={"campaign": LAST}) == ()


def test_one_reason_of_many_reports_and_accounts_is_one_entry() -> None:
    groups = [
        group(name, PartitionStatus.FAILED, f"api: account {account} is gone", "api", (account,))
        for name in ("ad_group", "campaign")
        for account in ("1000000001", "1000000002")
    ]
    (one,) = summed_up(groups)
    assert (one.reason, one.reports, one.accounts, one.partitions) == (
        "api: account … is gone",
        ("ad_group", "campaign"),
        2,
        4,
    )
    (again,) = summed_up([group("campaign", PartitionStatus.FAILED, f"request id {SHOES}", "api")] * 2)
    assert (again.accounts, again.partitions) == (1, 2), "one account whose days failed in two requests"
    reason = group("campaign", PartitionStatus.FAILED, "x" * 3000, "api")
    (entry,) = attention_of(replace(COMPLETE, gaps=(reason,)))
    assert entry.text.endswith(f"…; {SHOES}"), "a long reason leaves place for the account"
    assert len(entry.text) < 220


def test_what_is_not_known_is_said_and_never_looks_complete(capsys: pytest.CaptureFixture[str]) -> None:
    text = "\n".join(shown(NO_LEDGER, capsys))
    assert text.splitlines()[1] == "UNKNOWN: no partition is known to be expected and due"
    assert "gads-etl check" in text
    assert "PROCESSES  unknown: no process has put a heartbeat on record yet" in text
    assert "what is due costs: unknown" in text
    assert "COMPLETE" not in text
    lacking = replace(COMPLETE.reports[0], complete_up_to=None, lacking=3)
    unknown = replace(COMPLETE, answer=Answer.UNKNOWN, unknown="nothing is on record of 3 accounts", reports=(lacking,))
    assert any(line.startswith("campaign          unknown ") for line in shown(unknown, capsys))
    held = replace(COMPLETE, warehouse=WarehouseStanding("duckdb:w", unknown="another process has it open"))
    assert "WAREHOUSE  unknown: another process has it open" in shown(held, capsys)


def test_a_process_that_was_killed_is_told_from_one_that_ended_or_was_replaced(
    capsys: pytest.CaptureFixture[str],
) -> None:
    killed = ProcessStanding(beat("run", 17, since=timedelta(minutes=4)), Liveness.SILENT, lost=True)
    ended = ProcessStanding(beat("run", 18, since=timedelta(minutes=3), ended=True), Liveness.ENDED)
    replaced = ProcessStanding(beat("serve", 19, since=timedelta(minutes=9)), Liveness.SILENT)
    status = replace(COMPLETE, processes=(*COMPLETE.processes, killed, ended, replaced))
    (attention,) = attention_of(status)
    assert (attention.severity, attention.subject) == (Severity.WARNING, "run on etl-1 (17)")
    lines = [line for line in shown(status, capsys) if "etl-1" in line]
    assert lines[-1] == "           run on etl-1 (17): no heartbeat since 03:08 UTC"
    assert status.lost_processes == (killed.heartbeat,)
    hangs = ProcessStanding(replace(beat("serve", 20, since=timedelta()), active_at=NOW - timedelta(hours=2)), ALIVE)
    (attention,) = attention_of(replace(COMPLETE, processes=(hangs,)))
    assert attention.text == "it is alive, and its work has not advanced since 01:12 UTC"


def test_well_is_what_is_complete_without_anything_critical() -> None:
    assert COMPLETE.is_well
    assert not replace(COMPLETE, answer=Answer.UNKNOWN).is_well
    assert not replace(COMPLETE, attention=IN_TROUBLE.attention[:1]).is_well
    assert replace(COMPLETE, attention=IN_TROUBLE.attention[-1:]).is_well
    assert not replace(COMPLETE, alerts=IN_TROUBLE.alerts).is_well


def test_text_from_outside_is_one_line_that_steers_nothing() -> None:
    assert visible("a\x1b[31m\u202eb\u200d\u200e\ue000\ud800\U000e0041") == (
        "a\\u001b[31m\\u202eb\u200d\\u200e\\ue000\\ud800\\ue0041"
    )
    assert one_line("a\r\n  b\u2028\tc", 10) == "a b c"
    assert one_line("x" * 70_000, 5) == "xxxx…"
