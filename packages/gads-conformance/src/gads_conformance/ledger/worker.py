"""One process of a race: `python -m gads_conformance.ledger.worker TASK URL BASE NUMBER [COUNT]`.

It writes `ready`, waits for a line, does its task and writes what it saw, one JSON value a line.
"""

import json
import select
import sys
from pathlib import Path

from gads_conformance.ledger.samples import change_of, confirmation_of, key_of, moment, result_of
from gads_conformance.worker_process import emit
from gads_domain.adapters import ledger_adapter
from gads_domain.quota import CallScope, Spending
from gads_domain.state import ValidationOutcome

_RIVAL_KEYS = 5
_POLL_SECONDS = 0.002


def _wait_for_start() -> None:
    emit("ready")
    sys.stdin.readline()


def create(url: str, base: Path, *_: int) -> None:
    """Open a ledger that does not exist; emit its id."""
    adapter = ledger_adapter(url)
    _wait_for_start()
    with adapter.open_for_validator(url, base) as ledger:
        emit(ledger.ledger_id())


def compete(url: str, base: Path, number: int, count: int) -> None:
    """Record `count` runs of the same few keys as the rivals do; emit each key and version that was won."""
    keys = [key_of(1, day) for day in range(_RIVAL_KEYS)]
    with ledger_adapter(url).open_for_validator(url, base) as ledger:
        _wait_for_start()
        for turn in range(count):
            outcome = list(ValidationOutcome)[(turn + number) % 3]
            changes = [
                change_of(ledger.history(key), result_of(key, turn + 1, outcome, entropy=number + 1)) for key in keys
            ]
            for change, won in zip(changes, ledger.record(changes), strict=True):
                if won:
                    emit([str(change.after.key), change.after.version])


def confirm(url: str, base: Path, number: int, count: int) -> None:
    """Confirm the authoritative run of one key, and restate it, in turns; emit how many writes were won."""
    key, won = key_of(1), 0
    with ledger_adapter(url).open_for_validator(url, base) as ledger:
        _wait_for_start()
        for turn in range(count):
            history, later = ledger.history(key), 1 + 10 * turn + number
            if (turn + number) % 2 or history.state.current_run_id is None:
                won += ledger.record([change_of(history, result_of(key, later, entropy=number + 1))]) == [True]
            else:
                won += ledger.confirm([confirmation_of(history, later)]) == [True]
        emit(won)


def write(url: str, base: Path, number: int, count: int) -> None:
    """Change authority `count` times, in a key of its own."""
    key = key_of(100 + number)
    with ledger_adapter(url).open_for_validator(url, base) as ledger:
        _wait_for_start()
        for turn in range(count):
            assert ledger.record([change_of(ledger.history(key), result_of(key, turn + 1))]) == [True]


def follow(url: str, base: Path, *_: int) -> None:
    """Read authority changes by cursor, up to the sequence number that comes on stdin; emit each sequence number."""
    with ledger_adapter(url).open_reader(url, base) as ledger:
        _wait_for_start()
        cursor, last = 0, None
        while last is None or cursor < last:
            if last is None and select.select([sys.stdin], [], [], _POLL_SECONDS)[0]:
                last = json.loads(sys.stdin.readline())
            for entry in ledger.authority_changes(after=cursor, limit=7):
                emit(entry.sequence)
                cursor = entry.sequence


def batches(url: str, base: Path, number: int, count: int) -> None:
    """Record batches of `count` days for ever; emit the account of each, negative before and positive after."""
    with ledger_adapter(url).open_for_validator(url, base) as ledger:
        _wait_for_start()
        account = number
        while True:
            keys = [key_of(account, day) for day in range(count)]
            changes = [change_of(ledger.history(key), result_of(key, 1)) for key in keys]
            emit(-account)
            assert all(ledger.record(changes))
            emit(account)
            account += 1


def spend(url: str, base: Path, _number: int, count: int) -> None:
    """Spend single operations of a budget of `count` for as long as they are granted; emit how many there were."""
    with ledger_adapter(url).open_for_control_plane(url, base) as ledger:
        _wait_for_start()
        granted = 0
        while ledger.spend(CallScope("race"), 1, count, None, moment(granted)) is Spending.GRANTED:
            granted += 1
        emit(granted)


if __name__ == "__main__":
    _tasks = {task.__name__: task for task in (create, compete, confirm, write, follow, batches, spend)}
    _, _task, _url, _base, _number, _count = sys.argv
    _tasks[_task](_url, Path(_base), int(_number), int(_count))
