"""What another API version would change for a query."""

from collections.abc import Iterator

from gads_gaql.catalogue import FieldCatalogue, column_name
from gads_gaql.syntax import Condition, Problem, Query


def compare_versions(query: Query, older: FieldCatalogue, newer: FieldCatalogue) -> list[Problem]:
    """What of `query` works under `older` and breaks or changes under `newer`, column by column; empty if nothing.

    Codes: `resource_left`, `field_left`, `type_changed` (the payload's column or the meaning of its values),
    `enum_value_left` (a condition names a value that is gone). What is wrong under both is left to `check`.
    """
    found = list(_field_changes(query, older, newer))
    if query.resource in older.resources() and query.resource not in newer.resources():
        message = f"{newer.version} has no resource {query.resource!r}"
        found.append(Problem.at(query.resource_ref, "resource_left", message, newer.suggestion(query.resource)))
    for condition in query.conditions:
        found.extend(_value_changes(condition, older, newer))
    return sorted(dict.fromkeys(found))


def _field_changes(query: Query, older: FieldCatalogue, newer: FieldCatalogue) -> Iterator[Problem]:
    for reference in dict.fromkeys(query.references()):
        name, column = reference.name, column_name(reference.name)
        before, after = older.get(name), newer.get(name)
        if before is None:
            continue
        if after is None:
            message = f"{column}: {newer.version} has no field {name}"
            yield Problem.at(reference, "field_left", message, newer.suggestion(name))
        elif before.column_type != after.column_type:
            message = f"{column}: {before.column_type} -> {after.column_type} in {newer.version}"
            yield Problem.at(reference, "type_changed", message, "raise the report's schema_version with the change")
        elif before != after:
            message = f"{column}: {before} -> {after} in {newer.version}, still {after.column_type}"
            yield Problem.at(reference, "type_changed", message, "check whether its values still mean the same")


def _value_changes(condition: Condition, older: FieldCatalogue, newer: FieldCatalogue) -> Iterator[Problem]:
    before, after = older.get(condition.field.name), newer.get(condition.field.name)
    if before is None or after is None or before.enum is None or after.enum is None:
        return
    gone = frozenset(older.enum_values(before.enum)) - frozenset(newer.enum_values(after.enum))
    for value in condition.values:
        if value in gone:
            message = f"{condition.field} is never {str(value)!r} in {newer.version}"
            yield Problem.at(condition.field, "enum_value_left", message, newer.value_suggestion(after.enum, value))
