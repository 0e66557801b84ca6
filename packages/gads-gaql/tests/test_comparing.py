from gads_gaql.catalogue import FieldCatalogue, load
from gads_gaql.parser import parse
from gads_gaql.version_comparison import compare_versions


def catalogue(version: str, thing: dict[str, str] | None, values: list[str]) -> FieldCatalogue:
    return FieldCatalogue(
        {
            "version": version,
            "row": "Row",
            "messages": {"Row": {} if thing is None else {"thing": "message Thing"}, "Thing": thing or {}},
            "enums": {"Status": values, "State": values},
        }
    )


OLD = catalogue("v1", {"id": "int64", "name": "string", "status": "enum Status", "tag": "string"}, ["ON", "OFF"])
QUERY = parse("SELECT thing.id, thing.name, thing.status FROM thing WHERE thing.status IN (ON, OFF)")


def test_nothing_changes_between_equal_versions() -> None:
    assert compare_versions(QUERY, OLD, OLD) == []
    query = parse("SELECT campaign.id, segments.date FROM campaign WHERE campaign.status = ENABLED")
    assert compare_versions(query, load("v23"), load("v26")) == []


def test_each_change_is_found_column_by_column() -> None:
    newer = catalogue("v2", {"id": "string", "status": "enum Status", "names": "string[]"}, ["ON"])
    assert [(p.column, p.code, p.message) for p in compare_versions(QUERY, OLD, newer)] == [
        (8, "type_changed", "thing_id: int64 -> string in v2"),
        (18, "field_left", "thing_name: v2 has no field thing.name"),
        (60, "enum_value_left", "thing.status is never 'OFF' in v2"),
    ]
    assert compare_versions(QUERY, OLD, newer)[1].hint == "did you mean thing.names?"


def test_another_enum_of_the_same_column_type_is_found() -> None:
    newer = catalogue("v2", {"id": "int64", "name": "string", "status": "enum State"}, ["ON", "OFF"])
    (found,) = compare_versions(QUERY, OLD, newer)
    assert found.message == "thing_status: enum Status -> enum State in v2, still string"


def test_a_resource_that_left_is_found_with_its_fields() -> None:
    found = compare_versions(QUERY, OLD, catalogue("v2", None, []))
    assert [p.code for p in found] == ["field_left", "field_left", "field_left", "resource_left"]


def test_what_neither_version_has_is_not_a_change() -> None:
    assert compare_versions(parse("SELECT thing.nothing FROM nowhere"), OLD, OLD) == []


def test_real_versions_differ_by_what_their_descriptors_say() -> None:
    older, newer = load("v23"), load("v26")
    left = sorted(
        path
        for path in set(older.paths()) - set(newer.paths())
        if path.split(".")[0] in newer.resources() and path.count(".") == 1
    )
    assert left
    (found,) = compare_versions(parse(f"SELECT {left[0]} FROM {left[0].split('.')[0]}"), older, newer)
    assert found.code == "field_left"
