"""Every snippet of the consumer's README runs, in order, on a pipeline's folder; and what the package brings along."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pyarrow as pa
import pytest

import gads_consumer
import gads_payload
import gads_validator
from gads_testing.local_deployment import LocalDeployment, key_of

PACKAGE = Path(__file__).parents[1]
SNIPPETS = re.findall(r"^```python\n(.*?)^```$", (PACKAGE / "README.md").read_text(), re.MULTILINE | re.DOTALL)


def _run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning", "-c", code],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    deployment = LocalDeployment(tmp_path)
    for customer in (1234567890, 2345678901):
        deployment.make_days_authoritative(range(12), customer=customer, rows=5)
    deployment.make_authoritative(key_of(1234567890, 3), 2, 20)
    deployment.seal_invalid(key_of(2345678901, 4), 3)
    deployment.close()
    return tmp_path


def test_every_snippet_runs(project: Path) -> None:
    assert len(SNIPPETS) >= 10
    done = _run("\n".join(SNIPPETS), project)
    assert done.returncode == 0, done.stderr
    assert "_customer_id" in done.stdout
    assert "2024-06-12" in done.stdout
    assert "restated" in done.stdout
    assert (project / "june.parquet.manifest.json").exists()


def test_the_frame_of_pandas_keeps_integers_exact_beside_nulls() -> None:
    (call,) = re.findall(r"\.(to_pandas\(.*?\))", "".join(SNIPPETS))
    table = pa.table({"metrics_cost_micros": pa.array([2**53 + 1, None, -(2**63)], pa.int64())})
    frame = eval(f"table.{call}", {"table": table})
    assert frame["metrics_cost_micros"].tolist() == [2**53 + 1, None, -(2**63)]


def _run_here(code: str) -> None:
    """As a process of its own would, which takes two seconds to import what the snippets do."""
    with suppress(SystemExit):
        exec(code, {"__name__": "__main__"})


def test_a_sync_interrupted_and_repeated_keeps_up(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(project)
    sync = next(snippet for snippet in SNIPPETS if "mirror.json" in snippet)
    whole = f"{SNIPPETS[0]}\n{sync}\n" + (
        "fresh = consumer.snapshot('campaign').scan(['metrics_clicks'], identity=True).to_table().to_pylist()\n"
        "days = {}\n"
        "for row in fresh:\n"
        "    day = f\"google_ads/{row['_customer_id']}/campaign/{row['_logical_date']}\"\n"
        "    days[day] = days.get(day, 0) + row['metrics_clicks']\n"
        "assert days == kept['days'], (days, kept)\n"
    )
    interrupted = whole.replace("place.write_text(", "raise SystemExit; place.write_text(")
    deployment = LocalDeployment(project)
    steps: list[Callable[[], object]] = [
        lambda: deployment.make_authoritative(key_of(1234567890, 5), 7, 9),
        lambda: deployment.damage(key_of(2345678901, 6), 1),
        lambda: deployment.make_authoritative(key_of(2345678901, 6), 8, 2),
    ]
    for step in [None, *steps, None]:
        if step is not None:
            step()
        for code in (interrupted, whole):
            _run_here(code)
    deployment.close()


def test_the_first_frame_takes_five_lines() -> None:
    assert len([line for line in SNIPPETS[0].splitlines() if line.strip()]) <= 5


def test_it_brings_pyarrow_and_pydantic_at_most() -> None:
    ours = {"gads-consumer", "gads-domain", "gads-payload"}
    foreign: set[str] = set()
    waiting = ["gads-consumer"]
    seen: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            needed = [
                re.split(r"[ ;<>=!~\[(]", text, maxsplit=1)[0]
                for text in requires(name) or []
                if "extra ==" not in text
            ]
        except PackageNotFoundError:
            continue
        waiting += [one for one in needed if one.startswith("gads-")]
        foreign |= {one for one in needed if not one.startswith("gads-")}
    assert seen == ours
    assert foreign == {"pyarrow", "pydantic"}


def test_importing_it_brings_nothing_else() -> None:
    code = (
        "import gads_consumer.consumer, gads_consumer.file_export, gads_consumer.manifest, sys\n"
        "print('\\n'.join(sys.modules))"
    )
    found = set(_run(code, PACKAGE).stdout.split())
    assert {"gads_consumer.file_export", "pyarrow"} <= found
    assert not found & {"google", "grpc", "duckdb", "polars", "sqlite3", "gads_validator", "gads_state_sqlite"}
    light = set(_run("import gads_consumer.consumer, sys\nprint('\\n'.join(sys.modules))", PACKAGE).stdout.split())
    assert not light & {"pandas", "pydantic", "pyarrow.dataset", "pyarrow.parquet"}
    lightest = set(_run("import gads_consumer, sys\nprint('\\n'.join(sys.modules))", PACKAGE).stdout.split())
    assert not lightest & {"pyarrow", "pydantic"}


def test_every_public_name_can_be_imported_from_the_top() -> None:
    for package in (gads_consumer, gads_payload, gads_validator):
        assert all(getattr(package, name) is not None for name in package.__all__)
        with pytest.raises(AttributeError):
            _ = package.no_such_name
