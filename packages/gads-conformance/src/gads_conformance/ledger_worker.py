"""One process of a race: `python -m gads_conformance.ledger_worker JSON`.

It says `ready`, waits for a line, does its task and writes what it saw to stdout, one JSON value a line.
"""

from __future__ import annotations

import json
import select
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gads_conformance.ledger_samples import change_of, judged, key_of
from gads_domain.adapters import ledger_adapter
from gads_domain.state import ValidationOutcome

_RIVAL_KEYS = 5
_POLL_SECONDS = 0.002


def main(argument: str) -> None:
    """Do the task that `argument` describes."""
    options = json.loads(argument)
    _TASKS[options["task"]](options)


def _create(options: dict[str, Any]) -> None:
    """Open a ledger that nobody has made and say what it is called."""
    adapter = ledger_adapter(options["url"])
    _wait_for_start()
    with adapter.open_for_validator(options["url"], Path(options["base"])) as ledger:
        _tell(ledger.ledger_id())


def _compete(options: dict[str, Any]) -> None:
    """Judge one run after another of the same few keys, against everybody else; say which versions were won."""
    keys = [key_of(1, day) for day in range(_RIVAL_KEYS)]
    with ledger_adapter(options["url"]).open_for_validator(options["url"], Path(options["base"])) as ledger:
        _wait_for_start()
        for number in range(options["rounds"]):
            outcome = list(ValidationOutcome)[(number + options["worker"]) % 3]
            changes = [
                change_of(ledger.history(key), judged(key, number + 1, outcome, entropy=options["worker"] + 1))
                for key in keys
            ]
            for change, won in zip(changes, ledger.record(changes), strict=True):
                if won:
                    _tell([str(change.after.key), change.after.version])


def _write(options: dict[str, Any]) -> None:
    """Make one move of authority after another in keys of its own."""
    key = key_of(100 + options["worker"])
    with ledger_adapter(options["url"]).open_for_validator(options["url"], Path(options["base"])) as ledger:
        _wait_for_start()
        for number in range(options["rounds"]):
            assert ledger.record([change_of(ledger.history(key), judged(key, number + 1))]) == [True]


def _follow(options: dict[str, Any]) -> None:
    """Read the log by cursor until the number said on stdin is reached; say every number seen."""
    with ledger_adapter(options["url"]).open_reader(options["url"], Path(options["base"])) as ledger:
        _wait_for_start()
        cursor, last = 0, None
        while last is None or cursor < last:
            if last is None and select.select([sys.stdin], [], [], _POLL_SECONDS)[0]:
                last = int(sys.stdin.readline())
            for entry in ledger.authority_changes(after=cursor, limit=7):
                _tell(entry.sequence)
                cursor = entry.sequence


def _batches(options: dict[str, Any]) -> None:
    """Record batch after batch, an account each; say the account's number, negative before the call, and after it."""
    with ledger_adapter(options["url"]).open_for_validator(options["url"], Path(options["base"])) as ledger:
        _wait_for_start()
        account = options["first"]
        while True:
            keys = [key_of(account, day) for day in range(options["size"])]
            changes = [change_of(ledger.history(key), judged(key, 1)) for key in keys]
            _tell(-account)
            assert all(ledger.record(changes))
            _tell(account)
            account += 1


def _wait_for_start() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()


def _tell(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")
    sys.stdout.flush()


_TASKS: dict[str, Callable[[dict[str, Any]], None]] = {
    "create": _create,
    "compete": _compete,
    "write": _write,
    "follow": _follow,
    "batches": _batches,
}

if __name__ == "__main__":
    main(sys.argv[1])
