"""Install each workspace member into an empty environment and import every module of it.

A workspace hides a dependency that was never declared: all members share one environment. Here each member has one of
its own, holding what its `pyproject.toml` declares and nothing else.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

IMPORT_ALL = """
import importlib, pkgutil, sys
package = importlib.import_module(sys.argv[1])
names = [module.name for module in pkgutil.walk_packages(package.__path__, package.__name__ + ".")]
for name in names:
    importlib.import_module(name)
print(f"{sys.argv[1]}: {len(names)} modules")
"""


def members() -> dict[str, Path]:
    """The folder of each workspace member, by distribution name."""
    workspace = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["workspace"]
    found = {}
    for pattern in workspace["members"]:
        for project in sorted(ROOT.glob(f"{pattern}/pyproject.toml")):
            found[tomllib.loads(project.read_text())["project"]["name"]] = project.parent
    return found


def workspace_needs(name: str, folders: dict[str, Path]) -> list[str]:
    """`name` and every member that it needs, directly or not."""
    needed: list[str] = []
    waiting = [name]
    while waiting:
        member = waiting.pop()
        if member in needed:
            continue
        needed.append(member)
        project = tomllib.loads((folders[member] / "pyproject.toml").read_text())["project"]
        waiting += [dependency for dependency in project["dependencies"] if dependency in folders]
    return needed


def with_extras(folder: Path) -> str:
    """The extras that the member offers, as a requirement spells them: some of its modules may be for them alone."""
    extras = tomllib.loads((folder / "pyproject.toml").read_text())["project"].get("optional-dependencies", {})
    return f"[{','.join(extras)}]" if extras else ""


def main() -> int:
    """Return 0 if every member can be installed and imported alone."""
    folders = members()
    failed = []
    for name, folder in folders.items():
        (module,) = [path.name for path in (folder / "src").iterdir() if (path / "__init__.py").exists()]
        with tempfile.TemporaryDirectory() as place:
            python = Path(place) / "bin" / "python"
            commands = [
                ["uv", "venv", "--quiet", "--python", sys.executable, place],
                ["uv", "pip", "install", "--quiet", "--python", str(python)]
                + [str(folder) + with_extras(folder)]
                + [str(folders[member]) for member in workspace_needs(name, folders) if member != name],
                [str(python), "-c", IMPORT_ALL, module],
            ]
            for command in commands:
                if subprocess.run(command, cwd=ROOT, check=False).returncode != 0:
                    failed.append(name)
                    break
    if failed:
        sys.stderr.write(f"cannot stand alone: {', '.join(failed)}\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
