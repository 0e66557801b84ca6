"""A status on one screen of a terminal: lines that fit, what needs a person first, however large the ledger is."""

import shlex
from collections.abc import Iterator
from dataclasses import dataclass

from gads_domain.activity import Liveness, Round, Severity, ended_in_words
from gads_domain.completeness import Answer
from gads_domain.figures import ago, clock, counted, size, span
from gads_domain.standing import ReportStanding
from gads_domain.visible_text import one_line
from gads_status.attention import described, gap_subject, gap_text
from gads_status.gap_summary import summed_up
from gads_status.status import Attention, BudgetStanding, ProcessStanding, Status


@dataclass(frozen=True, slots=True)
class Line:
    """Text that goes on in further lines where it is too long for one, in a style such as `bold red`.

    `lead` is what the first line begins with; the others are as far in. At most `most` lines are shown; where that is
    one, it is a table's row, in which every space counts.
    """

    text: str
    style: str = ""
    lead: str = ""
    most: int = 9


PROGRAM = "gads-etl"
ALL = "gads-etl status --format json has all"

_STYLES = {Answer.COMPLETE: "bold green", Answer.INCOMPLETE: "bold red", Answer.UNKNOWN: "bold yellow"}
_MOST_ATTENTION = 10
"""Lines; of what is below, entries."""
_MOST_MISSING, _MOST_REPORTS = 2, 4


def screen(status: Status, width: int = 80, program: str = PROGRAM) -> list[Line]:
    """The lines of `status`, for a terminal of `width` columns; on a terminal of 80 about 40 of them at most.

    `program` is what is typed for `gads-etl`.
    """
    top = [*_head(status, width), *_attention(status, width, program), *_missing(status)]
    return [*top, *_reports(status, width), *_facts(status)]


def summary(status: Status) -> str:
    """How much of what is expected is authoritative, in one sentence."""
    total = [sum(getattr(one, name) for one in status.reports) for name in ("expected", "authoritative", "not_due")]
    counts = {name: sum(getattr(one, name) for one in status.reports) for name in ("failed", "held", "pending")}
    expected, authoritative, not_due = total
    if not expected:
        return "no partition is known to be expected and due"
    parts = [f"{authoritative:,} of {counted(expected, 'expected partition')} authoritative"]
    parts += [f"{count:,} {name}" for name, count in counts.items() if count]
    return ", ".join([*parts, *([f"{not_due:,} not due yet"] if not_due else [])])


def _head(status: Status, width: int) -> Iterator[Line]:
    at, title = f"{status.at:%Y-%m-%d %H:%M} UTC", f"{status.source}, gads-etl {status.version}"
    yield Line(f"{title:{width - len(at)}}{at}", most=1)
    yield Line(f"{status.answer.upper()}: {summary(status)}", _STYLES[status.answer])
    if status.unknown:
        yield Line(f"Not known to be complete: {one_line(status.unknown, 200)}", "bold yellow")


