"""Fixtures for tests of code that reads the Google Ads API. pytest finds them when the package is installed.

Neither the emulator nor the official client is imported before a test uses a fixture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from gads_emulator import Agency, EmulatorServer


class StartEmulator(Protocol):
    """The type of the fixture `google_ads_emulator`."""

    def __call__(self, agency: Agency | Path | str | None = None, **options: Any) -> EmulatorServer:
        """Start an emulator, which ends with the test.

        `agency` is an `Agency` or a folder of recorded rows. Without one, a synthetic agency is served, and `options`
        may contain fields of `SyntheticSettings`. The other options are those of `EmulatorServer`.
        """


class MakeClient(Protocol):
    """The type of the fixture `google_ads_client`."""

    def __call__(self, emulator: EmulatorServer | None = None, version: str | None = None) -> Any:
        """Return an official `GoogleAdsClient` of an emulator; without one, of a new emulator with the default agency.

        `version` is an API version such as `v26`; the client's newest by default.
        """


@pytest.fixture
def google_ads_emulator() -> Iterator[StartEmulator]:
    """Start local Google Ads APIs that end with the test; see `StartEmulator`."""
    with ExitStack() as running:

        def start(agency: Agency | Path | str | None = None, **options: Any) -> EmulatorServer:
            from gads_emulator import (
                EmulatorServer,
                RecordedAgency,
                SyntheticAgency,
                SyntheticSettings,
                trust_process_authority,
            )

            trust_process_authority()
            if agency is None:
                names = SyntheticSettings.__dataclass_fields__.keys() & options.keys()
                agency = SyntheticAgency(SyntheticSettings(**{name: options.pop(name) for name in names}))
            elif isinstance(agency, str | Path):
                agency = RecordedAgency(Path(agency))
            return running.enter_context(EmulatorServer(agency, **options))

        yield start


@pytest.fixture
def google_ads_client(
    google_ads_emulator: StartEmulator, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Any]:
    """Make official clients of emulators, signed in as a service account over TLS; see `MakeClient`."""

    def make(emulator: EmulatorServer | None = None, version: str | None = None) -> Any:
        from google.ads.googleads.client import GoogleAdsClient

        server = emulator if emulator is not None else google_ads_emulator()
        path = server.write_client_configuration(tmp_path_factory.mktemp("google-ads"))
        return GoogleAdsClient.load_from_storage(str(path), version=version)

    return make
