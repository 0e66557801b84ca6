"""Cursors distinguish logs and positions, and other text is not a cursor."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from gads_conformance.ledger.samples import key_of, record_one, result_of, run_of
from gads_consumer.cursor import Cursor, confirmed, cursor_at, is_cursor
from gads_consumer.errors import PastUnknownError
from gads_domain.adapters import ledger_adapter
from gads_domain.errors import InvalidValueError
from gads_domain.ports.ledger import ValidatorLedger
from gads_domain.state import PartitionStatus


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[ValidatorLedger]:
    """Three authority changes."""
    url = "sqlite:ledger.db"
    with ledger_adapter(url).open_for_validator(url, tmp_path) as opened:
        for number in range(1, 4):
            record_one(opened, result_of(key_of(day=number), number))
        yield opened


def _name(ledger: ValidatorLedger) -> str:
    found = ledger.ledger_id()
    assert found is not None
    return found


def test_a_cursor_is_read_as_it_was_written(ledger: ValidatorLedger) -> None:
    name = _name(ledger)
    for position in range(4):
        cursor = cursor_at(ledger, name, position)
        assert cursor.position == position
        assert Cursor.parse(str(cursor)) == cursor
        assert is_cursor(str(cursor))
        assert confirmed(ledger, name, str(cursor)) == cursor


@pytest.mark.parametrize("position", [-1, 4, 2**63 - 1, 2**63, 10**40])
def test_a_position_that_the_log_does_not_have_is_unknown(ledger: ValidatorLedger, position: int) -> None:
    with pytest.raises(PastUnknownError, match="it ends at 3"):
        cursor_at(ledger, _name(ledger), position)


def test_every_value_of_an_authority_change_is_under_the_check(ledger: ValidatorLedger) -> None:
    name = _name(ledger)
    entry = ledger.authority_changes()[1]
    others = [
        replace(entry, key=key_of(customer=2)),
        replace(entry, to_run=run_of(9)),
        replace(entry, from_run=run_of(9)),
        replace(entry, status_before=PartitionStatus.FAILED),
        replace(entry, at=entry.at + timedelta(microseconds=1)),
    ]
    checks = {Cursor.after(name, one).check for one in (entry, *others)}
    assert len(checks) == len(others) + 1


def test_a_cursor_of_another_log_is_not_confirmed(ledger: ValidatorLedger) -> None:
    cursor = cursor_at(ledger, _name(ledger), 2)
    for other in (replace(cursor, check="0" * 12), replace(cursor, position=1), replace(cursor, position=9)):
        with pytest.raises(PastUnknownError):
            confirmed(ledger, cursor.ledger_id, str(other))
    with pytest.raises(PastUnknownError, match="is of the ledger elsewhere"):
        confirmed(ledger, cursor.ledger_id, str(replace(cursor, ledger_id="elsewhere")))


@pytest.mark.parametrize(
    "text", ["", "3", "v1:3", "v1:03:000000000000:a", "v1:-1:000000000000:a", "v2:3:000000000000:a"]
)
def test_other_text_is_not_a_cursor(text: str) -> None:
    assert not is_cursor(text)
    with pytest.raises(InvalidValueError) as caught:
        Cursor.parse(text)
    assert caught.value.hint
