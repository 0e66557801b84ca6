"""How fast the page answers of 10,000 accounts and 90 days of 4 reports; GADS_PAGE_REPORTS=40 has 40 of them.

Each page is asked in turn of a server in a process of its own: first byte, whole page, bytes, and the memory at most.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gads_testing.large_ledger import LargeLedger

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(900)]

SERVER = """
import sys
from pathlib import Path
from gads_pipeline import Pipeline
from gads_ui.application import create_app
from gads_ui.server import Address, HttpServer
with HttpServer(create_app(Pipeline.open(Path(sys.argv[1]))), Address.parse("127.0.0.1:0")) as server:
    print(server.url, flush=True)
    sys.stdin.read()
print([line for line in open("/proc/self/status") if line.startswith("VmHWM")][0].split()[1])
"""


def asked(address: str) -> tuple[float, float, str]:
    """Seconds to the first byte and to the last one, and the page."""
    began = time.perf_counter()
    with urllib.request.urlopen(address, timeout=300) as answer:
        first = answer.read(1)
        to_first = time.perf_counter() - began
        page = (first + answer.read()).decode()
    return to_first, time.perf_counter() - began, page


def test_pages_of_ten_thousand_accounts(tmp_path: Path) -> None:
    reports = int(os.environ.get("GADS_PAGE_REPORTS", "4"))
    ledger = LargeLedger(10_000, reports, 90, datetime.now(UTC))
    config, report = ledger.write(tmp_path), ledger.report_names[0]
    print(f"\n{ledger.partitions:,} partitions\n{'page':44} {'first byte':>10} {'whole':>8} {'kB':>6}")
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, str(config)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        calendar = f"/calendar?report={report}"
        groups = re.findall(r'href="(/calendar\?[^"]*first=[^"]*)"', asked(url + calendar)[2])
        pages = {
            "the overview, the first time": "/",
            "the overview": "/",
            "a strip": f"/strips/{report}",
            "a calendar, 30 days": calendar,
            "a calendar, 90 days": f"{calendar}&days=90",
            "its accounts, 30 days": groups[3].replace("&amp;", "&"),
            "those that miss a day": f"{calendar}&behind=1",
            "an account": "/accounts/1000000000",
            "a story": f"/partitions/1000000000/{report}/{ledger.last_day}",
            "restatement": f"/drift?report={report}",
            "quota": "/quota",
        }
        for name, path in pages.items():
            first, whole, page = asked(url + path)
            print(f"{name:44} {first:>8.3f} s {whole:>6.3f} s {len(page) / 1000:>6.0f}")
            assert len(page) < 1_000_000
            time.sleep(1)  # what is computed meanwhile is not measured with the next page
        memory = int(server.communicate("", timeout=60)[0]) / 1000
    print(f"{'memory at most':44} {memory:.0f} MB")
    assert memory < 300
