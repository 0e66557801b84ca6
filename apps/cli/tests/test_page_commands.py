"""The page by itself and beside the loop, each until a signal; and what is refused before anything is served."""

from __future__ import annotations

import os
import signal
import socket
import threading
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from gads_etl.main import run


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "gads.toml"
    path.write_text(
        "[google_ads.emulator]\naccounts = 1\n"
        '[storage]\nsink = "file:raw"\nstate = "sqlite:state.db"\n[[reports]]\nname = "campaign"\n'
    )
    return path


def free_port() -> int:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return int(bound.getsockname()[1])


@pytest.mark.parametrize("command", ["ui", "serve"])
def test_the_page_answers_until_a_signal(command: str, config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    port, pages = free_port(), list[str]()

    def look_and_end() -> None:
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as answer:
                    pages.append(answer.read().decode())
                break
            except urllib.error.URLError:
                threading.Event().wait(0.02)
        os.kill(os.getpid(), signal.SIGTERM)

    looking = threading.Thread(target=look_and_end, daemon=True)
    looking.start()
    with pytest.raises(SystemExit) as ended:
        run([command, "--config", str(config), "--http", f"127.0.0.1:{port}"])
    looking.join(10)
    assert ended.value.code == 0, capsys.readouterr().err
    assert f"<bdi>{config}</bdi>" in pages[0]
    assert f"Serving http://127.0.0.1:{port}/ until Ctrl-C." in capsys.readouterr().err
    with pytest.raises(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
        pass


@pytest.mark.parametrize("command", ["ui", "serve"])
def test_an_address_that_others_reach_is_refused_without_a_token(
    command: str, config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GADS_HTTP_TOKEN", raising=False)
    with pytest.raises(SystemExit) as ended:
        run([command, "--config", str(config), "--http", "0.0.0.0:0"])
    assert ended.value.code == 2
    error = capsys.readouterr().err
    assert "0.0.0.0:0 can be reached from other machines" in error
    assert "GADS_HTTP_TOKEN" in error
    assert not (config.parent / "state.db").exists()
