"""How often a run of new days opens and syncs something of a local sink, counted in all its processes."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

DAYS = 31
_HOOK = """
import atexit, os, sys
lines = []
def hook(event, arguments):
    path = str(arguments[0]) if event == "open" else ""
    if "/raw/" in path or os.path.basename(path).partition("=")[0].partition("-")[0] in (
        "raw", "google_ads", "customer_id", "report", "logical_date", "run_id", ".run", "payload", "metadata.json"
    ):
        lines.append("open")
sys.addaudithook(hook)
fsync = os.fsync
def counted(descriptor):
    if "/raw" in os.readlink(f"/proc/self/fd/{descriptor}"):
        lines.append("fsync")
    fsync(descriptor)
os.fsync = counted
def tell():
    with open(os.path.join(os.environ["GADS_CALLS"], str(os.getpid())), "w") as file:
        file.write(" ".join(lines))
atexit.register(tell)
leave = os._exit
os._exit = lambda code: (tell(), leave(code))
"""


def test_a_new_day_takes_at_most_ten_opens_and_three_syncs(
    gads_etl: Any, project: Any, agency: Path, customers: list[str], tmp_path: Path
) -> None:
    config, calls = project(agency, customers[:1]), tmp_path / "calls"
    calls.mkdir()
    (tmp_path / "sitecustomize.py").write_text(_HOOK)
    words = ("--report", "account", "--since", "2024-05-01", "--until", "2024-05-31")
    counted = {"PYTHONPATH": str(tmp_path), "GADS_CALLS": str(calls)}
    done = gads_etl("run", "-c", config, *words, "--format", "json", env=counted)
    assert (done.code, len(done.json["partitions"])) == (0, DAYS)
    found = Counter(call for one in calls.iterdir() for call in one.read_text().split())
    assert 4 * DAYS < found["open"] <= 10 * DAYS
    shared = 12  # the folders that all days lie in, and what makes sure that the sink can be written
    assert found["fsync"] <= 3 * DAYS + shared
