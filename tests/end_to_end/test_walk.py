"""docs/architecture.md walks through one day of one report: every module that runs for it is on that page."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
WALK = re.findall(r"^\| (\d+) \| `([\w.]+)` \|", PAGE, re.MULTILINE)
SECTION = PAGE[PAGE.index("## One day of one report") : PAGE.index("### When something fails")]
NAMED = set(re.findall(r"`(gads_\w+(?:\.\w+)*)`", SECTION))
MOST = 15


def _is_named(module: str) -> bool:
    """Whether the page names `module`, or the package that it is in."""
    parts = module.split(".")
    return any(".".join(parts[:length]) in NAMED for length in range(1, len(parts) + 1))


def test_the_walk_is_short_and_numbered() -> None:
    assert [int(number) for number, _ in WALK] == list(range(1, len(WALK) + 1))
    assert len(WALK) <= MOST


def test_one_day_of_one_report_runs_the_modules_of_the_page(
    tmp_path: Path, gads_etl: Any, agency: Path, customers: list[str]
) -> None:
    shutil.copy(agency / "google-ads.yaml", tmp_path)
    (tmp_path / "gads.toml").write_text(
        f'[google_ads]\nconfiguration = "google-ads.yaml"\ncustomer_ids = ["{customers[0]}"]\n'
        '[storage]\nsink = "file:raw"\nstate = "sqlite:state.db"\n[[reports]]\nname = "campaign"\n'
    )
    environment = {
        "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(agency / "ca.pem"),
        "PYTHONPATH": str(Path(__file__).with_name("walk")),
    }
    one_day = ("--since", "2024-05-01", "--until", "2024-05-01")
    done = gads_etl("run", *one_day, cwd=tmp_path, env=environment)
    assert done.code == 0, done.err
    processes = re.findall(r"^modules: (.*)$", done.err, re.MULTILINE)
    assert len(processes) == 3, "the command, the process that forks workers, and one of these"
    entered = " ".join(processes).split()
    assert [module for _, module in WALK if module not in entered] == []
    # The values of the domain are in every step, and a package imports its modules when they are first used.
    rest = [module for module in entered if "." in module and not module.startswith("gads_domain.")]
    assert [module for module in rest if not _is_named(module)] == []
