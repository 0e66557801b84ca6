"""A process that serves, as the command line runs it, and a client process that knows nothing but its folder."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gads_domain.errors import ConfigurationError, UsageError
from gads_emulator import CA_VARIABLE, Agency, Authority, EmulatorServer, ServeSettings, SyntheticSettings, serve

_SERVER = """
import sys
from datetime import date
from pathlib import Path
from gads_emulator import ServeSettings, SyntheticSettings, serve
settings = SyntheticSettings(first=date(2024, 1, 1), last=date(2024, 1, 31), keeps_everything=True)
serve(ServeSettings(Path(sys.argv[1]), synthetic=settings), emit=lambda line: print(line, flush=True))
print("stopped")
"""
_CLIENT = """
import sys
from google.ads.googleads.client import GoogleAdsClient
client = GoogleAdsClient.load_from_storage(sys.argv[1], version="v26")
found = client.get_service("GoogleAdsService").search(
    customer_id=client.login_customer_id, query="SELECT customer_client.id FROM customer_client"
)
print(len(list(found)))
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_until_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    process = subprocess.Popen([sys.executable, "-c", _SERVER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    killer = threading.Timer(60, process.kill)
    killer.start()
    try:
        said = []
        for line in process.stdout:
            said.append(line.strip())
            if "Ctrl-C" in line:
                break
        configuration = tmp_path / "google-ads.yaml"
        assert configuration.exists()
        assert any(str(tmp_path / "ca.pem") in line for line in said)
        if number == signal.SIGTERM:
            environment = {**os.environ, CA_VARIABLE: str(tmp_path / "ca.pem")}
            client = subprocess.run(
                [sys.executable, "-c", _CLIENT, str(configuration)],
                env=environment, capture_output=True, text=True, timeout=60, check=True,
            )  # fmt: skip
            assert client.stdout.strip() == "5"
        process.send_signal(number)
        assert process.stdout.read().strip() == "stopped"
        assert process.wait(30) == 0
    finally:
        killer.cancel()
        process.kill()
        process.wait()
        process.stdout.close()


def test_only_the_owner_can_read_the_secrets(emulator: EmulatorServer, tmp_path: Path) -> None:
    emulator.write_client_configuration(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "ca.pem",
        "emulator.json",
        "google-ads.yaml",
        "service-account.json",
    ]
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_exactly_one_source_is_served(tmp_path: Path) -> None:
    with pytest.raises(UsageError):
        ServeSettings(tmp_path)
    with pytest.raises(UsageError):
        ServeSettings(tmp_path, data=tmp_path, synthetic=SyntheticSettings())


def test_an_error_names_a_missing_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such folder"):
        serve(ServeSettings(tmp_path / "config", data=tmp_path / "nothing"))
    assert not (tmp_path / "config").exists()


def test_an_error_names_a_taken_port(emulator: EmulatorServer, agency: Agency) -> None:
    with pytest.raises(ConfigurationError, match=f"cannot listen on .*:{emulator.port}"):
        EmulatorServer(agency, port=emulator.port).start()


def test_an_error_names_a_file_that_is_not_an_authority(tmp_path: Path) -> None:
    wrong = tmp_path / "authority.pem"
    wrong.write_text("nothing")
    with pytest.raises(ConfigurationError, match=r"authority\.pem: not a certificate authority"):
        serve(ServeSettings(tmp_path / "config", synthetic=SyntheticSettings(), authority=wrong))


def test_a_saved_authority_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "authority.pem"
    made = Authority()
    made.save(path)
    assert Authority.load(path).ca_pem == made.ca_pem
    assert path.stat().st_mode & 0o777 == 0o600
