"""The payload's columns for a query."""

from __future__ import annotations

from gads_domain.errors import QueryError
from gads_domain.metadata import ColumnSpec, TableSchema
from gads_gaql.catalogue import FieldCatalogue, column_name
from gads_gaql.syntax import Query


def table_schema(query: Query, catalogue: FieldCatalogue) -> TableSchema:
    """The columns of the query's rows, in the order of SELECT.

    Raises `QueryError` for a field that the API version does not have, and for one that is selected twice.
    """
    columns: dict[str, ColumnSpec] = {}
    for reference in query.fields:
        found = catalogue.get(reference.name)
        where = f"line {reference.line}, column {reference.column}"
        if found is None:
            near = catalogue.closest(reference.name)
            raise QueryError(
                f"{where}: {catalogue.version} has no field {reference.name!r}",
                hint=f"did you mean {near}?" if near else "",
            )
        name = column_name(reference.name)
        if name in columns:
            raise QueryError(
                f"{where}: {reference.name} would be a second column {name}", hint="select each field once"
            )
        columns[name] = ColumnSpec(name, reference.name, found.column_type)
    return TableSchema(tuple(columns.values()))
