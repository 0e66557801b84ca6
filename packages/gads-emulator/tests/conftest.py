from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from gads_emulator import EmulatorServer, RecordedAgency, SyntheticAgency, SyntheticSettings, trust_process_authority

Write = Callable[[str, list[dict[str, Any]]], Path]


@pytest.fixture(scope="session")
def settings() -> SyntheticSettings:
    return SyntheticSettings(
        seed=7,
        accounts=4,
        campaigns=6,
        first=date(2024, 1, 1),
        last=date(2024, 6, 30),
        disabled_accounts=1,
        keeps_everything=True,
    )


@pytest.fixture(scope="session")
def agency(settings: SyntheticSettings) -> SyntheticAgency:
    return SyntheticAgency(settings)


@pytest.fixture(scope="session")
def emulator(agency: SyntheticAgency) -> Iterator[EmulatorServer]:
    trust_process_authority()
    with EmulatorServer(agency) as server:
        yield server


@pytest.fixture(scope="session")
def client(emulator: EmulatorServer, tmp_path_factory: pytest.TempPathFactory) -> Any:
    from google.ads.googleads.client import GoogleAdsClient

    configuration = emulator.write_client_configuration(tmp_path_factory.mktemp("client"))
    return GoogleAdsClient.load_from_storage(str(configuration), version="v26")


@pytest.fixture(scope="session")
def service(client: Any) -> Any:
    return client.get_service("GoogleAdsService")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "rows"
    made.mkdir()
    return made


@pytest.fixture
def write(folder: Path) -> Write:
    """Write rows as `<resource>.jsonl` into `folder`."""

    def writer(resource: str, rows: list[dict[str, Any]]) -> Path:
        path = folder / f"{resource}.jsonl"
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), "utf-8")
        return path

    return writer


Ask = Callable[..., list[Any]]


@pytest.fixture
def ask(folder: Path) -> Ask:
    """Answer a query from `folder` through the API's core, as full `GoogleAdsRow` messages."""
    from gads_emulator import Call
    from gads_emulator.api import Api
    from gads_emulator.api_versions import load_version

    def asker(query: str, customer_id: str = "1234567890", version_name: str = "v26") -> list[Any]:
        version = load_version(version_name)
        request = version.stream_request(customer_id=customer_id, query=query)
        call = Call(version, "SearchStream", request, {})
        pages = Api(RecordedAgency(folder)).answer(call)
        return [row for page in pages for row in version.stream_response.FromString(page).results]

    return asker
