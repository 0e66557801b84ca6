"""The commands that act on what a page shows, as they are typed: quoted for a shell, with the configuration."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import date
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Command:
    """A command line to copy, and what it does."""

    does: str
    line: str


@dataclass(frozen=True, slots=True)
class Commands:
    """The command lines of one configuration."""

    configuration: Path

    def line(self, *words: str, **options: object) -> str:
        """`gads-etl` with these words, its configuration, and the options that are not empty."""
        given = [*words, "--config", str(self.configuration)]
        for name, value in options.items():
            if value is not None and value != "":
                given += [f"--{name.rstrip('_').replace('_', '-')}"] + ([] if value is True else [str(value)])
        return shlex.join(["gads-etl", *given])

    def of(self, does: str, *words: str, **options: object) -> Command:
        """The same, with what it does."""
        return Command(does, self.line(*words, **options))

    def of_days(self, status: str, customer: str, report: str, since: date, until: date) -> list[Command]:
        """What can be done about days of one account and report that have this status."""
        days = {"customer": customer, "report": report, "since": since, "until": until}
        retry = self.of("Set it to pending, and have the next run try again", "state", "retry", **days, reason="…")
        run = self.of("Extract and validate it now", "run", **days)
        hold = self.of("Stop attempts until it is released", "state", "hold", **days, reason="…")
        give_up = self.of("Give it up for good", "state", "mark-terminal", **days, reason="…")
        accept = self.of("Take the run that lost rows", "state", "accept", **days, reason="…")
        again = self.of("Extract it again", "run", **days, reprocess=True)
        return {
            "failed": [self.of("Try it again now", "run", **days, retry_failed=True), retry, give_up],
            "pending": [run, hold],
            "held": [accept, self.of("Lift an operator's hold", "state", "release", **days)],
            "authoritative": [again],
            "restated": [again],
            "unchanged": [again],
        }.get(status, [self.of("Say what is planned", "plan", **days)])
