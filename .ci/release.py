"""What a release needs: one version everywhere, the packages, and the constraints that they were tested with.

`version X.Y.Z` sets the version of the workspace and of each member, and the pins between members. `build FOLDER`
builds every package and writes constraints.txt beside them. `check FOLDER` fails unless each could be published.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CONSTRAINTS = "constraints.txt"
TWINE = "twine==7.0.0"


def project_files() -> list[Path]:
    """The pyproject.toml of the workspace, then of each member."""
    workspace = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["uv"]["workspace"]
    members = [file for pattern in workspace["members"] for file in sorted(ROOT.glob(f"{pattern}/pyproject.toml"))]
    return [ROOT / "pyproject.toml", *members]


def published() -> list[Path]:
    """The pyproject.toml of each member that is not private."""
    return [file for file in project_files()[1:] if not _is_private(file)]


def _is_private(file: Path) -> bool:
    project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
    return "Private :: Do Not Upload" in project.get("classifiers", [])


def with_version(text: str, version: str) -> str:
    """A pyproject.toml with another version of its own and of what it pins of the same workspace."""
    text = re.sub(r'^version = ".*"$', f'version = "{version}"', text, count=1, flags=re.MULTILINE)
    return re.sub(r'"(gads-[a-z0-9-]+(?:\[[a-z0-9,-]+\])?)~=[^",;]+', rf'"\1~={version}', text)


def constraints() -> str:
    """The versions that the workspace resolves to, as pip and uv take them with `--constraint`."""
    pins = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["uv"]["constraint-dependencies"]
    return "".join(f"{pin}\n" for pin in pins)


def build(folder: Path) -> None:
    """Fill `folder`, which must be empty or absent, with the wheel and the source archive of each public member."""
    if folder.exists() and any(folder.iterdir()):
        raise SystemExit(f"{folder} is not empty; remove it first, so that nothing of an older version is published")
    subprocess.run(["uv", "build", "--quiet", "--all-packages", "--out-dir", str(folder)], cwd=ROOT, check=True)
    for file in project_files()[1:]:
        if _is_private(file):
            for archive in folder.glob(f"{file.parent.name.replace('-', '_')}-*"):
                archive.unlink()
    (folder / CONSTRAINTS).write_text(constraints(), encoding="utf-8")


def faults(folder: Path) -> list[str]:
    """Why what is in `folder` must not be published: a package is absent, has no licence or is not in the changelog."""
    found = []
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    if not re.search(rf"^## {re.escape(version)}\b", changelog, re.MULTILINE):
        found.append(f"CHANGELOG.md has no section {version}")
    for file in published():
        project = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
        stem = f"{project['name'].replace('-', '_')}-{project['version']}"
        wheel, source = folder / f"{stem}-py3-none-any.whl", folder / f"{stem}.tar.gz"
        for archive in (wheel, source):
            if not archive.exists():
                found.append(f"{archive.name} is absent")
        if wheel.exists() and f"{stem}.dist-info/licenses/LICENSE" not in zipfile.ZipFile(wheel).namelist():
            found.append(f"{wheel.name} has no LICENSE")
        if source.exists():
            with tarfile.open(source) as opened:
                if f"{stem}/LICENSE" not in opened.getnames():
                    found.append(f"{source.name} has no LICENSE")
    return found


def main(words: list[str]) -> int:
    """Run one of the commands; returns the exit code."""
    match words:
        case ["version", version] if re.fullmatch(r"\d+\.\d+\.\d+((a|b|rc)\d+)?", version):
            for file in project_files():
                file.write_text(with_version(file.read_text(encoding="utf-8"), version), encoding="utf-8")
        case ["build", folder]:
            build(Path(folder))
        case ["check", folder]:
            if found := faults(Path(folder)):
                sys.stderr.write("".join(f"{fault}\n" for fault in found))
                return 1
            packages = [str(path) for path in sorted(Path(folder).iterdir()) if path.name.endswith((".whl", ".tar.gz"))]
            return subprocess.run(["uvx", TWINE, "check", "--strict", *packages], cwd=ROOT, check=False).returncode
        case _:
            sys.stderr.write("release.py version X.Y.Z | build FOLDER | check FOLDER\n")
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
