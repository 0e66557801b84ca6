"""A status as JSON: contracts/status/v1."""

from typing import Any

from gads_domain.documents import members_of, plain
from gads_domain.standing import GapGroup
from gads_status.status import Status

VERSION = 1


def status_document(status: Status) -> dict[str, Any]:
    """The status as JSON, by contracts/status/v1; it has no secrets, and names as they came from outside."""
    document = plain(status)
    names = document.pop("names")
    document["gaps"] = [_gap_group(group, names) for group in status.gaps]
    return {"version": VERSION, "gads_etl": document.pop("version"), "is_well": status.is_well, **document}


def _gap_group(group: GapGroup, names: dict[str, str]) -> dict[str, Any]:
    members = ("report", "status", "reason", "code", "accounts", "partitions", "first", "last")
    return {
        **members_of(group, members),
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
