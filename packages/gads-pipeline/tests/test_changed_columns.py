"""Columns that changed without a new schema version are found before a run rejects every day of them."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from gads_conformance.ledger.samples import record_one, result_of
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.state import SchemaPin
from gads_gaql import load, parse, table_schema
from gads_pipeline import Pipeline
from gads_pipeline.composition import open_ledger_for_validator
from gads_pipeline.work_request import RunOptions

CUSTOMER = "1234567890"
QUERY = "SELECT campaign.id, segments.date, metrics.clicks FROM campaign"
DAY = date(2026, 11, 1)


def pipeline(folder: Path, query: str, version: int = 1) -> Pipeline:
    path = folder / "gads.toml"
    path.write_text(
        f'[google_ads]\nhistory = "unlimited"\napi_version = "v26"\ncustomer_ids = ["{CUSTOMER}"]\n'
        '[storage]\nsink = "file:raw"\nstate = "sqlite:state.db"\n'
        f'[[reports]]\nname = "mine"\nschema_version = {version}\nquery = "{query}"\n'
    )
    return Pipeline.open(path)


@pytest.mark.parametrize(
    ("query", "difference"),
    [
        (
            QUERY.replace("clicks", "impressions"),
            "metrics_clicks: int64 -> absent; metrics_impressions: absent",
        ),
        (QUERY.replace("campaign.id, segments.date", "segments.date, campaign.id"), "in another order"),
        (QUERY + " WHERE campaign.status = 'ENABLED'", ""),
    ],
)
def test_check_and_plan_name_what_changed(tmp_path: Path, query: str, difference: str) -> None:
    before = pipeline(tmp_path, QUERY)
    key = PartitionKey(GOOGLE_ADS, CUSTOMER, "mine", DAY)
    pin = SchemaPin(GOOGLE_ADS, "mine", 1, table_schema(parse(QUERY), load("v26")))
    with open_ledger_for_validator(before.configuration) as ledger:
        record_one(ledger, result_of(key, 1), pin)
    changed = pipeline(tmp_path, query)
    faults = [one for one in changed.check(offline=True) if one.subject == "report mine" and not one.ok]
    notes = [note for note in changed.plan_run(RunOptions(DAY, DAY)).notes if "schema_version" in note]
    if not difference:
        assert (faults, notes) == ([], [])
        return
    (fault,) = faults
    assert fault.message.startswith("schema_version 1 stands for other columns in the ledger: ")
    assert difference in fault.message
    assert fault.hint == "give the report schema_version 2"
    assert notes == [f"warning: report mine: {fault.message}"]
    raised = pipeline(tmp_path, query, 2)
    assert all(one.ok for one in raised.check(offline=True) if one.subject == "report mine")
