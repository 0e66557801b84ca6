"""The examples of monitoring: Prometheus takes them, its rules fire, and they use only series that are exposed."""

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from gads_metrics.process_counters import ProcessCounters
from gads_metrics.series import PREFIX, SERIES
from gads_orchestrator.events import NullObserver
from gads_testing.prometheus import promtool

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples" / "monitoring"
RULES, DASHBOARD = EXAMPLES / "gads_etl.rules.yml", EXAMPLES / "grafana_dashboard.json"
SUFFIXES = {"counter": ("_total",), "gauge": ("",), "histogram": ("_bucket", "_sum", "_count")}


def exposed() -> set[str]:
    counted = ProcessCounters(NullObserver()).collect()
    return {PREFIX + name for name in SERIES} | {
        f"{family.name}{suffix}" for family in counted for suffix in SUFFIXES[family.type]
    }


def named(text: str) -> set[str]:
    return set(re.findall(r"(?<![/\w])gads_etl_\w+", text))


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def test_prometheus_takes_configuration_and_rules() -> None:
    promtool("check", "config", "--lint-fatal", "prometheus.yml", folder=EXAMPLES)


def test_each_rule_fires_when_it_should_and_only_then() -> None:
    promtool("test", "rules", "gads_etl.rules.test.yml", folder=EXAMPLES)
    rules, tests = RULES.read_text(), (EXAMPLES / "gads_etl.rules.test.yml").read_text()
    raised = re.findall(r"alertname: (\w+)\n +exp_alerts", tests)
    quiet = re.findall(r"alertname: (\w+)}", tests)
    alerts = re.findall(r"- alert: (\w+)", rules)
    assert set(alerts) == set(raised) == set(quiet)


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.*")), ids=lambda file: file.name)
def test_what_they_query_is_exposed(file: Path) -> None:
    assert named(file.read_text()) - exposed() == set()


def test_the_documentation_has_every_series_and_no_other() -> None:
    section = (ROOT / "docs" / "observability.md").read_text().partition("\n## Metrics\n")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(gads_etl_\w+)", section, re.MULTILINE)) == {
        re.sub("_(bucket|sum|count)$", "", name) for name in exposed()
    }


def test_every_query_of_the_dashboard_is_one(tmp_path: Path) -> None:
    queries = [target["expr"] for panel in panels() for target in panel.get("targets", ())]
    assert len(queries) > 20
    rules = [
        {"record": f"query:{number}", "expr": re.sub(r"\$__rate_interval", "5m", query)}
        for number, query in enumerate(queries)
    ]
    (tmp_path / "queries.json").write_text(json.dumps({"groups": [{"name": "queries", "rules": rules}]}))
    promtool("check", "rules", "queries.json", folder=tmp_path)


def test_the_dashboard_is_laid_out_and_takes_its_data_source_from_a_variable() -> None:
    document = json.loads(DASHBOARD.read_text())
    variables = {one["name"]: one["type"] for one in document["templating"]["list"]}
    assert variables["datasource"] == "datasource"
    assert {name for panel in panels() for name in re.findall(r"\$(\w+)", json.dumps(panel))} <= {
        *variables,
        "__rate_interval",
    }
    sources = [
        one["datasource"]["uid"]
        for panel in panels()
        for one in [panel, *panel.get("targets", ())]
        if "datasource" in one
    ]
    assert set(sources) == {"${datasource}"}
    assert len({panel["id"] for panel in panels()}) == len(panels())
    places = [(one["title"], *(one["gridPos"][side] for side in "xywh")) for one in panels()]
    assert all(x + w <= 24 for _, x, _, w, _ in places)
    for (one, x, y, w, h), (other, x2, y2, w2, h2) in combinations(places, 2):
        assert x + w <= x2 or x2 + w2 <= x or y + h <= y2 or y2 + h2 <= y, (one, other)
