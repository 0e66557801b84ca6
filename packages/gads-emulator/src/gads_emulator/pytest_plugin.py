"""Fixtures for tests of code that reads the Google Ads API. pytest finds them by itself once the package is installed.

Nothing of the emulator or of the official client is imported before a test asks for a fixture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from gads_emulator.agency import Agency
    from gads_emulator.server import EmulatorServer


class StartEmulator(Protocol):
    """What the fixture `google_ads_emulator` is."""

    def __call__(self, agency: Agency | Path | str | None = None, **options: Any) -> EmulatorServer:
        """Start an emulator, which ends with the test.

        `agency` is an `Agency`, or a folder of recorded rows; without one a synthetic agency is served, and the names
        of `SyntheticSettings` among `options` are its settings. The other options are `EmulatorServer`'s.
        """
        ...


class MakeClient(Protocol):
    """What the fixture `google_ads_client` is."""

    def __call__(self, emulator: EmulatorServer | None = None, version: str | None = None) -> Any:
        """Return an official `GoogleAdsClient` of an emulator; without one, of a new one that serves the defaults.

        `version` is an API version such as `v26`; the client's newest unless given.
        """
        ...


@pytest.fixture
def google_ads_emulator() -> Iterator[StartEmulator]:
    """Start local Google Ads APIs that end with the test; see `StartEmulator`."""
    with ExitStack() as running:

        def start(agency: Agency | Path | str | None = None, **options: Any) -> EmulatorServer:
            from gads_emulator.client_configuration import trust_process_authority
            from gads_emulator.server import EmulatorServer

            trust_process_authority()
            return running.enter_context(EmulatorServer(_agency(agency, options), **options))

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


def _agency(given: Agency | Path | str | None, options: dict[str, Any]) -> Agency:
    """Make what is served, and take its settings out of the options."""
    from dataclasses import fields
    from pathlib import Path

    from gads_emulator.recorded_agency import RecordedAgency
    from gads_emulator.synthetic.accounts import SyntheticSettings
    from gads_emulator.synthetic.agency import SyntheticAgency

    if given is None:
        names = {field.name for field in fields(SyntheticSettings)}
        return SyntheticAgency(
            SyntheticSettings(**{name: options.pop(name) for name in list(options) if name in names})
        )
    return RecordedAgency(Path(given)) if isinstance(given, str | Path) else given
