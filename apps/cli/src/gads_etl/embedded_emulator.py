"""A local API for the length of one command, for `[google_ads.emulator]` and the demo."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gads_emulator import SyntheticSettings
    from gads_etl.configuration import EmulatorSection


def synthetic_settings(given: Mapping[str, Any]) -> SyntheticSettings:
    """The settings of a synthetic agency, with the emulator's own defaults for what is not given."""
    from gads_emulator import SyntheticSettings

    return SyntheticSettings(**given)


def settings_of(section: EmulatorSection) -> SyntheticSettings:
    """The settings that the configuration asks for."""
    days: dict[str, date] = {}
    if section.since is not None:
        days["first"] = section.since
    if section.until is not None:
        days["last"] = section.until
    return synthetic_settings(
        {"seed": section.seed, "accounts": section.accounts, "campaigns": section.campaigns, **days}
    )


@contextmanager
def running_emulator(settings: SyntheticSettings) -> Iterator[tuple[Path, Path]]:
    """Serve a synthetic agency; yields the paths of its `google-ads.yaml` and of its CA certificate."""
    from gads_emulator import CA_NAME, EmulatorServer, SyntheticAgency

    with (
        tempfile.TemporaryDirectory(prefix="gads-emulator-") as folder,
        EmulatorServer(SyntheticAgency(settings)) as server,
    ):
        configuration = server.write_client_configuration(Path(folder))
        yield configuration, configuration.with_name(CA_NAME)
