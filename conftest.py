"""The fixtures that the tests of all packages have."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest_plugins = ["gads_testing.command_line"]


@pytest.fixture
def in_memory() -> Iterator[Path]:
    """A folder that costs no disk, where there is one."""
    shared = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(dir=shared if shared.is_dir() else None))
    yield folder
    shutil.rmtree(folder)
