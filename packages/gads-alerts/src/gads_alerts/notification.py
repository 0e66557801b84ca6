"""What a destination is to be told now, by what is on record that it was told: a pure function of the two."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from gads_alerts.condition import Condition, Evaluation
from gads_alerts.rules import AlertRules
from gads_domain.activity import AlertState, Severity
from gads_domain.documents import plain
from gads_domain.ports.activity import CLAIM_LASTS

DIGEST = "digest"
"""The rule under which it is on record that a summary was sent; no alert."""

_BETWEEN = ": "


def subject_for(destination: str, subject: str) -> str:
    """The subject on record: each destination has its own states, since one may take what another does not."""
    return f"{destination}{_BETWEEN}{subject}"


def without_destination(state: AlertState) -> tuple[str, str]:
    """The destination and the subject of a state."""
    destination, _, subject = state.subject.partition(_BETWEEN)
    return destination, subject


def alert_row(state: AlertState) -> dict[str, Any]:
    """A state as JSON, and as a row of a table."""
    destination, subject = without_destination(state)
    delivered = "no" if state.notified_at is None else "yes"
    return {**plain(state), "destination": destination, "subject": subject, "delivered": delivered}


@dataclass(frozen=True, slots=True)
class Due:
    """What is due to a destination, if it can be claimed.

    - `conditions`: those that it was not told of, that became worse, or that are to be said again: these with the time
      since which they are open. `changed`: those that are not due, and whose text on record is another.
    - `over`: states of what is over; `lapsed`: of what is not watched any more, which ends without a message.
    - `open`: how many alerts are open, due or not.
    """

    conditions: tuple[tuple[Condition, datetime | None], ...]
    changed: tuple[Condition, ...]
    over: tuple[AlertState, ...]
    lapsed: tuple[AlertState, ...]
    open: int


def due(
    destination: str, states: Sequence[AlertState], evaluation: Evaluation, rules: AlertRules, now: datetime
) -> Due:
    """What is due to `destination` at `now`; `states` are the open ones on record.

    Open alerts of rules that the evaluation could not tell stay as they are. What another process has claimed is not
    due, unless that was `CLAIM_LASTS` ago and it was not delivered.
    """
    known = {(one.rule, one.subject): one for one in states if without_destination(one)[0] == destination}
    told: list[tuple[Condition, datetime | None]] = []
    changed: list[Condition] = []
    for one in evaluation.conditions:
        state = known.pop((one.rule.value, subject_for(destination, one.subject)), None)
        is_worse = state is not None and one.severity is Severity.CRITICAL and state.severity is Severity.WARNING
        if state is None or is_worse:
            told.append((one, None))
        elif not _was_taken(state):
            if _may_claim(state, now):
                told.append((one, None if state.notified_at is None else state.raised_at))
        elif rules.repeat is not None and state.notified_at is not None and state.notified_at + rules.repeat <= now:
            told.append((one, state.raised_at))
        elif (state.text, state.severity) != (one.text, one.severity):
            changed.append(one)
    left = [one for one in known.values() if one.rule != DIGEST]
    lapsed = [one for one in left if one.rule not in rules.watch]
    kept = [one for one in left if one.rule in evaluation.unknown and one not in lapsed]
    over = [one for one in left if one not in lapsed and one not in kept and (one.notified_at or _may_claim(one, now))]
    return Due(tuple(told), tuple(changed), tuple(over), tuple(lapsed), len(evaluation.conditions) + len(kept))


def _was_taken(state: AlertState) -> bool:
    """Whether a service took what was claimed last."""
    return state.notified_at is not None and (state.claimed_at or state.raised_at) <= state.notified_at


def _may_claim(state: AlertState, now: datetime) -> bool:
    return state.claimed_at is None or state.claimed_at + CLAIM_LASTS <= now


def digest_day(states: Sequence[AlertState], destination: str, rules: AlertRules, now: datetime) -> str:
    """The day whose digest is due and not on record as sent; empty if there is none."""
    if rules.digest is None:
        return ""
    here = now.astimezone(ZoneInfo(rules.time_zone))
    if here.time() < rules.digest:
        return ""
    day = here.date().isoformat()
    subject = subject_for(destination, day)
    on_record = [one for one in states if (one.rule, one.subject) == (DIGEST, subject)]
    return day if all(one.notified_at is None and _may_claim(one, now) for one in on_record) else ""
