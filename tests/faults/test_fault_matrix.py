"""The fault matrix: the whole job against an API that misbehaves.

In each row: the rows of the others are complete and `success`, the account-days that are hit are on the ledger with the
reason, the exit code says so, and once the fault is gone a run with a retry gives the same rows as a run that never met
it, none doubled.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from gads_domain.clock import SystemClock
from gads_domain.errors import CredentialsError
from gads_domain.metadata_codec import decode_metadata
from gads_domain.partition_key import PartitionKey
from gads_domain.state import PartitionState, PartitionStatus, StateFilter
from gads_emulator import (
    CA_NAME,
    EmulatorServer,
    FaultPlan,
    FaultRule,
    SyntheticAgency,
    SyntheticSettings,
    trust_process_authority,
)
from gads_emulator.fault_plan import TOKEN
from gads_etl.outcome_report import print_outcome
from gads_extractor.call_retry import RetryPolicy
from gads_extractor.report_source import GoogleAdsReportSource
from gads_orchestrator.execution import Control
from gads_orchestrator.outcome import PartitionOutcome
from gads_payload.reader import open_payload
from gads_pipeline import Pipeline
from gads_pipeline.composition import open_ledger_reader, open_sink_reader
from gads_pipeline.configuration import Configuration
from gads_pipeline.outcome import Outcome
from gads_pipeline.work_request import RunOptions
from gads_terminal.output import Format
from gads_terminal.table_options import TableOptions
from gads_testing.worker_in_process import OpenedInThisProcess

FIRST, LAST = date(2024, 3, 1), date(2024, 3, 3)
DAYS = 3
OPTIONS = RunOptions(FIRST, LAST)
AGAIN = RunOptions(FIRST, LAST, retry_failed=True)
REPORTS = """
[[reports]]
name = "campaign"
query = '''
SELECT customer.id, campaign.id, segments.date, segments.device,
  metrics.impressions, metrics.clicks, metrics.cost_micros
FROM campaign
'''
[[reports]]
name = "account"
query = "SELECT customer.id, segments.date, metrics.impressions, metrics.clicks, metrics.cost_micros FROM customer"
"""
ATTEMPTS = 3
PARTS = 4
"""Of a slice of three days: a day, two days, and these alone."""
HIT = "HIT"
"""Stands in a rule for the account that is hit."""

Rows = dict[PartitionKey, list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def server() -> Iterator[EmulatorServer]:
    trust_process_authority()
    settings = SyntheticSettings(seed=5, accounts=3, campaigns=3, disabled_accounts=1, keeps_everything=True)
    with EmulatorServer(SyntheticAgency(settings)) as running:
        yield running


@pytest.fixture(scope="module")
def client(server: EmulatorServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return server.write_client_configuration(tmp_path_factory.mktemp("client"))


@pytest.fixture(autouse=True)
def _faultless(server: EmulatorServer) -> Iterator[None]:
    server.faults.clear()
    yield
    server.faults.clear()


@dataclass(frozen=True)
class Result:
    """What a run came to, with every partition."""

    outcome: Outcome
    found: dict[PartitionKey, PartitionOutcome]

    @property
    def exit_code(self) -> int:
        return int(print_outcome(self.outcome, TableOptions(format_=Format.JSON)))

    @property
    def states(self) -> dict[PartitionKey, PartitionState]:
        return {key: found.state for key, found in self.found.items()}

    @property
    def failures(self) -> dict[PartitionKey, str]:
        return {key: found.reason for key, found in self.found.items() if found.reason is not None}


@dataclass
class MovedClock:
    """The system's clock, later by `seconds`."""

    seconds: float = 0

    def now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.seconds)

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


@dataclass
class Job:
    """`gads-etl run` in process: the real sink, ledger, validator, client and wire; only sleep is remembered.

    Where a run waits for the end of a rest, its clock goes on by as much.
    """

    configuration: Configuration
    naps: list[float]
    clock: MovedClock

    def run(self, options: RunOptions = OPTIONS) -> Result:
        outcome = Pipeline.open(self.configuration).run(options)
        return Result(outcome, {found.state.key: found for found in (*outcome.partitions(), *outcome.skipped())})

    def authoritative_rows(self) -> Rows:
        """The rows of every authoritative partition, sorted."""
        found: Rows = {}
        sink = open_sink_reader(self.configuration)
        with open_ledger_reader(self.configuration) as ledger:
            for state in ledger.find(StateFilter()):
                if state.current_run_id is None:
                    continue
                name = decode_metadata(sink.metadata_bytes(state.key, state.current_run_id)).payload_name
                with open_payload(sink.open_payload(state.key, state.current_run_id, name)) as payload:
                    found[state.key] = sorted(tuple(row.values()) for row in payload.read().to_pylist())
        return found


