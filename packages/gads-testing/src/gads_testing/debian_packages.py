"""Programs of the distribution (Debian or Ubuntu) for tests: unpacked into a folder, no root needed, nothing installed.

Packages are kept in $GADS_TEST_CACHE, or in ~/.cache/gads-etl.
"""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path


def program(name: str, package: str) -> Path:
    """The program `name`, which the machine has or `package` brings."""
    installed = shutil.which(name)
    return Path(installed) if installed else unpacked(package, [package]) / "usr" / "bin" / name


def unpacked(name: str, packages: Sequence[str]) -> Path:
    """The folder of the unpacked packages, kept as `name`; one process fetches any, others wait: apt has one list."""
    chosen = os.environ.get("GADS_TEST_CACHE")
    cache = Path(chosen) if chosen else Path.home() / ".cache" / "gads-etl"
    folder = cache / name
    folder.mkdir(parents=True, exist_ok=True)
    root = folder / "root"
    with locked(cache / "lock", fcntl.LOCK_EX):
        if not (folder / "complete").exists():
            shutil.rmtree(root, ignore_errors=True)
            for package in _fetched(folder, packages):
                subprocess.run(["dpkg", "-x", str(package), str(root)], check=True)
            (folder / "complete").touch()
    return root


@contextmanager
def locked(path: Path, how: int) -> Iterator[None]:
    with path.open("a") as file:
        fcntl.flock(file, how)
        yield


def _fetched(folder: Path, packages: Sequence[str]) -> list[Path]:
    """The packages, and all they need that this machine lacks, as files."""
    archives = folder / "archives"
    (archives / "partial").mkdir(parents=True, exist_ok=True)
    fetch = ["apt-get", "install", "-y", "--no-install-recommends", "--download-only"]
    options = ["-o", f"Dir::Cache::archives={archives}", "-o", "Debug::NoLocking=true", "-o", "APT::Sandbox::User="]
    done = subprocess.run([*fetch, *options, *packages], capture_output=True, text=True)
    if done.returncode and os.geteuid() == 0:
        subprocess.run(["apt-get", "update", "-q"], check=True, capture_output=True)
        done = subprocess.run([*fetch, *options, *packages], capture_output=True, text=True)
    if done.returncode:
        needed = ", ".join(packages)
        raise SystemExit(f"{needed} cannot be fetched (run apt-get update first?):\n{done.stderr[-2000:]}")
    return sorted(archives.glob("*.deb"))
