"""Inputs of chance from every side: each is accepted, or refused by an error that has words; none is a bug or a hang.

Pages of the API, answers of the token server, seals and payloads in the sink, configurations and arguments.
"""

from __future__ import annotations

import contextlib
import io
import json
import random
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from google.auth import exceptions as auth_errors

from gads_domain.errors import GadsError
from gads_domain.layout import METADATA_NAME
from gads_domain.metadata import ColumnSpec, TableSchema
from gads_domain.state import PartitionStatus
from gads_etl.main import run
from gads_extractor.page_decoder import PageDecoder
from gads_extractor.token_request import BoundedRequest
from gads_gaql.descriptors import message_class
from gads_testing.local_deployment import SINK, STATE, LocalDeployment, key_of, run_of

MOST_SECONDS = 10.0
ODD = (
    *(
        "",
        " ",
        "-1",
        "0",
        "1",
        "9" * 40,
        "1e400",
        "nan",
        "é",
        "\x1b[2J",
        "\ud800",
        "a/b/../c",
        "../../etc",
        "/dev/zero",
    ),
    *("x" * 10_000, "[" * 3_000, "{" * 3_000, "(" * 3_000, "'", '"', "%s", "*", "null", "true", "0001-01-01"),
    *("9999-12-31", "2024-02-30", "2024-06-01", "1234567890", "campaign", "google_ads/1/campaign/2024-06-01", "json"),
)
COMMANDS = (
    *("check --offline", "reports list", "reports show campaign", "reports show", "reports check", "validate"),
    *("validate --recheck", "state inspect", "state gaps", "state history google_ads/1/campaign/2024-06-01"),
    *("state history", "state retry", "state hold", "state release", "state mark-terminal", "state revoke"),
    *("state accept", "consume gaps", "consume changes", "consume preview campaign", "consume export campaign"),
    *(
        "consume pin",
        "sink prune",
        "sink sweep",
        "warehouse status",
        "warehouse query",
        "run --dry-run",
        "backfill --dry-run",
    ),
    *(
        "accounts",
        "accounts erase 2",
        "accounts readmit 2",
        "plan",
        "init --print",
        "run",
        "state leases",
        "state compact",
        "emulator serve --data",
        "emulator serve --faults",
        "",
    ),
)
OPTIONS = (
    *("--since", "--until", "--customer", "--report", "--limit", "--format", "--status", "--reason", "--run", "--all"),
    *("--columns", "--exclude", "--older-than", "--dry-run", "--workers", "--config", "--yes", "--to", "--cursor"),
    *("--api-version", "--recheck", "--position", "--since-position", "--help", "--safe-csv", "--unify"),
)
CONFIGURATION = f"""
[google_ads]
customer_ids = ["1"]
configuration = "google-ads.yaml"
[storage]
sink = "{SINK}"
state = "{STATE}"
[run]
workers = 1
[quota]
operations_per_day = 10
[retry]
max_attempts = 3
[freshness]
due_hours = 6
[warehouse]
url = "duckdb:tables.duckdb"
[[reports]]
name = "campaign"
[[reports]]
name = "own"
query = "SELECT campaign.id, segments.date, metrics.clicks FROM campaign WHERE campaign.status = 'ENABLED'"
checks = {{ min_rows = 1, not_null = ["campaign.id"] }}
[[schedules]]
cron = "0 5 * * *"
"""


def mutated(data: bytes, chance: random.Random) -> bytes:
    """`data` with a few bytes flipped, cut out, doubled or put in."""
    for _ in range(chance.choice((1, 1, 2, 4))):
        at, length = chance.randrange(len(data) + 1), chance.choice((1, 1, 4, 64))
        if chance.random() < 0.5 and at < len(data):
            data = data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]
            continue
        put = chance.choice(
            (chance.randbytes(length), data[at : at + length] * 2, b"", b"\x93\x01" * 2_000, b"[" * 2_000, b"\xff" * 9)
        )
        data = data[:at] + put + data[at + chance.choice((0, length)) :]
    return data


