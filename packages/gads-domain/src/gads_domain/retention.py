"""Which superseded runs may be removed from the sink: a pure function of what is on record of a partition."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime

from gads_domain.control import RetentionPolicy
from gads_domain.run import RunId
from gads_domain.state import AuthorityChange, KeyHistory
from gads_domain.state_machine import choice_of, effective_results


def prunable(
    history: KeyHistory,
    changes: Sequence[AuthorityChange],
    pinned: Collection[RunId],
    policy: RetentionPolicy,
    now: datetime,
) -> tuple[RunId, ...]:
    """The runs of a partition that may be removed at `now`, oldest first.

    `changes` are the authority changes of the partition, in order. A run may go that was validated and has been
    superseded since before the retention: since it last lost the authority, or, if it never had it, since it was
    validated. These stay:

    - the authoritative run, one that is held for a decision, and those that are `pinned`;
    - while the authoritative run has had the authority for less than the retention, the run that would have it if that
      one were revoked, and the one that would be held then;
    - the newest `policy.keep` runs that are superseded;
    - without an authoritative run, all that are not revoked: they may be all that there is of the day.
    """
    before, current = now - policy.superseded, history.state.current_run_id
    # Those chosen by what is on record and has not taken effect yet, such as a revocation, are in use like the others.
    used = {current, history.state.held_run_id, *_chosen(history), *pinned, *history.pruned_runs}
    gained = max((one.at for one in changes if one.to_run == current and one.changes_authority), default=now)
    if current is not None and gained >= before:
        used |= _chosen(replace(history, revoked=history.revoked | {current}))
    superseded = [
        one
        for one in effective_results(history.results)
        if one.has_seal and one.run_id not in used and (current is not None or one.run_id in history.revoked)
    ]
    return tuple(
        one.run_id
        for one in superseded[: max(len(superseded) - policy.keep, 0)]
        if max([one.validated_at, *(c.at for c in changes if c.from_run == one.run_id and c.changes_authority)])
        < before
    )


def _chosen(history: KeyHistory) -> set[RunId]:
    chosen = choice_of(history)
    return {one.run_id for one in (chosen.winner, chosen.held) if one is not None}
