"""Stdout and stderr that are closed, full, without a reader, or of an encoding that lacks characters."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gads_domain.state import PartitionStatus
from gads_testing.local_deployment import SINK, STATE, LocalDeployment, key_of

SPEAK = (
    "import sys; from gads_terminal.standard_streams import open_standard_streams; open_standard_streams();"
    "sys.stdout.write('Zürich'); sys.stderr.write('Zürich')"
)


def _shell(script: Path, command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    words = ["bash", "-c", f"set -o pipefail; {command}", str(script)]
    return subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("streams", "error"),
    [
        ("> /dev/full", "error: stdout did not take the output: No space left on device"),
        (">&-", "error: stdout did not take the output: Bad file descriptor"),
        ("| true", ""),
        ("> /dev/full 2> /dev/full", ""),
        (">&- 2>&-", ""),
    ],
)
def test_the_work_is_done_without_words(streams: str, error: str, gads_etl_script: Path, tmp_path: Path) -> None:
    deployment = LocalDeployment(tmp_path)
    keys = [key_of(day=day) for day in range(3)]
    for key in keys:
        deployment.seal(key, 1, record_count=3 + (key == keys[0]))
    deployment.close()
    (tmp_path / "gads.toml").write_text(
        f'[google_ads]\ncustomer_ids = ["1"]\n[storage]\nsink = "{SINK}"\nstate = "{STATE}"\n'
        '[[reports]]\nname = "campaign"\n'
    )
    done = _shell(gads_etl_script, f'"$0" validate {streams}', tmp_path)
    assert (done.returncode, done.stdout, done.stderr.partition("\n")[0]) == (74, "", error)
    deployment.open()
    states = [state.status for state in deployment.ledger.get_many(keys)]
    deployment.close()
    assert states == [PartitionStatus.FAILED, PartitionStatus.SUCCESS, PartitionStatus.SUCCESS]


@pytest.mark.parametrize("streams", ["2>&-", "2> /dev/full"])
def test_an_exit_code_holds_without_stderr(streams: str, gads_etl_script: Path, tmp_path: Path) -> None:
    done = _shell(gads_etl_script, f'"$0" check -c missing.toml {streams}', tmp_path)
    assert (done.returncode, done.stderr) == (2, "")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_a_pipe_is_utf_8_whatever_the_locale_says(encoding: str) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": encoding, "LANG": "C"}
    done = subprocess.run([sys.executable, "-c", SPEAK], env=environment, capture_output=True, check=True)
    assert done.stdout == "Zürich".encode()
    assert done.stderr == (b"Z\\xfcrich" if encoding == "ascii" else "Zürich".encode("latin-1"))
