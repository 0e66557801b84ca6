"""A status as JSON."""

import json
from datetime import UTC, date, datetime

from gads_domain.activity import Severity
from gads_domain.completeness import Answer
from gads_domain.gaps import Gap, GapRange
from gads_domain.partition_key import PartitionKey
from gads_domain.standing import GapGroup, ReportStanding
from gads_domain.state import PartitionStatus
from gads_status.document import status_document
from gads_status.status import AccountsStanding, ApiStanding, Attention, BudgetStanding, DiskStanding, Status

NOW, DAY = datetime(2024, 6, 2, 3, tzinfo=UTC), date(2024, 6, 1)
GAP = Gap(PartitionKey("google_ads", "1000000001", "campaign", DAY), PartitionStatus.FAILED, "the API said no")
STATUS = Status(
    at=NOW,
    source="google_ads",
    ledger_id="a1",
    version="0.1.0",
    answer=Answer.INCOMPLETE,
    unknown="",
    attention=(Attention(Severity.WARNING, "campaign", "1 partition failed", "gads-etl state gaps"),),
    accounts=AccountsStanding(listed=3, selected=2, drawn_at=NOW),
    reports=(ReportStanding("campaign", DAY, 2, 1, 60, 59, 1, 0, 0, 2, DAY),),
    gaps=(
        GapGroup(
            "campaign", PartitionStatus.FAILED, "the API said no", "invalid", 1, 1, DAY, DAY, (GapRange(GAP, DAY),)
        ),
    ),
    next_due=(),
    budget=BudgetStanding(),
    api=ApiStanding("v24"),
    disk=DiskStanding(),
    names={"1000000001": "Shoes"},
)


def test_a_status_is_json_with_the_names_of_accounts_beside_their_gaps() -> None:
    document = status_document(STATUS)
    assert json.loads(json.dumps(document)) == document
    assert (document["status_version"], document["gads_etl"], document["is_well"]) == ("1.0", "0.1.0", False)
    example = {"customer_id": "1000000001", "name": "Shoes", "since": "2024-06-01", "until": "2024-06-01"}
    assert document["gaps"][0]["examples"] == [example]
