"""A partition's story: results, differences of a restatement, request ids, acts, changes of authority."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from gads_domain.partition_key import GOOGLE_ADS, PartitionKey, parse_date
from gads_ui.drawing import differences

if TYPE_CHECKING:
    from markupsafe import Markup
    from starlette.requests import Request
    from starlette.responses import Response

    from gads_domain.metadata import PartitionMetadata
    from gads_domain.state import ValidationResult
    from gads_pipeline.ledger_queries import PartitionHistory
    from gads_ui.site import Site

_SEALS_AT_MOST = 20
"""Of so many runs the seal is read, the newest ones; each is a read of the sink."""


@dataclass(frozen=True, slots=True)
class Figure:
    """The sum of a metric before and after a restatement."""

    name: str
    before: float
    after: float

    @property
    def moved(self) -> float | None:
        """By how many per cent; None where it was nothing before."""
        return None if not self.before else 100 * (self.after - self.before) / abs(self.before)


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened to the partition."""

    at: datetime | None
    kind: str
    value: Any


def show(site: Site, request: Request) -> Response:
    """One partition."""
    customer, report = request.path_params["customer"], request.path_params["report"]
    key = PartitionKey(GOOGLE_ADS, customer, report, parse_date(request.path_params["day"]))
    found = site.pipeline.history(key)
    state = state_of(found)
    runs = [result.run_id for result in found.history.results if result.has_seal]
    seals, unread = site.pipeline.seals(key, runs[-_SEALS_AT_MOST:])
    commands = site.commands.of_days(state, customer, report, key.logical_date, key.logical_date)
    commands.append(site.commands.of("The same on the terminal", "state", "history", str(key)))
    current = found.history.state.current_run_id
    if current is not None:
        revoke = ("state", "revoke", str(key))
        commands.append(site.commands.of("Withdraw the run for good", *revoke, run=current.value, reason="…"))
    values = {
        "key": key,
        "name": site.pipeline.account_names().get(customer, ""),
        "state": state,
        "row": found.history.state,
        "marks": sorted(found.marks),
        "why": why(found),
        "entries": sorted(_entries(found, seals), key=lambda entry: str(entry.at or ""), reverse=True),
        "unread": unread,
    }
    return site.page("partition.html", f"{report} of {customer}, {key.logical_date}", "/calendar", values, commands)


def state_of(found: PartitionHistory) -> str:
    """What the partition is, as the calendar names it."""
    row = found.history.state
    if row.held_run_id is not None or "held" in found.marks:
        return "held"
    return {"success": "authoritative", "failed": "failed"}.get(row.status.value, "pending")


def why(found: PartitionHistory) -> str:
    """One sentence on why it is as it is; the last error is said beside it."""
    row, marks = found.history.state, found.marks
    if row.held_run_id is not None:
        return "Rows vanished in its newest run, which is held for a decision; the former rows stay authoritative."
    if "held" in marks:
        return "An operator holds it: it is not attempted until it is released."
    if "terminal" in marks:
        return "It is given up: it is not attempted again until an operator retries it."
    if row.status.value == "success":
        return "A run is authoritative: its rows are what readers get."
    if row.status.value == "failed":
        tries = "attempt" if row.attempt_count == 1 else "attempts"
        return f"No run of it passed in {row.attempt_count} {tries}."
    if found.acts and not found.history.results:
        return "It was never attempted."
    return "It is to be attempted again." if found.history.results else "It was never attempted."


def figures_of(changes: Mapping[str, Any] | None) -> list[Figure]:
    """The sums that a restatement moved, the largest move first."""
    metrics = (changes or {}).get("metrics", {})
    found = [Figure(name, one["before"] or 0, one["after"] or 0) for name, one in metrics.items()]
    moved = [one for one in found if one.before != one.after]
    return sorted(moved, key=lambda one: -abs(one.moved) if one.moved is not None else float("-inf"))


def _entries(found: PartitionHistory, seals: Mapping[Any, PartitionMetadata]) -> Iterator[Entry]:
    for result in found.history.results:
        yield Entry(result.validated_at, "result", _result(found, result, seals.get(result.run_id)))
    yield from (Entry(change.at, "authority", change) for change in found.authority_changes)
    yield from (Entry(act.act.at, "act", act) for act in found.acts)
    yield from (Entry(pruned.act.at, "pruned", pruned) for pruned in found.history.pruned)


def _result(found: PartitionHistory, result: ValidationResult, seal: PartitionMetadata | None) -> dict[str, Any]:
    figures = figures_of(result.changes)
    return {
        "result": result,
        "authority": found.authority_of(result.run_id),
        "failed_checks": [check for check in result.checks if not check.passed],
        "passed_checks": sum(check.passed for check in result.checks),
        "seal": seal,
        "figures": figures,
        "rows": {name: (result.changes or {}).get(f"rows_{name}") for name in ("added", "removed", "changed")},
        "plot": _plot(figures),
    }


def _plot(figures: list[Figure]) -> Markup | None:
    if not figures:
        return None
    says = "How much each sum moved, in per cent; the table has the figures."
    return differences([(one.name, one.moved) for one in figures], says)
