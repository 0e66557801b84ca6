"""The fixtures that the tests of all packages have."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# The tests start hundreds of processes, each of which would compile our modules anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

pytest_plugins = ["gads_testing.command_line"]


def pytest_configure(config: pytest.Config) -> None:
    """Give Hypothesis the same examples each time; a campaign looks for new ones."""
    if "not campaign" in config.option.markexpr:
        settings.load_profile("ci")


@pytest.fixture
def in_memory() -> Iterator[Path]:
    """A folder that costs no disk, where there is one."""
    shared = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=shared if shared.is_dir() else None))
    yield folder
    shutil.rmtree(folder)
