"""A status as JSON: contracts/status/v1."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from gads_domain.documents import members_of, plain
from gads_domain.standing import GapGroup
from gads_status.status import ProcessStanding, Status

STATUS_VERSION = "1.0"

_GROUP = ("report", "status", "reason", "code", "accounts", "partitions", "first", "last")
_BEAT = ("process", "host", "pid", "command", "version", "started_at", "beat_at", "doing", "active_at", "ended_at")


def status_document(status: Status) -> dict[str, Any]:
    """The status as JSON, by contracts/status/v1; it has no secrets, and texts as they came from outside."""
    document = plain(replace(status, gaps=(), processes=(), names={}))
    del document["names"]
    return {
        "status_version": STATUS_VERSION,
        "gads_etl": document.pop("version"),
        "is_well": status.is_well,
        **document,
        "gaps": [_gap_group(group, status.names) for group in status.gaps],
        "processes": [_process(one) for one in status.processes],
    }


def _gap_group(group: GapGroup, names: Mapping[str, str]) -> dict[str, Any]:
    return {
        **members_of(group, _GROUP),
        "examples": [
            {
                "customer_id": one.first.customer_id,
                "name": names.get(one.first.customer_id, ""),
                "since": plain(one.first.logical_date),
                "until": plain(one.until),
            }
            for one in group.examples
        ],
    }


def _process(one: ProcessStanding) -> dict[str, Any]:
    beat = one.heartbeat
    seconds = beat.interval.total_seconds()
    return {**members_of(beat, _BEAT), "interval_seconds": seconds, **members_of(one, ("state", "lost"))}
