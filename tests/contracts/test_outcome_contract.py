"""Holds the code to contracts/outcome/v1, and the contract to the code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from gads_testing.contract_documents import OUTCOME


def test_there_are_examples_of_a_sound_schema() -> None:
    Draft202012Validator.check_schema(OUTCOME.schema)
    assert len([path for path in OUTCOME.examples if path.parts[-2] == "valid"]) >= 5
    assert len([path for path in OUTCOME.examples if path.parts[-2] == "invalid"]) >= 8


def test_what_the_commands_print_fits_the_schema_and_says_the_same_twice(gads_etl: Any, tmp_path: Path) -> None:
    """A demo, the same run again, a day that fails, a backfill and a round of the daemon."""
    demo = gads_etl("demo", "--until", "2024-05-14", "--format", "json", cwd=tmp_path)
    folder = tmp_path / "gads-demo"
    days = ("--since", "2024-05-15", "--until", "2024-05-16")
    documents = [demo.json]
    for words in (
        ("run", "--since", "2024-05-01", "--until", "2024-05-14"),
        ("backfill", *days, "--report", "campaign"),
        ("serve", "--once", "--report", "campaign", "--customer", demo.json["partitions"][0]["customer_id"]),
    ):
        done = gads_etl(*words, "--format", "json", cwd=folder)
        assert done.code in (0, 1), done.err
        documents.append(done.json)
    for document in documents:
        assert OUTCOME.faults(document) == []
        assert sum(document["summary"].values()) == len(document["partitions"])
        keys = [(row["customer_id"], row["report"], row["logical_date"]) for row in document["partitions"]]
        assert len(set(keys)) == len(keys)
        assert list(document).index("partitions") < list(document).index("summary")
    assert (len(documents[0]["partitions"]), documents[0]["up_to_date"]) == (126, 0)
    assert (len(documents[1]["partitions"]), documents[1]["up_to_date"]) == (0, 126)
