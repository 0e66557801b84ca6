"""Holds the code to contracts/state/v1, and the contract to the code."""

from __future__ import annotations

import itertools
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from gads_conformance.ledger.samples import act_of, change_of, key_of, result_of
from gads_domain.adapters import ledger_adapter
from gads_domain.state import AuthorityChange, KeyHistory, PartitionState, PartitionStatus, ValidationOutcome
from gads_domain.state_machine import retry, settle
from gads_domain.state_row import ROW_FIELDS, authority_change_row, state_row

CONTRACT = Path(__file__).parents[2] / "contracts" / "state" / "v1"
KINDS = ("state-row", "log-entry")
EXAMPLES = sorted((CONTRACT / "examples").glob("*/*/*.json"))


SCHEMAS: dict[str, Any] = {kind: json.loads((CONTRACT / f"{kind}.schema.json").read_bytes()) for kind in KINDS}
VALIDATORS = {kind: Draft202012Validator(schema) for kind, schema in SCHEMAS.items()}


def faults(kind: str, document: object) -> list[str]:
    """The document passes through JSON, as it does on its way to a reader."""
    return [error.message for error in VALIDATORS[kind].iter_errors(json.loads(json.dumps(document)))]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: f"{path.parts[-3]}/{path.parts[-2]}/{path.stem}")
def test_an_example_is_what_its_folder_says(path: Path) -> None:
    kind, validation = path.parts[-3], path.parts[-2]
    found = faults(kind, json.loads(path.read_bytes()))
    assert (found == []) == (validation == "valid"), found


def test_there_are_examples_of_each_kind() -> None:
    for kind, validation, least in itertools.product(KINDS, ("valid", "invalid"), (6,)):
        assert len(list((CONTRACT / "examples" / kind / validation).glob("*.json"))) >= least


def test_the_laws_are_numbered_without_a_gap() -> None:
    text = (CONTRACT / "README.md").read_text(encoding="utf-8")
    numbers = [int(number) for number in re.findall(r"^(\d+)\. ", text, re.MULTILINE)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_row_has_the_members_that_the_schema_requires_in_the_order_that_is_printed() -> None:
    schema = SCHEMAS["state-row"]
    later = ["held_run_id", "confirmed_run_id", "confirmed_at"]
    assert list(ROW_FIELDS) == list(schema["properties"]) == [*schema["required"], *later]
    assert list(state_row(PartitionState(key_of()))) == list(ROW_FIELDS)


def test_the_statuses_are_those_of_the_code() -> None:
    for schema in SCHEMAS.values():
        Draft202012Validator.check_schema(schema)
        assert schema["$defs"]["status"]["enum"] == list(PartitionStatus)


attempts = st.lists(
    st.tuples(st.integers(1, 5), st.sampled_from(ValidationOutcome), st.sampled_from(["", "a", "ab"]), st.booleans()),
    max_size=8,
)


@settings(max_examples=60, deadline=None)
@given(attempts)
def test_every_state_that_the_state_machine_reaches_fits_the_schema(
    story: list[tuple[int, ValidationOutcome, str, bool]],
) -> None:
    history = KeyHistory(PartitionState(key_of()))
    assert faults("state-row", state_row(history.state)) == []
    for run, outcome, rows, orders in story:
        key = history.state.key
        attempt = result_of(key, run, outcome, rows=rows or "none", count=len(rows), vanished_rows=0.5)
        after = settle(history, attempt, attempt.validated_at)
        if after is not history.state:
            history = KeyHistory(after, (*history.results, attempt))
        assert faults("state-row", state_row(history.state)) == []
        if orders and history.state.status is PartitionStatus.FAILED:
            history = KeyHistory(retry(history.state, attempt.validated_at), history.results)
            assert faults("state-row", state_row(history.state)) == []
        if orders and history.state.current_run_id is not None:
            revoked = KeyHistory(history.state, history.results, frozenset({history.state.current_run_id}))
            assert faults("state-row", state_row(settle(revoked, None, attempt.validated_at))) == []


def test_a_ledgers_log_fits_the_schema_and_is_a_chain(tmp_path: Path) -> None:
    url, key = "sqlite:ledger.db", key_of()
    adapter = ledger_adapter(url)
    story = [
        (1, ValidationOutcome.UNSEALED, "a"),
        (2, ValidationOutcome.REJECTED, "a"),
        (3, ValidationOutcome.PASSED, "a"),
        (4, ValidationOutcome.PASSED, "a"),
        (5, ValidationOutcome.PASSED, "b"),
        (5, ValidationOutcome.REJECTED, "b"),
    ]
    with (
        adapter.open_for_validator(url, tmp_path) as ledger,
        adapter.open_for_control_plane(url, tmp_path) as control_plane,
    ):
        for run, outcome, rows in story:
            attempt = result_of(key, run, outcome, rows=rows)
            assert ledger.record([change_of(ledger.history(key), attempt)]) == [True]
            control_plane.retry([key], act_of(run))
        log, state = ledger.authority_changes(), ledger.get(key)
    status, run_id = PartitionStatus.PENDING, None
    for entry in log:
        assert faults("log-entry", authority_change_row(entry)) == []
        assert (entry.status_before, entry.from_run) == (status, run_id)
        status, run_id = entry.status_after, entry.to_run
    assert (state.status, state.current_run_id) == (status, run_id)
    assert [entry.cause for entry in log] == ["validate", "retry", "validate", "retry", *["validate"] * 3]


def test_times_are_printed_in_utc() -> None:
    here = datetime(2024, 6, 2, 6, 7, tzinfo=UTC).astimezone()
    state = settle(KeyHistory(PartitionState(key_of())), result_of(key_of(), 1), here + timedelta(microseconds=1))
    assert state_row(state)["updated_at"] == "2024-06-02T06:07:00.000001Z"


def test_a_log_entry_is_printed_whole() -> None:
    printed = set(VALIDATORS["log-entry"].schema["required"])  # type: ignore[index]
    key_members = {"source", "customer_id", "report", "logical_date"}
    assert printed - key_members == set(AuthorityChange.__slots__) - {"key"}
