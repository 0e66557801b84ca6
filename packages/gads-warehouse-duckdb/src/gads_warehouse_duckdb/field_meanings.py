"""What the API says its fields mean; made by generate/field_meanings.py."""

import gzip
import json
from functools import cache
from importlib import resources

IDENTITY_MEANINGS = {
    "_customer_id": "The account whose partition the row is of, digits alone.",
    "_logical_date": "The day whose partition the row is of, in the account's own time zone.",
    "_run_id": "The run whose row this is: the authoritative one of its partition.",
}
"""The columns that the warehouse adds."""


@cache
def _meanings() -> dict[str, str]:
    data = (resources.files("gads_warehouse_duckdb") / "field_meanings.json.gz").read_bytes()
    fields: dict[str, str] = json.loads(gzip.decompress(data))["fields"]
    return fields


def meaning_of(field: str) -> str | None:
    """The API's own description of the GAQL path `field`, None if it gives none."""
    return _meanings().get(field)
