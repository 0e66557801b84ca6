"""What `run` and `serve --once` leave missing: said by the outcome, by the lines for people and by the exit code."""

from __future__ import annotations

import json
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
    assert f"{days} partitions wait for an operator: see gads-etl state gaps and state retry" in text
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