def job_at(folder: Path, client: Path, customers: list[str], monkeypatch: pytest.MonkeyPatch, silence: float) -> Job:
    path = folder / "gads.toml"
    path.write_text(
        "[google_ads]\n"
        f"configuration = {json.dumps(str(client))}\n"
        f"ca_certificate = {json.dumps(str(client.with_name(CA_NAME)))}\n"
        f"customer_ids = {json.dumps(customers)}\n"
        '[storage]\nsink = "file:raw"\nstate = "sqlite:state.db"\n' + REPORTS
    )
    naps: list[float] = []

    def patient(configuration: Configuration, access: Any) -> GoogleAdsReportSource:
        return GoogleAdsReportSource(
            access, retry=RetryPolicy(attempts=ATTEMPTS, sleep=naps.append), idle_timeout=silence
        )

    clock = MovedClock()
    monkeypatch.setattr("gads_pipeline.worker_setup.report_source", patient)
    monkeypatch.setattr(SystemClock, "now", lambda _self: clock.now())
    monkeypatch.setattr("gads_pipeline.execution.WorkerProcesses", OpenedInThisProcess)
    monkeypatch.setattr("gads_pipeline.execution.Control", partial(Control, sleep=clock.sleep))
    return Job(Configuration.load(path), naps, clock)


@pytest.fixture
def customers(server: EmulatorServer) -> list[str]:
    agency: Any = server.agency
    return list(agency.client_ids)


@pytest.fixture
def job(tmp_path: Path, client: Path, customers: list[str], monkeypatch: pytest.MonkeyPatch) -> Job:
    return job_at(tmp_path, client, customers, monkeypatch, silence=30)


@pytest.fixture(scope="module")
def expected(server: EmulatorServer, client: Path, tmp_path_factory: pytest.TempPathFactory) -> Rows:
    """What a run without a fault gives."""
    agency: Any = server.agency
    with pytest.MonkeyPatch.context() as patching:
        job = job_at(tmp_path_factory.mktemp("good"), client, list(agency.client_ids), patching, silence=30)
        result = job.run()
    assert result.exit_code == 0
    rows = job.authoritative_rows()
    assert len(rows) == 3 * 2 * DAYS
    assert sum(map(len, rows.values())) > 50
    return rows


def rule(**said: Any) -> FaultRule:
    return FaultRule(methods=("SearchStream",), **said)


@dataclass(frozen=True)
class Hits:
    """A fault that one account meets for as long as it lasts."""

    fault: dict[str, Any]
    reason: str
    asked: int = 1
    """How often each of its slices is asked for."""
    parts: int = 0
    """How many parts of each slice are asked for, once each, after that."""
    whole_account: bool = False
    """Whether the account's second slice is not asked for after the first was refused."""


DEADLINE = "DEADLINE_EXCEEDED: the stream was silent"
LASTING = {
    "account denied": Hits(
        {"error": "authorization_error.USER_PERMISSION_DENIED"}, "USER_PERMISSION_DENIED", whole_account=True
    ),
    "account disabled": Hits(
        {"error": "authorization_error.CUSTOMER_NOT_ENABLED"}, "CUSTOMER_NOT_ENABLED", whole_account=True
    ),
    "unavailable for ever": Hits({"status": "UNAVAILABLE"}, "UNAVAILABLE", ATTEMPTS),
    "cut after a row for ever": Hits({"status": "UNAVAILABLE", "after_rows": 1}, "UNAVAILABLE", ATTEMPTS, PARTS),
    "cut after a page for ever": Hits({"status": "UNAVAILABLE", "after_pages": 1}, "UNAVAILABLE", ATTEMPTS, PARTS),
    "cut mid-message for ever": Hits({"mid_message": True}, "UNAVAILABLE", ATTEMPTS),
    "silent for ever": Hits({"delay": 60.0}, DEADLINE, ATTEMPTS, PARTS),
}


