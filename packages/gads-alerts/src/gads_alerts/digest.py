"""The daily digest: how everything stands, for those who want to read it whether or not anything is wrong."""

from gads_alerts.messages import Message, clean
from gads_domain.completeness import Answer
from gads_domain.standing import ReportStanding
from gads_status.status import Status

_MOST_ATTENTION = 10


def digest_message(status: Status, origin: str) -> Message:
    """The answer, what asks for attention, and each report, the worst first."""
    reports = sorted(status.reports, key=lambda one: (-_missing(one), one.report))
    missing, expected = sum(map(_missing, reports)), sum(one.expected for one in reports)
    answer = {
        Answer.COMPLETE: f"complete: all of {expected:,} partitions that are due",
        Answer.INCOMPLETE: f"incomplete: {missing:,} of {expected:,} partitions that are due are missing",
        Answer.UNKNOWN: f"unknown: {status.unknown}",
    }[status.answer]
    shown = status.attention[:_MOST_ATTENTION]
    attention = [f"{one.severity.upper()}: {one.subject}: {one.text}" for one in shown]
    if len(status.attention) > len(shown):
        attention.append(f"and {len(status.attention) - len(shown):,} more: gads-etl status")
    budget = status.budget
    limit = "" if budget.limit is None else f" of {budget.limit:,}"
    entries = [
        answer,
        *attention,
        f"operations within 24 hours: {budget.spent:,}{limit}",
        *(_line(one) for one in reports),
    ]
    kind = "warning" if attention or status.answer is not Answer.COMPLETE else "info"
    title = f"gads-etl: {status.answer.value} on {status.at:%Y-%m-%d}"
    return Message(title, kind, tuple(map(clean, entries)), origin, command="gads-etl status", most=40)


def _missing(one: ReportStanding) -> int:
    return one.expected - one.authoritative


def _line(one: ReportStanding) -> str:
    up_to = "its first day is missing" if one.complete_up_to is None else f"complete up to {one.complete_up_to}"
    if not _missing(one):
        return f"{one.report}: {up_to}"
    return (
        f"{one.report}: {up_to}; {one.accounts_behind:,} of {one.accounts:,} accounts behind, "
        f"{one.failed:,} failed, {one.held:,} held, {one.pending:,} pending"
    )
