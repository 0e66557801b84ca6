from datetime import UTC, date, datetime, timedelta, timezone

import pytest

from gads_domain.current_partition import CurrentPartition
from gads_domain.documents import members_of, plain
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.run import RunId
from gads_domain.state import PartitionStatus

KEY = PartitionKey(GOOGLE_ADS, "1", "campaign", date(2024, 6, 1))
RUN = RunId("20240602T040506789Z-7f3a9c21")


def test_values_are_written_as_json_has_them() -> None:
    noon = datetime(2024, 6, 1, 14, tzinfo=timezone(timedelta(hours=2)))
    values = {"at": [noon, noon.astimezone(UTC)], "day": date(2024, 6, 1), "run": RUN, "share": 0.5, "none": None}
    assert plain({**values, "status": (PartitionStatus.FAILED, True)}) == {
        "at": ["2024-06-01T12:00:00.000000Z"] * 2,
        "day": "2024-06-01",
        "run": RUN.value,
        "share": 0.5,
        "none": None,
        "status": ["failed", True],
    }
    assert type(plain(PartitionStatus.FAILED)) is str


def test_a_key_among_members_gives_its_own_and_the_order_is_kept() -> None:
    document = plain(CurrentPartition(KEY, RUN, 3, 1, "0" * 64))
    key = {"source": GOOGLE_ADS, "customer_id": "1", "report": "campaign", "logical_date": "2024-06-01"}
    rest = {"run_id": RUN.value, "record_count": 3, "schema_version": 1, "seal_sha256": "0" * 64}
    assert list(document.items()) == [*key.items(), *rest.items()]
    assert list(members_of(KEY, ("report", "source"))) == ["report", "source"]


def test_what_json_does_not_have_is_refused() -> None:
    with pytest.raises(TypeError, match="has no form in JSON"):
        plain({"member": object()})
