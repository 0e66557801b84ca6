"""Brings what is due to a destination: claimed on the ledger, so that one of several processes does it, then sent."""

from dataclasses import dataclass, replace
from datetime import datetime

from gads_alerts.condition import Evaluation
from gads_alerts.destination import Destination
from gads_alerts.messages import Message, alert_message
from gads_alerts.notification import DIGEST, Due, digest_day, due, subject_for
from gads_alerts.rules import AlertRules
from gads_domain.activity import AlertState, Severity
from gads_domain.ports.activity import ActivityLedger, ActivityReader

_ALL = 100_000


@dataclass(frozen=True, slots=True)
class Watch:
    """One `[[alerts]]`: where to, and what of."""

    destination: Destination
    rules: AlertRules

    @property
    def name(self) -> str:
        """The name of the destination."""
        return self.destination.name


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that was due to a destination, and why the service did not take it; empty if it did."""

    destination: str
    message: Message
    failure: str = ""

    def to_document(self) -> dict[str, str]:
        """The delivery as JSON."""
        text = {"title": self.message.title, "message": self.message.body()}
        return {"destination": self.destination, "failure": self.failure, "kind": self.message.kind, **text}


def preview_alerts(
    watch: Watch, evaluation: Evaluation, ledger: ActivityReader, now: datetime, origin: str
) -> Delivery | None:
    """What `deliver_alerts` would send; None if that is nothing."""
    found = due(watch.name, ledger.alerts(limit=_ALL), evaluation, watch.rules, now)
    return Delivery(watch.name, _message(found, now, origin)) if found.conditions or found.over else None


def deliver_alerts(
    watch: Watch, evaluation: Evaluation, ledger: ActivityLedger, now: datetime, origin: str
) -> Delivery | None:
    """Send what is due and not claimed by another process; None if that is nothing.

    What was claimed and not taken by the service is claimed again once `CLAIM_LASTS` is over, by any process: a crash
    between sending and recording repeats a message, and no alert is lost. That something is over is said at most once.
    """
    name, repeat = watch.name, watch.rules.repeat
    repeat_before = None if repeat is None else now - repeat
    found = due(name, ledger.alerts(limit=_ALL), evaluation, watch.rules, now)
    for state in found.lapsed:
        ledger.resolve_alert(state.rule, state.subject, now)
    claimed = replace(
        found,
        conditions=tuple(
            (one, since)
            for one, since in (*found.conditions, *((one, None) for one in found.changed))
            if ledger.claim_alert(
                AlertState(one.rule, subject_for(name, one.subject), now, one.text, one.severity),
                repeat_before=repeat_before,
            )
        ),
        # What no service has taken is said before it is resolved.
        over=tuple(
            state
            for state in found.over
            if (
                ledger.claim_alert(replace(state, raised_at=now))
                if state.notified_at is None
                else ledger.resolve_alert(state.rule, state.subject, now)
            )
        ),
    )
    if not claimed.conditions and not claimed.over:
        return None
    message = _message(claimed, now, origin)
    failure = watch.destination.send(message)
    if not failure:
        for one, _ in claimed.conditions:
            ledger.alert_delivered(one.rule, subject_for(name, one.subject), now)
        for state in claimed.over:
            if state.notified_at is None:
                ledger.alert_delivered(state.rule, state.subject, now)
                ledger.resolve_alert(state.rule, state.subject, now)
    return Delivery(name, message, failure)


def deliver_digest(watch: Watch, message: Message, ledger: ActivityLedger, now: datetime) -> Delivery | None:
    """Send the digest of the day if it is due and no process has sent it; None if not."""
    day = digest_day(ledger.alerts(open_only=False), watch.name, watch.rules, now)
    subject = subject_for(watch.name, day)
    state = AlertState(DIGEST, subject, now, "the daily digest", Severity.WARNING)
    if not day or not ledger.claim_alert(state):
        return None
    failure = watch.destination.send(message)
    if not failure:
        ledger.alert_delivered(DIGEST, subject, now)
        ledger.resolve_alert(DIGEST, subject, now)
    return Delivery(watch.name, message, failure)


def _message(found: Due, now: datetime, origin: str) -> Message:
    over = [(state.text, state.raised_at) for state in found.over]
    return alert_message(found.conditions, over, still_open=found.open, now=now, origin=origin)
