"""One schema for the rows of a snapshot, whose partitions may be of several schema versions."""

from collections.abc import Mapping
from itertools import pairwise

import pyarrow as pa

from gads_consumer.errors import SchemaMismatchError
from gads_domain.metadata import TableSchema
from gads_payload.schema import arrow_schema

CUSTOMER_ID = "_customer_id"
LOGICAL_DATE = "_logical_date"
RUN_ID = "_run_id"

_TYPES: dict[str, pa.DataType] = {CUSTOMER_ID: pa.string(), LOGICAL_DATE: pa.date32(), RUN_ID: pa.string()}

IDENTITY = pa.schema(_TYPES)
"""The columns that say where a row is from. No payload has a column that begins with an underscore."""


def one_schema(versions: Mapping[int, TableSchema], *, unify: bool) -> pa.Schema:
    """The columns of a table of all `versions` (schema by schema version; at least one).

    With `unify` the columns of the newest version come first and those that only older ones have follow. Raises
    `SchemaMismatchError` without it if there is more than one version, which names what differs; and with it for a
    column of two types, since nothing is cast.
    """
    newest, *older = sorted(versions, reverse=True)
    if older and not unify:
        raise SchemaMismatchError(
            f"the snapshot holds schema versions {', '.join(map(str, sorted(versions)))}: {_differences(versions)}",
            hint="narrow the days to one version, or give `unify=True` if they mean the same to you: "
            "a column that a version lacks is then null",
        )
    fields = {field.name: field for field in arrow_schema(versions[newest])}
    for version in older:
        for field in arrow_schema(versions[version]):
            known = fields.setdefault(field.name, field)
            if known.type != field.type:
                raise SchemaMismatchError(
                    f"{field.name} is {field.type} in schema version {version} and {known.type} in a later one",
                    hint="nothing is cast: leave the column out with columns=[…], or read the versions one by one",
                )
    return pa.schema(list(fields.values()))


def _differences(versions: Mapping[int, TableSchema]) -> str:
    return "; ".join(
        f"from {one} to {other} "
        + ", ".join(versions[one].differences(versions[other]) or ["the same columns with another meaning"])
        for one, other in pairwise(sorted(versions))
    )
