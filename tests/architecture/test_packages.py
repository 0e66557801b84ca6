"""Each member can be published: one version, exact pins between members, and the metadata that an index shows."""

from __future__ import annotations

import importlib.util
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
_spec = importlib.util.spec_from_file_location("release", ROOT / ".ci" / "release.py")
assert _spec is not None
assert _spec.loader is not None
release = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(release)

WORKSPACE, *MEMBERS = release.project_files()


def project(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8"))["project"]
    return found


VERSION = project(WORKSPACE)["version"]
NAMES = {project(file)["name"] for file in MEMBERS}


def test_there_are_members() -> None:
    assert len(MEMBERS) >= 15


@pytest.mark.parametrize("file", MEMBERS, ids=lambda file: file.parent.name)
def test_a_member_has_the_common_version_and_pins_the_others_to_it(file: Path) -> None:
    found = project(file)
    assert found["version"] == VERSION
    extras = found.get("optional-dependencies", {})
    needed = [line for lines in [found["dependencies"], *extras.values()] for line in lines]
    own = [line for line in needed if re.split(r"[\[~<>=! ;]", line)[0] in NAMES]
    loose = [line for line in own if not line.endswith(f"~={VERSION}") and not line.startswith(f"{found['name']}[")]
    assert not loose, f"write NAME~={VERSION}"


@pytest.mark.parametrize("file", release.published(), ids=lambda file: file.parent.name)
def test_a_member_says_what_an_index_shows(file: Path) -> None:
    found = project(file)
    assert found["description"].endswith(".")
    assert (file.parent / found["readme"]).is_file()
    assert found["license"] == "Apache-2.0"
    assert found["license-files"] == ["LICENSE"]
    assert (file.parent / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes(), "copy LICENSE of the root"
    assert {"Homepage", "Documentation", "Changelog"} <= set(found["urls"])
    assert {"Typing :: Typed", "Programming Language :: Python :: 3.11"} <= set(found["classifiers"])
    assert found["classifiers"] == sorted(found["classifiers"])
    (module,) = [path for path in (file.parent / "src").iterdir() if (path / "__init__.py").exists()]
    assert (module / "py.typed").exists()


def test_every_package_is_built_with_its_licence_and_the_constraints(tmp_path: Path) -> None:
    release.build(tmp_path / "dist")
    assert release.faults(tmp_path / "dist") == []
    assert list((tmp_path / "dist").glob("gads_testing-*")) == [], "it is private"
    lines = (tmp_path / "dist" / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert len(lines) > 50
    assert all(re.match(r"[a-z0-9-]+==[^ ]+( ; .+)?$", line) for line in lines)
    next((tmp_path / "dist").glob("gads_domain-*.whl")).unlink()
    assert release.faults(tmp_path / "dist") == [f"gads_domain-{VERSION}-py3-none-any.whl is absent"]
    with pytest.raises(SystemExit, match="not empty"):
        release.build(tmp_path / "dist")


def test_a_new_version_reaches_the_project_and_its_pins_and_nothing_else() -> None:
    before = MEMBERS[-1].read_text(encoding="utf-8")
    after = release.with_version(before, "7.8.9")
    assert tomllib.loads(after)["project"]["version"] == "7.8.9"
    assert after.replace("7.8.9", VERSION) == before
    assert f'version = "{VERSION}"' not in after
    assert f"~={VERSION}" not in after
