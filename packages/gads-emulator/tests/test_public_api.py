from __future__ import annotations

import subprocess
import sys

import pytest

import gads_emulator


def test_importing_the_package_loads_neither_google_ads_nor_grpc() -> None:
    listing = "import sys, gads_emulator; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True)
    assert {"google", "grpc", "trustme", "gads_gaql"}.isdisjoint(done.stdout.split())


def test_every_public_name_is_there() -> None:
    assert {name for name in dir(gads_emulator) if not hasattr(gads_emulator, name)} == set()
    assert "EmulatorServer" in dir(gads_emulator)


def test_any_other_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'gads_emulator' has no attribute 'Emulator'"):
        gads_emulator.Emulator  # type: ignore[attr-defined]  # noqa: B018