def _attention(status: Status, width: int, program: str) -> Iterator[Line]:
    if not status.attention:
        return
    yield Line("")
    yield Line(f"ACT ON ({len(status.attention):,}, worst first)", "bold")
    taken = 0
    for number, one in enumerate(status.attention):
        lines = list(_one_attention(one, width, program))
        taken += len(lines) + min(len(lines[0].text) // (width - 3), lines[0].most - 1)
        if number and taken > _MOST_ATTENTION:
            yield Line(f"and {len(status.attention) - number:,} more; {ALL}", lead="   ")
            return
        yield from lines


def _one_attention(one: Attention, width: int, program: str) -> Iterator[Line]:
    is_critical = one.severity is Severity.CRITICAL
    style, lead = ("red", "!! ") if is_critical else ("yellow", " ! ")
    yield Line(f"{one.subject}: {one.text}", style, lead, 3)
    for line in _command(one.command.replace(PROGRAM, program, 1), width - 5):
        yield Line(f"     {line}", most=1)


def _command(command: str, width: int) -> Iterator[str]:
    """A command as it can be copied: where it is longer than a line it goes on after a backslash."""
    line = ""
    for word in map(shlex.quote, shlex.split(command)):
        if line.strip() and len(line) + len(word) + 3 > width:
            yield f"{line} \\"
            line = "   "
        line = f"{line} {word}" if line else word
    if line:
        yield line


def _missing(status: Status) -> Iterator[Line]:
    others = missing_texts(status)
    if not others:
        return
    yield Line("")
    yield Line("MISSING, no act needed", "bold")
    for text in others[:_MOST_MISSING]:
        yield Line(text, lead="   ", most=2)
    if len(others) > _MOST_MISSING:
        yield Line(f"and {len(others) - _MOST_MISSING:,} more reasons; gads-etl state gaps lists all", lead="   ")


def _reports(status: Status, width: int) -> Iterator[Line]:
    found = sorted(status.reports, key=_badness)
    shown = [one for one in found if _is_behind(one)][:_MOST_REPORTS] or found[:1]
    rest = found[len(shown) :]
    yield Line("")
    name = min(max(16, *(len(one.report) for one in shown), 16), width - 57)
    head = f"{'REPORT':{name}}  {'complete up to':14}  {'missing':>9}  {'failed':>9}  {'accounts behind':>17}"
    yield Line(head, "bold", most=1)
    for one in shown:
        behind, title = f"{one.accounts_behind:,} of {one.accounts:,}", one_line(one.report, name)
        line = f"{title:{name}}  {up_to(status, one):14}  {one.missing:>9,}  {one.failed:>9,}  {behind:>17}"
        yield Line(line, "red" if one.failed else "", most=1)
    if rest:
        missing = sum(one.missing for one in rest)
        days = sorted({up_to(status, one) for one in rest})
        text = f"{counted(len(rest), 'more report')}: {counted(missing, 'partition') if missing else 'none'} missing"
        yield Line(f"{text}, complete up to {' or '.join(days[:2])}{' and later' if len(days) > 2 else ''}")


def up_to(status: Status, one: ReportStanding) -> str:
    """The last day up to which a report is complete, in words where there is none."""
    if one.complete_up_to is not None:
        return str(one.complete_up_to)
    return "unknown" if status.unknown or one.lacking else "no day"


def _is_behind(one: ReportStanding) -> bool:
    return bool(one.missing or one.lacking or one.complete_up_to is None)


def _badness(one: ReportStanding) -> tuple[int, int, str]:
    return -one.failed - one.held, -one.missing, one.report


def _facts(status: Status) -> Iterator[Line]:
    yield Line("")
    for label, texts in facts(status):
        for number, text in enumerate(texts):
            yield Line(text, lead=f"{'' if number else label.upper():11}", most=2)


def facts(status: Status, most: int = 2) -> tuple[tuple[str, list[str]], ...]:
    """What else there is to know, by what it is about; of processes, rounds and alerts at most `most`."""
    return (
        ("Accounts", [_accounts(status)]),
        ("Due", [_due(status)]),
        ("Budget", list(_budget(status))),
        ("Processes", list(_processes(status, most))),
        ("Rounds", list(_rounds(status, most))),
        ("Warehouse", [_warehouse(status)]),
        ("Disk", [_disk(status)]),
        ("API", [_api(status)]),
        ("Alerts", list(_alerts(status, most - 1))),
    )


def missing_texts(status: Status) -> list[str]:
    """What is missing and asks for no one: it is attempted again, or can never be had."""
    named = [one.text for one in status.attention if one.code == "gaps"]
    texts = [(gap_subject(one), gap_text(one, status.names)) for one in summed_up(status.gaps)]
    return [f"{subject}: {text}" for subject, text in texts if not any(one.startswith(text) for one in named)]


def _accounts(status: Status) -> str:
    found = status.accounts
    if found.drawn_at is None:
        return "no list of accounts was ever drawn"
    erased = f", {found.erased:,} erased" if found.erased else ""
    return f"{found.listed:,} listed, {found.selected:,} selected{erased}; list drawn {ago(found.drawn_at, status.at)}"


def _due(status: Status) -> str:
    if not status.next_due:
        return "unknown: no account is known"
    first = status.next_due[0]
    some = [one for one in status.next_due if (one.at, one.day) == (first.at, first.day)]
    what = first.report if len(some) == 1 else counted(len(some), "report")
    partitions = counted(sum(one.partitions for one in some), "partition")
    return f"{first.day} of {what}, {partitions}, by {clock(first.at, status.at)} UTC, in {span(first.at - status.at)}"


def _budget(status: Status) -> Iterator[str]:
    found = status.budget
    of = "operations" if found.limit is None else f"of {found.limit:,} operations"
    left = ", no limit is set" if found.left is None else f", {found.left:,} left"
    yield f"{found.spent:,} {of} spent in 24 hours{left}"
    yield _forecast(found)
    for rest in found.rests[:2]:
        what = " ".join(filter(None, (rest.scope.report, rest.scope.customer_id))) or "all calls"
        yield f"{what}: not before {clock(rest.not_before, status.at)} UTC, {one_line(rest.reason, 100)}"


def _forecast(found: BudgetStanding) -> str:
    if found.forecast is None or found.daily is None:
        return f"what is due costs: unknown, {one_line(found.unknown, 100)}"
    missing = f"what is missing costs {found.forecast:,} or more" if found.forecast else "nothing is missing"
    return f"{missing}; new and restated days cost {found.daily:,} a day at most"


def _processes(status: Status, most: int) -> Iterator[str]:
    if status.activity_unknown:
        yield f"unknown: {status.activity_unknown}"
        return
    working = [one for one in status.processes if one.state is Liveness.ALIVE or one.lost]
    for one in working[:most]:
        yield _process(one, status)
    if len(working) > most:
        yield f"and {len(working) - most:,} more"
    if not working:
        yield "none is at work"


def _process(one: ProcessStanding, status: Status) -> str:
    beat = one.heartbeat
    if one.lost:
        return f"{described(beat)}: no heartbeat since {clock(beat.beat_at, status.at)} UTC"
    return f"{described(beat)}: {one_line(beat.doing or 'at work', 80)}; heartbeat {ago(beat.beat_at, status.at)}"


def _rounds(status: Status, most: int) -> Iterator[str]:
    if status.activity_unknown:
        yield "unknown, as above"
        return
    for one in status.rounds[:most]:
        yield _round(one, status)
    if not status.rounds:
        yield "none is on record"


def _round(one: Round, status: Status) -> str:
    words = one.command.split()
    command = next((word for word in words[1:] if not word.startswith("-")), one.command)
    length = span((one.ended_at or status.at) - one.started_at)
    state = ended_in_words(one.ended) if one.ended_at is not None else _unfinished(one, status)
    counts = f"{one.succeeded:,} of {one.planned:,} well, {one.failed:,} failed"
    message = f": {one_line(one.message, 100)}" if one.message else ""
    return f"{clock(one.started_at, status.at)} UTC {one_line(command, 12)}, {length}: {state}, {counts}{message}"


def _unfinished(one: Round, status: Status) -> str:
    is_cut = one.is_cut_short([process.heartbeat for process in status.processes], status.at)
    return "its process went without ending it" if is_cut else "goes on"


def _warehouse(status: Status) -> str:
    found = status.warehouse
    if found is None:
        return "none was ever loaded"
    if found.behind is None:
        return f"unknown: {one_line(found.unknown, 150)}"
    loaded = "never loaded" if found.last_load_at is None else f"loaded {ago(found.last_load_at, status.at)}"
    return f"{counted(found.behind, 'change')} behind the ledger, {loaded}"


def _disk(status: Status) -> str:
    disk = status.disk
    ledger = (
        f"ledger unknown: {disk.ledger_unknown}" if disk.ledger_bytes is None else f"ledger {size(disk.ledger_bytes)}"
    )
    free = "" if disk.ledger_free is None else f", {size(disk.ledger_free)} free"
    sink = f"sink unknown: {disk.sink_unknown}" if disk.sink_free is None else f"sink {size(disk.sink_free)} free"
    return f"{ledger}{free}; {sink}"


def _api(status: Status) -> str:
    api = status.api
    if api.ends_on is None or api.days_left is None:
        return f"{api.version}; when it ends is not published"
    when = f"in {counted(api.days_left, 'day')}" if api.days_left > 0 else "already, or any day now"
    return f"{api.version} ends about {api.ends_on}, {when}"


def _alerts(status: Status, most: int) -> Iterator[str]:
    if status.activity_unknown:
        yield "unknown, as above"
        return
    # Each destination has its own state of one alert.
    found = list({(one.rule, one.text): one for one in status.alerts}.values())
    for one in found[:most]:
        what = f"{one.severity.value}, {one_line(one.rule, 30)}, {ago(one.raised_at, status.at)}"
        yield f"{what}: {one_line(one.text, 200)}"
    if len(found) > most:
        yield f"and {len(found) - most:,} more"
    if not found:
        yield "none is open"
