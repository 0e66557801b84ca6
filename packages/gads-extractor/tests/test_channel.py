"""Calls are those of the official client: its metadata, its answers, its failures and its log."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from google.ads.googleads import client as official
from google.ads.googleads.errors import GoogleAdsException

from gads_emulator import ApiFailureError, Call, EmulatorServer, Selection
from gads_extractor import channel
from gads_extractor.connection import GoogleAdsConnection
from gads_extractor.errors import CallFailedError

QUERY = "SELECT customer.id, campaign.id, campaign.name FROM campaign ORDER BY campaign.id"
MORE = {
    "as it is": "",
    "with all headers": "developer_token: a-token\nlinked_customer_id: 1234567890\nads_assistant: '1.2'\n",
}


@pytest.fixture(params=list(MORE.values()), ids=list(MORE))
def pair(
    configuration: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[tuple[GoogleAdsConnection, Any]]:
    """Our connection and the official client's service, from one file."""
    path = tmp_path / "google-ads.yaml"
    path.write_text(configuration.read_text() + request.param)
    theirs = official.GoogleAdsClient.load_from_storage(str(path), version="v26")
    with GoogleAdsConnection.open(path, "v26") as ours:
        yield ours, theirs.get_service("GoogleAdsService")


def metadata_of(stage: Any, call: Callable[[], object]) -> dict[str, str]:
    """What the API is sent, but for the access token, which each fetches for itself."""
    stage.calls.clear()
    call()
    (made,) = stage.calls
    return {name: value for name, value in made.metadata.items() if name != "authorization"}


def test_metadata_and_rows_are_the_same(
    pair: tuple[GoogleAdsConnection, Any], stage: Any, emulator: EmulatorServer
) -> None:
    ours, theirs = pair
    account = list(emulator.agency.accounts)[-1]
    answers: list[Any] = []
    pages: list[bytes] = []
    by_theirs = metadata_of(stage, lambda: answers.extend(theirs.search_stream(customer_id=account, query=QUERY)))
    by_ours = metadata_of(stage, lambda: pages.extend(ours.search_stream(account, QUERY)))
    assert by_ours == by_theirs
    assert by_ours["x-goog-api-client"].count("gccl/") == 1
    rows = [row for answer in answers for row in answer.results]
    assert rows
    read = [row for page in pages for row in type(answers[0]).deserialize(page).results]
    assert read == rows
    by_theirs = metadata_of(
        stage, lambda: theirs.search(request={"customer_id": account, "query": QUERY, "validate_only": True})
    )
    assert metadata_of(stage, lambda: ours.validate(account, QUERY)) == by_theirs


def test_failures_and_the_log_are_the_same(
    pair: tuple[GoogleAdsConnection, Any], stage: Any, emulator: EmulatorServer, caplog: pytest.LogCaptureFixture
) -> None:
    ours, theirs = pair
    account = list(emulator.agency.accounts)[-1]

    def refuse(call: Call, real: Selection) -> Iterator[bytes]:
        raise ApiFailureError("query_error", "UNRECOGNIZED_FIELD", "no such field")

    stage.script = refuse
    caplog.set_level(logging.DEBUG, logger="google.ads.googleads.client")
    with pytest.raises(GoogleAdsException) as their_error:
        list(theirs.search_stream(customer_id=account, query=QUERY))
    their_log = [record.levelname for record in caplog.records if "google.ads" in record.name]
    caplog.clear()
    with pytest.raises(CallFailedError, match=r"QUERY_ERROR\.UNRECOGNIZED_FIELD: no such field") as our_error:
        list(ours.search_stream(account, QUERY))
    cause = our_error.value.__cause__
    assert isinstance(cause, GoogleAdsException)
    failure = type(their_error.value.failure)
    assert failure.deserialize(cause.failure.SerializeToString()).errors == their_error.value.failure.errors
    assert cause.request_id
    ours_logged = [record for record in caplog.records if "google.ads" in record.name]
    assert [record.levelname for record in ours_logged] == their_log
    assert cause.request_id in ours_logged[-1].getMessage()
    assert "no such field" in ours_logged[-1].getMessage()


def test_the_channel_has_the_options_of_the_client() -> None:
    assert list(channel._OPTIONS) == official._GRPC_CHANNEL_OPTIONS


def test_no_generated_module_is_imported(configuration: Path, emulator: EmulatorServer) -> None:
    script = (
        "import sys; from pathlib import Path; from gads_extractor.connection import GoogleAdsConnection\n"
        "from gads_extractor.errors import CallFailedError\n"
        "with GoogleAdsConnection.open(Path(sys.argv[1]), 'v26') as connection:\n"
        "    (login,) = connection.check()\n"
        "    assert list(connection.search_stream(login, 'SELECT customer.id FROM customer'))\n"
        "    try: list(connection.search_stream(login, 'SELECT customer.nothing FROM customer'))\n"
        "    except CallFailedError as error: assert 'UNRECOGNIZED_FIELD' in str(error), error\n"
        "print(*[name for name in sys.modules if name.startswith('google.ads.googleads.v')])\n"
    )
    command = [sys.executable, "-c", script, str(configuration)]
    environment = {"GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": str(configuration.with_name("ca.pem"))}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "\n"
