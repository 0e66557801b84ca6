"""What `run` and `serve --once` leave missing: said by the outcome, by the lines for people and by the exit code."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gads_emulator import (
    CA_NAME,
    EmulatorServer,
    FaultPlan,
    FaultRule,
    SyntheticAgency,
    SyntheticSettings,
    trust_process_authority,
)
from gads_etl.main import run
from gads_orchestrator.events import Event
from gads_pipeline import Pipeline
from gads_pipeline.events import CompletenessRead
from gads_pipeline.stop import Stop
from gads_telemetry.event_log import EventLog
from gads_telemetry.log_format import start_logging

REPORTS = "".join(f'[[reports]]\nname = "{name}"\n' for name in ("ad_group", "campaign", "keyword"))
WINDOW = 30
"""The days of each report that are still restated."""


@pytest.fixture(scope="module")
def server() -> Iterator[EmulatorServer]:
    trust_process_authority()
    with EmulatorServer(SyntheticAgency(SyntheticSettings(seed=5, accounts=2, campaigns=2))) as running:
        yield running


@pytest.fixture
def accounts(server: EmulatorServer) -> dict[str, str]:
    agency: Any = server.agency
    return {number: agency.accounts[number].name for number in agency.client_ids}


@pytest.fixture
def ask(server: EmulatorServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Any]]:
    """A command in this process: its exit code, its stdout (parsed if it is JSON) and its stderr."""
    client = server.write_client_configuration(tmp_path / "client")
    config = tmp_path / "gads.toml"
    config.write_text(
        f"[google_ads]\nconfiguration = {json.dumps(str(client))}\n"
        f"ca_certificate = {json.dumps(str(client.with_name(CA_NAME)))}\n"
        '[storage]\nsink = "file:raw"\nstate = "sqlite:state.db"\n'
        f"[extraction]\nmax_attempts = 1\n[run]\nworkers = 1\n[freshness]\ndue_hours = 0\n{REPORTS}"
    )

    def ask(*words: str) -> tuple[int, Any, str]:
        with pytest.raises(SystemExit) as ended:
            run([*words, "-c", str(config)])
        printed = capsys.readouterr()
        return int(ended.value.code or 0), json.loads(printed.out) if "json" in words else printed.out, printed.err

    server.faults.clear()
    yield ask
    server.faults.clear()


def denied(customer_id: str) -> FaultPlan:
    rule = FaultRule(
        methods=("SearchStream",), customers=(customer_id,), error="authorization_error.USER_PERMISSION_DENIED"
    )
    return FaultPlan(rules=(rule,))


def test_days_that_failed_for_good_keep_the_exit_code_at_1_until_they_are_there(
    ask: Callable[..., Any], server: EmulatorServer, accounts: dict[str, str]
) -> None:
    hit = list(accounts)[1]
    server.faults.plan = denied(hit)
    once = ("serve", "--once", "--format", "json")
    days = 3 * WINDOW
    code, first, _ = ask(*once)
    assert (code, first["ended"], sorted(first["stopped_accounts"])) == (1, "done", [hit])
    assert (first["completeness"]["expected"], first["completeness"]["authoritative"]) == (2 * days, days)
    assert (first["completeness"]["failed"], first["completeness"]["pending"]) == (WINDOW, days - WINDOW)
    # A refused account is requested once in a run: one report more fails each time.
    assert [ask(*once)[1]["completeness"]["failed"] for _ in range(2)] == [2 * WINDOW, days]
    server.faults.clear()
    code, nothing, _ = ask(*once)
    assert (code, nothing["run_ids"], nothing["operations"]) == (1, [], 0), "nothing is due, and nothing is well"
    missing = nothing["completeness"]
    assert (missing["answer"], missing["failed"], missing["attempted_again"]) == ("incomplete", days, 0)
    assert {(gap["customer_id"], gap["name"]) for gap in missing["gaps"]} == {(hit, accounts[hit])}
    code, text, lines = ask("serve", "--once")
    assert code == 1
    assert f"incomplete: {days} of {2 * days} expected partitions authoritative, {days} failed" in text
    assert f"{days} partitions wait for an operator: gads-etl state gaps names them" in text
    assert f"not success: {hit} ({accounts[hit]}) ad_group 20" in lines
    assert "USER_PERMISSION_DENIED" in lines

    ask("state", "retry", "--customer", hit)
    code, last, _ = ask(*once)
    assert (code, last["completeness"]["answer"], last["attempted"]) == (0, "complete", days)
    code, text, _ = ask("serve", "--once")
    assert (code, text) == (
        0,
        f"there was nothing to do\ncomplete: {2 * days} of {2 * days} expected partitions authoritative\n",
    )


def test_what_a_later_call_attempts_is_75(
    ask: Callable[..., Any], server: EmulatorServer, accounts: dict[str, str]
) -> None:
    hit = next(iter(accounts))
    rule = FaultRule(methods=("SearchStream",), customers=(hit,), status="UNAVAILABLE")
    server.faults.plan = FaultPlan(rules=(rule,))
    code, done, _ = ask("serve", "--once", "--format", "json")
    missing = done["completeness"]
    assert (code, missing["failed"], missing["attempted_again"]) == (75, 3 * WINDOW, 3 * WINDOW)
    code, text, _ = ask("serve", "--once")
    assert code == 75
    assert "the same command, called again later, attempts all that is missing" in text
    code, done, _ = ask("run", "--format", "json")
    assert (code, done["completeness"]["attempted_again"]) == (1, 0), "run leaves failed days to --retry-failed"


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"error": "authorization_error.USER_PERMISSION_DENIED"}, 4),
        ({"error": "authentication_error.OAUTH_TOKEN_REVOKED"}, 4),
        ({"error": "quota_error.RESOURCE_EXHAUSTED"}, 75),
        ({"status": "UNAVAILABLE"}, 75),
    ],
)
@pytest.mark.parametrize("words", [("run",), ("serve", "--once")], ids=" ".join)
def test_accounts_that_cannot_be_listed_are_never_1(
    fault: dict[str, str], code: int, words: tuple[str, ...], ask: Callable[..., Any], server: EmulatorServer
) -> None:
    server.faults.plan = FaultPlan(rules=(FaultRule(methods=("SearchStream",), **fault),))  # type: ignore[arg-type]
    found, text, lines = ask(*words)
    assert (found, text) == (code, "")
    assert lines.startswith("error: ")


def test_a_mistaken_number_is_refused_and_can_be_forgotten(ask: Callable[..., Any], accounts: dict[str, str]) -> None:
    slip, known = "9999999999", next(iter(accounts))
    days = ("--since", "2024-05-01", "--until", "2024-05-02")
    code, _, lines = ask("run", "--customer", slip, *days)
    assert code == 2
    assert f"error: customer {slip} is not selected: it is not below" in lines
    assert "hint: gads-etl accounts shows the tree; --force requests it all the same" in lines
    code, forced, _ = ask("run", "--customer", slip, *days, "--force", "--format", "json")
    assert (code, forced["completeness"]["expected"]) == (1, 3 * 2)
    assert ask("run", "--customer", known, *days)[0] == 0

    ask("accounts")
    code, found, _ = ask("state", "gaps", "--format", "json")
    (gap,) = [gap for gap in found["gaps"] if gap["customer_id"] == slip]
    for words, why in (
        ((known, "--reason", "typo"), "is selected by the last list"),
        (("8888888888", "--reason", "typo"), "nothing is expected of customer 8888888888"),
        ((slip, "--reason", " "), "needs a reason"),
    ):
        code, _, lines = ask("accounts", "forget", *words)
        assert (code, why in lines, "hint: " in lines) == (2, True, True), lines
    forget = ("accounts", "forget", slip, "--reason", "typo", "--format", "json")
    assert ask(*forget, "--dry-run")[1] == ask(*forget)[1]
    assert ask(*forget[:-2])[0] == 2
    code, found, _ = ask("state", "gaps", "--format", "json")
    assert slip not in {gap["customer_id"] for gap in found["gaps"]}
    _, history, _ = ask("state", "history", f"google_ads/{slip}/{gap['report']}/{gap['since']}", "--format", "json")
    assert [(act["kind"], act["reason"]) for act in history["acts"]] == [("forget", "typo")]


@pytest.mark.parametrize(
    "words",
    [
        ("run",),
        ("plan",),
        ("backfill",),
        ("validate",),
        ("state", "inspect"),
        ("state", "gaps"),
        ("state", "hold", "--reason", "odd"),
        ("consume", "gaps"),
        ("consume", "export", "campaign", "x.parquet"),
    ],
    ids=" ".join,
)
def test_a_mistyped_year_is_a_usage_error_everywhere(words: tuple[str, ...], ask: Callable[..., Any]) -> None:
    for since, until in (("0202-05-01", "2024-05-01"), ("2024-05-01", "2204-05-01")):
        code, _, lines = ask(*words, "--since", since, "--until", until)
        assert code == 2
        assert "0202-05-01 is before 2000-01-01" in lines or "2204-05-01 is after tomorrow" in lines


def test_the_log_of_serve_names_what_failed_and_says_how_things_stand(
    ask: Callable[..., Any], server: EmulatorServer, accounts: dict[str, str], tmp_path: Path
) -> None:
    hit = next(iter(accounts))
    server.faults.plan = denied(hit)
    stop, lines = Stop(), EventLog()
    start_logging()

    class Log:
        def on_events(self, *events: Event) -> None:
            lines.on_events(*events)
            if any(isinstance(event, CompletenessRead) for event in events):
                stop.request()

    Pipeline.open(tmp_path / "gads.toml").serve(observer=Log(), stop=stop)
    text = ask("state", "inspect")[2]  # stderr since the last command
    (failed,) = [line for line in text.splitlines() if f" warning {hit} ({accounts[hit]}) " in line]
    assert "USER_PERMISSION_DENIED" in failed, "the one report that was requested"
    assert re.search(rf" warning {hit}: refused \(\w+\); nothing more is requested of it in this run \(run ", text)
    (stands,) = [line for line in text.splitlines() if " incomplete: " in line]
    assert f"90 of 180 expected partitions authoritative, {WINDOW} failed, {2 * WINDOW} pending" in stands