@pytest.mark.parametrize("name", LASTING)
def test_a_fault_of_one_account_stays_that_account_s(
    name: str,
    server: EmulatorServer,
    tmp_path: Path,
    client: Path,
    customers: list[str],
    expected: Rows,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    hits = LASTING[name]
    hit = customers[1]
    job = job_at(tmp_path, client, customers, monkeypatch, silence=1 if "silent" in name else 30)
    server.faults.plan = FaultPlan(rules=(rule(customers=(hit,), **hits.fault),))
    result = job.run()
    asked = 1 if hits.whole_account else 2
    assert server.faults.struck() == (asked * (hits.asked + hits.parts),)
    assert len(job.naps) == asked * (hits.asked - 1)
    assert result.exit_code == 1
    assert set(result.failures) == {key for key in expected if key.customer_id == hit}
    assert all(hits.reason in reason for reason in result.failures.values())
    assert set(result.outcome.executions[0].stopped_accounts) == ({hit} if hits.whole_account else set())
    statuses = Counter(state.status for key, state in result.states.items() if key.customer_id == hit)
    assert statuses[PartitionStatus.FAILED] == asked * DAYS
    assert statuses[PartitionStatus.PENDING] == (2 - asked) * DAYS, "what was not tried is pending"
    for key, state in result.states.items():
        assert key.customer_id == hit or state.status is PartitionStatus.SUCCESS
        assert (hits.reason in (state.last_error or "")) is (state.status is PartitionStatus.FAILED)
    assert job.authoritative_rows() == {key: rows for key, rows in expected.items() if key.customer_id != hit}

    server.faults.clear()
    assert job.run(AGAIN).exit_code == 0
    assert job.authoritative_rows() == expected


PASSING: dict[str, dict[str, Any]] = {
    "unavailable once": {"status": "UNAVAILABLE"},
    "internal once": {"error": "internal_error.INTERNAL_ERROR"},
    "plain internal once": {"status": "INTERNAL"},
    "cut after a row": {"status": "UNAVAILABLE", "after_rows": 1},
    "cut after a page": {"status": "UNAVAILABLE", "after_pages": 1},
    "internal after a row": {"error": "internal_error.TRANSIENT_ERROR", "after_rows": 1},
    "cut mid-message": {"mid_message": True},
    "quota once with a delay": {"error": "quota_error.RESOURCE_TEMPORARILY_EXHAUSTED", "retry_delay": 7.0},
}


@pytest.mark.parametrize("name", PASSING)
@pytest.mark.parametrize("each", [False, True], ids=["one call", "first call of each account"])
def test_a_fault_that_passes_leaves_no_trace_in_the_rows(
    name: str, each: bool, server: EmulatorServer, job: Job, expected: Rows
) -> None:
    server.faults.plan = FaultPlan(rules=(rule(first=1, each_customer=each, **PASSING[name]),))
    result = job.run()
    times = 3 if each else 1
    assert server.faults.struck() == (times,)
    if "delay" in name:
        assert job.naps == []
        assert 6 * times < job.clock.seconds <= 7 * times, "the API's own delay is kept"
    else:
        assert (len(job.naps), job.clock.seconds) == (times, 0)
    assert (result.exit_code, result.failures) == (0, {})
    assert {state.attempt_count for state in result.states.values()} == {1}
    assert job.authoritative_rows() == expected


def test_a_slow_account_is_waited_for(server: EmulatorServer, job: Job, customers: list[str], expected: Rows) -> None:
    server.faults.plan = FaultPlan(rules=(rule(customers=(customers[0],), delay=0.5, drip_rows=2, drip_delay=0.01),))
    result = job.run()
    assert server.faults.struck() == (2,)
    assert (result.exit_code, job.naps) == (0, [])
    assert job.authoritative_rows() == expected


@dataclass(frozen=True)
class OfEverybody:
    """A fault that every call meets from some moment on; `said` of what it hit, `hint` of the run."""

    fault: dict[str, Any]
    code: int
    said: str
    hint: str = ""


OF_EVERYBODY = {
    "quota for the day": OfEverybody(
        {"error": "quota_error.RESOURCE_EXHAUSTED"},
        75,
        "the API does not say for how long: no request is sent until 20",
        "go on after 20",
    ),
    "quota for hours": OfEverybody(
        {"error": "quota_error.RESOURCE_TEMPORARILY_EXHAUSTED", "retry_delay": 40591.0},
        75,
        "the API asks to wait 40591 s: no request is sent until 20",
        "go on after 20",
    ),
    "token refused": OfEverybody(
        {"error": "authentication_error.OAUTH_TOKEN_REVOKED"}, 4, "OAUTH_TOKEN_REVOKED", "refresh_token"
    ),
    "Cloud project refused": OfEverybody(
        {"error": "authorization_error.CLOUD_PROJECT_NOT_APPROVED_FOR_PRODUCTION"},
        4,
        "CLOUD_PROJECT_NOT_APPROVED_FOR_PRODUCTION",
        "apply for Explorer, Basic or Standard access",
    ),
    "version sunset": OfEverybody({"error": "request_error.UNSUPPORTED_VERSION"}, 1, "UNSUPPORTED_VERSION"),
}


@pytest.mark.parametrize("name", OF_EVERYBODY)
def test_a_fault_of_everybody_keeps_what_was_done_before_it(
    name: str, server: EmulatorServer, job: Job, expected: Rows
) -> None:
    meant = OF_EVERYBODY[name]
    server.faults.plan = FaultPlan(rules=(rule(calls=tuple(range(3, 100)), **meant.fault),))
    result = job.run()
    assert result.exit_code == meant.code
    assert not job.naps, "asking again would be of no use"
    good = {key for key, state in result.states.items() if state.status is PartitionStatus.SUCCESS}
    assert len(good) == 2 * DAYS, "two slices"
    assert set(result.failures) == set(expected) - good
    assert all(meant.said in reason for reason in result.failures.values())
    assert all(reason.startswith("pending: not asked for") for reason in result.failures.values())
    assert {result.states[key].status for key in result.failures} == {PartitionStatus.PENDING}
    assert job.authoritative_rows() == {key: rows for key, rows in expected.items() if key in good}
    assert result.outcome.stopped_by is not None
    assert meant.hint in result.outcome.stopped_by.hint
    assert server.faults.struck() == (1,), "nothing more is requested"

    server.faults.clear()
    if "quota" in name:
        assert job.run(AGAIN).outcome.operations == 0, "the rest holds after a restart"
        job.clock.sleep(40_592)
    assert job.run(AGAIN).exit_code == 0
    assert job.authoritative_rows() == expected


AT_THE_START = {
    "refresh token refused at the start": ("invalid_grant", "refresh_token"),
    "client refused at the start": ("invalid_client", "client_id and client_secret"),
}


@pytest.mark.parametrize("name", AT_THE_START)
def test_a_token_that_is_refused_at_the_start_leaves_nothing(
    name: str, server: EmulatorServer, job: Job, expected: Rows
) -> None:
    oauth_error, blamed = AT_THE_START[name]
    server.faults.plan = FaultPlan(rules=(FaultRule(methods=(TOKEN,), oauth_error=oauth_error),))
    with pytest.raises(CredentialsError, match=oauth_error) as caught:
        job.run()
    assert blamed in caught.value.hint
    assert job.authoritative_rows() == {}
    server.faults.clear()
    assert job.run().exit_code == 0
    assert job.authoritative_rows() == expected


def test_an_account_that_the_list_calls_cancelled_is_on_record_without_being_asked(
    server: EmulatorServer, tmp_path: Path, client: Path, monkeypatch: pytest.MonkeyPatch, expected: Rows
) -> None:
    (gone,) = (a.customer_id for a in server.agency.accounts.values() if a.status == "CANCELED")
    job = job_at(tmp_path, client, [], monkeypatch, silence=30)
    server.faults.plan = FaultPlan(rules=(rule(customers=(gone,), status="INTERNAL"),))
    result = job.run()
    assert server.faults.struck() == (0,), "nothing was asked of it"
    assert result.exit_code == 1
    assert len(result.failures) == 2 * DAYS
    assert {key.customer_id for key in result.failures} == {gone}
    assert all("CUSTOMER_NOT_ENABLED" in reason and "CANCELED" in reason for reason in result.failures.values())
    assert job.authoritative_rows() == expected


def test_the_guide_has_a_row_for_each_fault() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "faults.md").read_text("utf-8")
    rows = [line.split("|")[1].strip() for line in guide.splitlines() if line.startswith("|")]
    named = [name for name in rows if name != "fault" and set(name) != {"-"}]
    alone = ["account cancelled in the list", "slow account"]
    assert sorted(named) == sorted([*LASTING, *PASSING, *OF_EVERYBODY, *AT_THE_START, *alone])


def test_all_of_it_at_once(
    server: EmulatorServer, job: Job, customers: list[str], expected: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of the passing faults on some call, at random, until nothing is left to fail."""
    rules = tuple(rule(probability=0.12, **fault) for fault in PASSING.values())
    server.faults.plan = FaultPlan(rules=rules, seed=11)
    results: list[Callable[[], Any]] = [job.run, *[lambda: job.run(AGAIN)] * 5]
    for start in results:
        if start().exit_code == 0:
            break
    assert sum(server.faults.struck()) > 3
    assert job.authoritative_rows() == expected
