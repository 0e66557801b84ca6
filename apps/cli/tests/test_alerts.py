"""`alerts`: what is open, what would be sent, and which destination takes it."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from gads_domain.activity import Heartbeat
from gads_domain.adapters import ledger_adapter
from gads_domain.clock import SystemClock
from gads_domain.ports.activity import ActivityLedgerAdapter
from gads_etl.main import run
from gads_testing.alert_destinations import SECRET, webhook
from gads_testing.local_deployment import SINK, STATE, LocalDeployment


def test_alerts_are_listed_printed_sent_and_tested(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("gads.toml").write_text(
        f'[google_ads]\ncustomer_ids = ["1"]\n[storage]\nsink = "{SINK}"\nstate = "{STATE}"\n'
        '[[reports]]\nname = "campaign"\n[[alerts]]\nname = "ops"\nurl_env = "HOOK_URL"\nwatch = ["daemon"]\n'
    )

    def alerts(*words: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            run(["alerts", *words])
        printed = capsys.readouterr()
        assert SECRET not in printed.out + printed.err
        return int(ended.value.code or 0), printed.out, printed.err

    assert alerts("list") == (2, "", f"error: {STATE} does not exist yet; the first run creates it\n")
    LocalDeployment(tmp_path).close()
    adapter, at = ledger_adapter(STATE), SystemClock().now() - timedelta(hours=1)
    assert isinstance(adapter, ActivityLedgerAdapter)
    with adapter.open_activity(STATE, tmp_path) as ledger:
        ledger.record(Heartbeat("a:1:x", "etl-01", 17, "gads-etl serve", "0.1.0", at, at, timedelta(seconds=30)))

    code, _, said = alerts("test")
    assert (code, said.splitlines()[0]) == (2, "error: alerts: the environment has no HOOK_URL")
    with webhook() as hook:
        monkeypatch.setenv("HOOK_URL", hook.url)
        assert alerts("list")[:2] == (0, "no alert is open\n")
        code, out, _ = alerts("check", "--dry-run")
        assert (code, out.splitlines()[:2]) == (
            0,
            [
                "ops would get: gads-etl: 1 critical",
                f"  CRITICAL: serve on etl-01 (pid 17) sends no heartbeat since {at:%Y-%m-%d %H:%M} UTC",
            ],
        )
        assert hook.received == []
        hook.refuses = True
        code, out, _ = alerts("check")
        assert (code, out.splitlines()[0]) == (1, "ops did not take: gads-etl: 1 critical")
        assert "500" in out.splitlines()[1]
        (row,) = json.loads(alerts("list", "--format", "json")[1])
        assert (row["rule"], row["destination"], row["subject"], row["delivered"]) == (
            "daemon",
            "ops",
            "serve on etl-01, process 17",
            "no",
        )
        hook.refuses = False
        code, out, _ = alerts("test", "--format", "json")
        (sent,) = json.loads(out)
        assert (code, sent["destination"], sent["failure"], sent["title"]) == (0, "ops", "", "gads-etl: a test")
        assert alerts("check")[:2] == (0, "nothing is due\n"), "the claim lapses after five minutes"
    Path("gads.toml").write_text(Path("gads.toml").read_text().partition("[[alerts]]")[0])
    code, _, said = alerts("check")
    assert code == 2
    assert said.startswith("error: there is no [[alerts]] in gads.toml")
