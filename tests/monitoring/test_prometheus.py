"""A real Prometheus scrapes `serve` and `ui`, and the rules of the example fire."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import pytest

from gads_testing.prometheus import prometheus

EXAMPLES = Path(__file__).parents[2] / "examples" / "monitoring"
_WAIT = 60.0
T = TypeVar("T")


def when(look: Callable[[], T], what: str) -> T:
    """What `look` finds, once it finds something."""
    deadline = time.monotonic() + _WAIT
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.2)
    raise AssertionError(f"not within {_WAIT:g} seconds: {what}")


@contextmanager
def serving(command: list[str]) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A process that answers over HTTP, and its host and port."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if found := re.search(r"http://([^/\s]+)/", line):
                    yield process, found[1]
                    break
            else:
                raise AssertionError(f"{command} ended with {process.wait()}")
        finally:
            process.kill()


def configured(folder: Path, targets: list[str]) -> Path:
    """The example, with other targets, and without its patience."""
    for name in ("prometheus.yml", "gads_etl.rules.yml"):
        text = (EXAMPLES / name).read_text()
        text = text.replace('"127.0.0.1:8080"', ", ".join(f'"{target}"' for target in targets))
        text = re.sub(r"(scrape_interval|evaluation_interval): \w+", r"\1: 1s", text)
        (folder / name).write_text(re.sub(r"for: \w+", "for: 0s", text))
    return folder / "prometheus.yml"


@pytest.mark.prometheus
@pytest.mark.timeout(300)
def test_a_real_prometheus_scrapes_serve_and_its_rules_fire(
    tmp_path: Path, gads_etl_script: Path, gads_etl: Any, project: Any, agency: Path, customers: list[str]
) -> None:
    extra = "[run]\nheartbeat_seconds = 1\nlook_seconds = 0.2\nbackfill_since = 2024-12-01\n"
    config = project(agency, customers[:2], extra=extra)
    page = [str(gads_etl_script), "ui", "-c", str(config), "--http", "127.0.0.1:0"]
    daemon = [str(gads_etl_script), "serve", "-c", str(config), "--http", "127.0.0.1:0"]
    with (
        serving(daemon) as (process, daemon_at),
        serving(page) as (_, page_at),
        prometheus(configured(tmp_path, [daemon_at, page_at]), tmp_path) as server,
    ):

        def value(expression: str) -> float | None:
            found = server.query(expression)
            return float(found[0]["value"][1]) if found else None

        def fires(*names: str) -> None:
            when(lambda: set(names) <= set(server.firing()), f"{names} of {sorted(server.firing())}")

        when(lambda: value("min(up) == 1 and count(up) == 2"), "both are scraped")
        when(lambda: value('sum(gads_etl_calls_total{code="ok"}) > 0'), "calls were made")
        when(lambda: value('gads_etl_processes{command="serve", state="alive"} == 1'), "the daemon is alive")
        when(lambda: value('sum(gads_etl_results_total{outcome="passed"}) > 0'), "partitions were validated")
        assert value(f'count(gads_etl_runs_total{{instance="{page_at}"}})') is None, "the page does no work"
        assert "GadsEtlDaemonSilent" not in server.firing()

        process.kill()
        fires("GadsEtlDown", "GadsEtlDaemonSilent")
        assert server.firing()["GadsEtlDaemonSilent"]["labels"]["command"] == "serve"

        (tmp_path / "state.db").rename(tmp_path / "gone.db")
        fires("GadsEtlLedgerDown")
        when(lambda: not server.query("gads_etl_missing_partitions"), "no number is left of a ledger that is gone")