class Inputs:
    """One method a side; each tries one input and says what came of it."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.deployment = folder, LocalDeployment(folder)
        self.deployment.make_authoritative(key_of(), 1)
        self.deployment.seal(key_of(day=1), 2)
        self.sealed = self.deployment.folder(key_of(day=1), run_of(2))
        self.originals = {path: path.read_bytes() for path in self.sealed.iterdir()}
        schema = TableSchema((ColumnSpec("a", "campaign.id", "int64"), ColumnSpec("b", "campaign.name", "string")))
        self.decoder = PageDecoder("v26", schema)
        page = message_class("v26", "services.SearchGoogleAdsStreamResponse")()
        for number in range(20):
            row = page.results.add()
            row.campaign.id, row.campaign.name = number, f"Zürich {number}"
        self.page = page.SerializeToString()
        monkeypatch.chdir(folder)

    def arguments(self, chance: random.Random) -> str:
        words = chance.choice(COMMANDS).split()
        for _ in range(chance.randrange(4)):
            words += [chance.choice(OPTIONS)] if chance.random() < 0.7 else []
            words += [chance.choice(ODD)] if chance.random() < 0.7 else []
        (self.folder / "gads.toml").write_text(CONFIGURATION)
        return self._command(words)

    def configuration(self, chance: random.Random) -> str:
        (self.folder / "gads.toml").write_bytes(mutated(CONFIGURATION.encode(), chance))
        if chance.random() < 0.5:
            lines = CONFIGURATION.splitlines()
            at = chance.choice([number for number, line in enumerate(lines) if "=" in line])
            value = chance.choice(
                (*map(json.dumps, ODD), *ODD, "[" + "[]," * 50 + "]", "2024-01-01", "{a = 1}", "-7.5")
            )
            lines[at] = f"{lines[at].partition('=')[0]}= {value}"
            (self.folder / "gads.toml").write_text("\n".join(lines), encoding="utf-8", errors="surrogatepass")
        return self._command(
            chance.choice(("check --offline", "state inspect", "reports list", "run --dry-run")).split()
        )

    def _command(self, words: list[str]) -> str:
        out, err = io.StringIO(), io.StringIO()
        with pytest.raises(SystemExit) as ended, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            run(words)
        said = err.getvalue()
        assert ended.value.code in (0, 1, 2, 4, 74, 75), (words, ended.value.code, said[-2_000:])
        assert "Traceback" not in said, (words, said)
        return str(ended.value.code)

    def sink(self, chance: random.Random) -> str:
        """A seal or a payload that was changed is rejected, and the other partition stays as it is."""
        path = chance.choice(sorted(self.originals))
        data = self.originals[path]
        if chance.random() < 0.1:
            changed = data  # which is found to be as it was
        elif path.name == METADATA_NAME and chance.random() < 0.5:
            document = json.loads(data)
            document[chance.choice(list(document))] = chance.choice((*ODD, 10**30, -1, None, [], {}, [[]] * 9))
            changed = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
        else:
            changed = mutated(data, chance)
        path.chmod(0o644)
        path.write_bytes(changed)
        try:
            validations = self.deployment.validate(key_of(), key_of(day=1), recheck=True)
        finally:
            path.write_bytes(data)
        assert validations[0].after.status is PartitionStatus.SUCCESS
        return validations[1].after.status.value if changed != data else "unchanged"

    def page_of_the_api(self, chance: random.Random) -> str:
        try:
            self.decoder.decode(mutated(self.page, chance))
        except GadsError as error:
            return error.code
        return "decoded"

    def token_answer(self, chance: random.Random) -> str:
        answer = json.dumps(
            {
                "access_token": chance.choice(("token", None, 7, [], *ODD)),
                "expires_in": chance.choice((3600, "soon", -1, 1e300, None, 10**40, True, *ODD)),
                "token_type": "Bearer",
            }
        ).encode()
        body = mutated(answer, chance) if chance.random() < 0.7 else answer
        served = SimpleNamespace(
            status_code=chance.choice((200, 200, 400, 500, 302)), headers={}, iter_content=lambda _size: iter([body])
        )
        session: Any = SimpleNamespace(request=lambda *_a, **_o: contextlib.nullcontext(served), close=lambda: None)
        try:
            BoundedRequest(session)("https://localhost/token", "POST")
        except auth_errors.GoogleAuthError:
            return "refused"
        return "taken"


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Inputs]:
    made = Inputs(tmp_path, monkeypatch)
    yield made
    made.deployment.close()
    shutil.rmtree(tmp_path)


@pytest.mark.parametrize("times", [1, pytest.param(40, marks=[pytest.mark.campaign, pytest.mark.timeout(3600)])])
def test_no_input_is_a_bug_or_a_hang(times: int, inputs: Inputs) -> None:
    sides: dict[Callable[[random.Random], str], int] = {
        inputs.arguments: 75,
        inputs.configuration: 50,
        inputs.sink: 50,
        inputs.page_of_the_api: 50,
        inputs.token_answer: 25,
    }
    came: dict[str, Counter[str]] = {}
    for side, count in sides.items():
        found = came.setdefault(side.__name__, Counter())
        for number in range(count * times):
            began = time.monotonic()
            found[side(random.Random(f"{side.__name__} {number}"))] += 1
            assert time.monotonic() - began < MOST_SECONDS, (side.__name__, number)
    print("\n", {name: dict(found) for name, found in came.items()})
    assert all(len(found) > 1 for found in came.values()), came
