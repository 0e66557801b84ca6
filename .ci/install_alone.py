"""Install each workspace member into an empty environment and import every module of it.

A workspace hides a dependency that was never declared: all members share one environment. Here each member has one of
its own, holding what its `pyproject.toml` declares and nothing else; and another for each of its extras.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]

IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
names = [module.name for module in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
for name in names:
    if name not in sys.argv[2:]:
        importlib.import_module(name)
print(f"{sys.argv[1]}: {len(names)} modules")
"""

FOR_AN_EXTRA = {
    "gads_emulator.pytest_plugin": "pytest",
    "gads_status.page": "html",
    "gads_telemetry.lineage": "openlineage",
    "gads_telemetry.lineage_datasets": "openlineage",
    "gads_telemetry.otel_providers": "otel",
    "gads_telemetry.traces": "otel",
}
"""Modules that only an extra's requirements make importable."""


def members() -> dict[str, Path]:
    """The folder of each workspace member, by distribution name."""
    workspace = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["workspace"]
    found = {}
    for pattern in workspace["members"]:
        for project in sorted(ROOT.glob(f"{pattern}/pyproject.toml")):
            found[tomllib.loads(project.read_text())["project"]["name"]] = project.parent
    return found


def project_of(folder: Path) -> dict[str, Any]:
    """The `[project]` table of a member."""
    found: dict[str, Any] = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return found


def requirement(line: str) -> tuple[str, list[str]]:
    """The name and the extras that a requirement asks for."""
    match = re.match(r"([a-zA-Z0-9._-]+)(?:\[([^\]]*)\])?", line)
    assert match is not None
    return match[1], [extra.strip() for extra in (match[2] or "").split(",") if extra]


def workspace_needs(name: str, extras: list[str], folders: dict[str, Path]) -> set[str]:
    """Every member that `name` with `extras` needs, directly or not, and `name` itself."""
    needed: set[tuple[str, str]] = set()
    waiting = [(name, part) for part in ["", *extras]]
    while waiting:
        member, part = waiting.pop()
        if member not in folders or (member, part) in needed:
            continue
        needed.add((member, part))
        project = project_of(folders[member])
        lines = project["optional-dependencies"][part] if part else project["dependencies"]
        for line in lines:
            other, wanted = requirement(line)
            waiting += [(other, more) for more in ["", *wanted]]
    return {member for member, _ in needed}


def stands_alone(name: str, extras: list[str], folders: dict[str, Path]) -> bool:
    """Whether the member with these extras can be installed and imported alone."""
    folder = folders[name]
    (module,) = [path.name for path in (folder / "src").iterdir() if (path / "__init__.py").exists()]
    skipped = [module for module, extra in FOR_AN_EXTRA.items() if extra not in extras]
    with tempfile.TemporaryDirectory() as place:
        python = Path(place) / "bin" / "python"
        others = sorted(workspace_needs(name, extras, folders) - {name})
        commands = [
            ["uv", "venv", "--quiet", "--python", sys.executable, place],
            ["uv", "pip", "install", "--quiet", "--python", str(python)]
            + [f"{folder}[{','.join(extras)}]" if extras else str(folder)]
            + [str(folders[other]) for other in others],
            [str(python), "-c", IMPORT_ALL, module, *skipped],
        ]
        return all(subprocess.run(command, cwd=ROOT, check=False).returncode == 0 for command in commands)


def main() -> int:
    """Return 0 if every member can be installed and imported alone, bare and with each of its extras."""
    folders = members()
    failed = []
    for name, folder in folders.items():
        if "Private :: Do Not Upload" in project_of(folder)["classifiers"]:
            continue  # it is only ever installed in the workspace
        for extra in [None, *project_of(folder).get("optional-dependencies", {})]:
            extras = [] if extra is None else [extra]
            if not stands_alone(name, extras, folders):
                failed.append(f"{name}[{extra}]" if extra else name)
    if failed:
        sys.stderr.write(f"cannot stand alone: {', '.join(failed)}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
