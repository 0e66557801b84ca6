"""Bad input: one line, a hint, the documented exit code, nothing half-done."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from gads_emulator import Authority

DAYS = ("--since", "2024-03-01", "--until", "2024-03-02")

TOML = """
[google_ads]
configuration = "google-ads.yaml"
customer_ids = ["1234567890"]
[storage]
sink = "file:raw"
state = "sqlite:state.db"
[[reports]]
name = "campaign"
query = "SELECT campaign.id, segments.date, metrics.clicks FROM campaign"
"""


def _fails(done: Any, code: int, pattern: str) -> None:
    assert done.code == code, done
    assert done.out == ""
    errors = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1, done.err
    assert re.search(pattern, errors[0]), errors
    assert any(line.startswith("hint: ") for line in done.err.splitlines()), done.err
    assert "Traceback" not in done.err


def _files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("this is not toml", "is not TOML"),
        (TOML.replace("customer_ids", "customers"), r"google_ads\.customers"),
        (TOML.replace('sink = "file:raw"', ""), r"storage\.sink"),
        (TOML.replace("1234567890", "12x"), r"google_ads\.customer_ids\[0\].*12x"),
        (TOML.replace('name = "campaign"', 'name = "Campaign!"'), r"reports\[0\]\.name"),
        (TOML.replace('name = "campaign"', 'name = "campaign"\nschema_version = 0'), r"reports\[0\]\.schema_version"),
        (TOML.replace("file:raw", "ftp:raw"), "ftp:"),
        (TOML.replace("sqlite:state.db", "state.db"), "the state URL does not begin with a scheme"),
    ],
)
def test_configuration_that_cannot_be_used(gads_etl: Any, tmp_path: Path, text: str, pattern: str) -> None:
    config = tmp_path / "gads.toml"
    config.write_text(text)
    _fails(gads_etl("run", "-c", config, *DAYS), 2, pattern)
    assert _files(tmp_path) <= {"gads.toml", "raw"}


@pytest.mark.parametrize(
    ("arguments", "pattern"),
    [
        (("run", *DAYS, "--report", "nonsense"), "nonsense"),
        (("run", "--since", "2024-03-02", "--until", "2024-03-01"), "reversed"),
        (("run", "--since", "2024-02-30", "--until", "2024-03-01"), "2024-02-30"),
        (("run", "--since", "2024-03-01"), "which days"),
        (("run", *DAYS, "--customer", "abc"), "abc"),
        (("run", *DAYS, "--customer", "1"), "customer 1 is not among"),
        (("state", "inspect", "--status", "done"), "done"),
        (("run", *DAYS, "--nonsense"), "--nonsense"),
        (("nonsense",), "nonsense"),
    ],
)
def test_arguments_that_cannot_be_meant(
    gads_etl: Any, tmp_path: Path, arguments: tuple[str, ...], pattern: str
) -> None:
    (tmp_path / "gads.toml").write_text(TOML)
    _fails(gads_etl(*arguments, cwd=tmp_path), 2, pattern)
    assert _files(tmp_path) == {"gads.toml"}


def test_no_configuration(gads_etl: Any, tmp_path: Path) -> None:
    _fails(gads_etl("run", *DAYS, cwd=tmp_path), 2, "there is no gads.toml")


def test_unreadable_configuration(gads_etl: Any, tmp_path: Path) -> None:
    (tmp_path / "gads.toml").mkdir()
    _fails(gads_etl("run", *DAYS, cwd=tmp_path), 2, "cannot read")


def test_unknown_version(gads_etl: Any, tmp_path: Path) -> None:
    (tmp_path / "gads.toml").write_text(TOML.replace("[google_ads]", '[google_ads]\napi_version = "v99"'))
    _fails(gads_etl("run", *DAYS, cwd=tmp_path), 2, "v99")


def test_unknown_field_is_found_before_anything_is_asked(gads_etl: Any, tmp_path: Path) -> None:
    (tmp_path / "gads.toml").write_text(TOML.replace("metrics.clicks", "metrics.clickz"))
    _fails(gads_etl("run", *DAYS, cwd=tmp_path), 2, r"campaign.*metrics\.clickz")
    done = gads_etl("check", "--offline", "--format", "json", cwd=tmp_path)
    assert done.code == 2
    (fault,) = [finding for finding in done.json if not finding["ok"]]
    assert "line 1" in fault["message"]
    assert "metrics.clicks" in fault["message"] + fault["hint"]


def test_missing_credentials(gads_etl: Any, tmp_path: Path) -> None:
    (tmp_path / "gads.toml").write_text(TOML)
    (tmp_path / "google-ads.yaml").write_text("use_proto_plus: true\ndeveloper_token: very-secret\n")
    done = gads_etl("run", *DAYS, cwd=tmp_path)
    _fails(done, 4, "")
    assert "very-secret" not in done.err
    assert _files(tmp_path) == {"gads.toml", "google-ads.yaml"}


def test_missing_client_file(gads_etl: Any, tmp_path: Path) -> None:
    (tmp_path / "gads.toml").write_text(TOML)
    _fails(gads_etl("run", *DAYS, cwd=tmp_path), 2, r"google-ads\.yaml")
    assert _files(tmp_path) == {"gads.toml"}


def test_api_that_is_not_there(gads_etl: Any, tmp_path: Path, project: Callable[..., Path], agency: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        client = tmp_path / "client"
        shutil.copytree(agency, client)
        text = (client / "google-ads.yaml").read_text()
        (client / "google-ads.yaml").write_text(
            re.sub(r"endpoint: .*", f"endpoint: localhost:{taken.getsockname()[1]}", text)
        )
        config = project(client, ["1234567890"])
        done = gads_etl("run", "-c", config, *DAYS, "--report", "account")
    assert done.code == 75
    lines = r"^not success: 1234567890 account 2024-03-01\.\.2024-03-02: pending: not asked for; api_unreachable"
    assert re.search(lines, done.err, re.M)
    assert len(re.findall(r"^hint: ", done.err, re.M)) == 1
    rows = gads_etl("state", "inspect", "-c", config, "--format", "json").json
    assert rows == [], "nothing is marked failed that was not tried"


def test_corrupt_ledger(gads_etl: Any, tmp_path: Path) -> None:
    (tmp_path / "gads.toml").write_text(TOML)
    (tmp_path / "state.db").write_bytes(b"SQLite format 3\0" + bytes(range(256)) * 40)
    before = (tmp_path / "state.db").read_bytes()
    _fails(gads_etl("state", "inspect", cwd=tmp_path), 2, "state.db")
    _fails(gads_etl("run", *DAYS, cwd=tmp_path), 2, "state.db")
    assert (tmp_path / "state.db").read_bytes() == before


def test_absent_ledger_is_empty_and_stays_absent(gads_etl: Any, tmp_path: Path) -> None:
    (tmp_path / "gads.toml").write_text(TOML)
    done = gads_etl("state", "inspect", "--format", "json", cwd=tmp_path)
    assert (done.code, done.json) == (0, [])
    assert _files(tmp_path) == {"gads.toml"}


def test_sink_below_a_file(gads_etl: Any, tmp_path: Path) -> None:
    (tmp_path / "gads.toml").write_text(TOML.replace("file:raw", "file:gads.toml/raw"))
    done = gads_etl("run", *DAYS, cwd=tmp_path)
    assert done.code == 2, done
    assert _files(tmp_path) == {"gads.toml"}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 256 KiB, as a tmpfs in the machine's own tree."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_full_disk(
    gads_etl: Any, project: Callable[..., Path], agency: Path, customers: list[str], small_disk: Path
) -> None:
    config = project(agency, customers[:1])
    config.write_text(config.read_text().replace("file:raw", f"file:{small_disk}"))
    days = ("--since", "2024-03-01", "--until", "2024-03-31")
    done = gads_etl("run", "-c", config, *days)
    assert done.code == 75
    full = [line for line in done.err.splitlines() if "storage_full" in line]
    assert 0 < len(full) < 10, "a line a day"
    assert re.findall(r"^hint: .*", done.err, re.M) == [
        "hint: free space, or move the sink and point storage.sink there; what was not sealed is still pending"
    ]
    rows = gads_etl("state", "inspect", "-c", config, "--format", "json").json
    assert {row["status"] for row in rows} <= {"success"}, "what was not tried is pending"
    # What was sealed before the disk was full is whole, and what was not leaves no trace.
    assert gads_etl("validate", "-c", config, "--recheck", "--report", "campaign").code in (0, 1)
    assert not [path for path in small_disk.rglob("payload-*") if not (path.parent / "metadata.json").exists()]

    shutil.copytree(small_disk, config.parent / "larger")
    config.write_text(config.read_text().replace(f"file:{small_disk}", "file:larger"))
    assert gads_etl("run", "-c", config, *days, "--retry-failed").code == 0


def test_read_only_folder(
    gads_etl: Any, project: Callable[..., Path], agency: Path, customers: list[str], small_disk: Path
) -> None:
    config = project(agency, customers[:1])
    config.write_text(config.read_text().replace("file:raw", f"file:{small_disk}/raw"))
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    done = gads_etl("run", "-c", config, *DAYS)
    _fails(done, 2, "(?i)read-only")
    assert not (config.parent / "state.db").exists()
    config.write_text(config.read_text().replace(f"file:{small_disk}/raw", "file:raw"))
    config.write_text(re.sub(r'state = ".*"', f'state = "sqlite:{small_disk}/state.db"', config.read_text()))
    for command in (("run", *DAYS), ("check",)):
        assert gads_etl(command[0], "-c", config, *command[1:]).code == 2, command
    assert not (config.parent / "raw").exists()


def test_check_names_a_certificate_that_is_not_trusted(
    gads_etl: Any, project: Callable[..., Path], agency: Path, customers: list[str]
) -> None:
    config = project(agency, customers[:1])
    (config.parent / "other.pem").write_bytes(Authority().ca_pem)
    config.write_text(re.sub(r"ca_certificate = .*", 'ca_certificate = "other.pem"', config.read_text()))
    done = gads_etl("check", "-c", config)
    assert done.code == 2
    assert "cannot be verified" in done.out + done.err
    assert "google_ads.ca_certificate" in done.out + done.err
