"""The days that are expected and missing, as `state gaps`, `consume gaps` and `warehouse status` print them."""

from collections.abc import Mapping
from typing import Annotated, Any

from gads_domain.completeness import Completeness
from gads_domain.figures import counted
from gads_terminal.output import print_note
from gads_terminal.table import print_rows
from gads_terminal.table_options import Table, TableOptions, columns_of

_GAPS = Table("customer_id name report since until -#days -status reason")
GapOptions = Annotated[TableOptions, columns_of(_GAPS)]


def print_gaps(
    options: TableOptions, found: Completeness, missing: str, as_of: str, document: Mapping[str, Any]
) -> None:
    """The gaps as a table, or `document` as JSON, and what is counted apart; `missing` says what the days are not."""
    title, empty = f"{counted(found.days, 'day')} {missing}", "unknown" if found.unknown else "no gaps"
    print_rows(_GAPS, document["gaps"], options, title + as_of, empty=empty + as_of, document=document)
    print_unsettled(found)


def print_unsettled(found: Completeness) -> None:
    """What an answer about gaps counts apart, and why it is unknown, in a line each on stderr."""
    if found.not_due:
        print_note(f"not over or not due yet: {counted(found.not_due, 'day')}")
    if found.unknown:
        print_note(f"unknown what is expected: {found.unknown}; gads-etl accounts draws the list")
