"""What a destination is to be told now, by what is on record that it was told: a pure function of the two."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from gads_alerts.condition import Condition, Evaluation
from gads_alerts.rules import AlertRules
from gads_domain.activity import AlertState, Severity
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


@dataclass(frozen=True, slots=True)
class Due:
    """What is due to a destination, if it can be claimed.

    - `conditions`: those that it was not told of, that became worse, or that are to be said again: these with the time
      since which they are open.
    - `over`: states of what is over; `lapsed`: of what is not watched any more, which ends without a message.
    - `open`: how many alerts are open, due or not.
    """

    conditions: tuple[tuple[Condition, datetime | None], ...]
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
    for one in evaluation.conditions:
        state = known.pop((one.rule.value, subject_for(destination, one.subject)), None)
        if state is None or state.notified_at is None or _is_worse(one, state):
            if state is None or _is_worse(one, state) or _may_claim(state, now):
                told.append((one, None))
        elif rules.repeat is not None and state.notified_at + rules.repeat <= now and _may_claim(state, now):
            told.append((one, state.raised_at))
    left = [one for one in known.values() if one.rule != DIGEST]
    lapsed = [one for one in left if one.rule not in rules.watch]
    kept = [one for one in left if one.rule in evaluation.unknown and one not in lapsed]
    over = [one for one in left if one not in lapsed and one not in kept and (one.notified_at or _may_claim(one, now))]
    return Due(tuple(told), tuple(over), tuple(lapsed), len(evaluation.conditions) + len(kept))


def _is_worse(one: Condition, state: AlertState) -> bool:
    return one.severity is Severity.CRITICAL and state.severity is Severity.WARNING


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
