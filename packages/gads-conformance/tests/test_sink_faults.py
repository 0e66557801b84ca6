"""A sink that breaks a law fails the suite, and one that breaks none passes it.

The suite runs in a pytest of its own against sinks that are installed as a third party's would be: a folder with a
module and the entry points of its schemes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

# One run of the whole suite, over many sinks, serves every test here.
pytestmark = pytest.mark.timeout(360)

FAULTY = Path(__file__).parent / "faulty_sinks"

# For each fault the laws that must catch it; others may too.
CAUGHT_BY = {
    "seal_replaces": [
        "of_two_open_writers_one_seals",
        "of_racing_processes_one_seals",
        "nothing_sealed",
        "behaves_as_its_model",
    ],
    "seal_checks_then_writes": ["of_racing_processes_one_seals"],
    "seal_comes_first": ["nothing_is_visible_before_finalize"],
    "one_payload_name": ["no_two_writers_use_one_payload_name", "of_two_open_writers_one_seals"],
    "last_chunk_is_lost": ["finalize_seals_exactly_the_bytes"],
    "sum_is_of_nothing": ["size_sum_and_name_are_the_sinks_own"],
    "buffer_is_kept": ["takes_memoryviews_and_does_not_keep"],
    "loser_stays": ["of_two_open_writers_one_seals"],
    "loser_takes_the_winner_away": ["of_two_open_writers_one_seals", "nothing_sealed"],
    "abort_forgets": ["abort_takes_away_what_was_written"],
    "abort_unseals": ["abort_again_does_nothing"],
    "leaving_seals": ["giving_up_leaves_no_trace"],
    "run_is_locked": ["giving_up_leaves_no_trace", "writers_never_see"],
    "ended_writer_writes_on": ["a_writer_that_has_sealed"],
    "memory_is_the_storage": ["a_seal_outlives_the_process"],
    "sealed_is_opened_again": ["a_sealed_partition_is_not_opened_again"],
    "unsealed_is_listed": ["a_payload_without_a_seal"],
    "seals_are_endless": ["of_an_endless_seal_little"],
    "damage_is_hidden": ["a_damaged_seal_is_listed"],
    "payload_name_is_a_path": ["only_payload_names_are_opened"],
    "missing_payload_is_empty": ["a_missing_payload_is_damage"],
    "listing_is_unsorted": ["partitions_are_listed_in_key_and_run_order"],
    "listing_trips_over_foreign_files": ["files_outside_the_layout_are_ignored"],
    "listing_ignores_narrowing": ["partitions_are_listed_in_key_and_run_order"],
    "reader_can_write": ["a_reader_cannot_write"],
    "check_leaves_something": ["check_leaves_nothing"],
    "together_stops_at_the_first_failure": ["one_failure_concerns_no_other"],
    "together_raises": ["one_failure_concerns_no_other"],
    "together_forgets_the_losers": ["one_failure_concerns_no_other"],
    "together_answers_backwards": ["each_is_answered_with_its_own_seal"],
    "together_only_promises": ["joint_seals_outlive"],
    "prune_takes_seals_first": ["a_killed_removal_leaves"],
    "prune_forgets_orphans": ["a_removed_run_is_gone", "a_damaged_run_is_removed"],
    "prune_keeps_payloads": ["a_removed_run_is_gone"],
    "prune_takes_the_day": ["all_else_stays"],
    "prune_fears_damage": ["a_damaged_run_is_removed"],
    "prune_takes_the_folder": ["all_else_stays", "of_a_run_that_is_not_sealed"],
    "prune_raises_for_nothing": ["of_a_run_that_is_not_sealed"],
    "prune_only_says_so": ["a_removed_run_is_gone"],
}

FAULTLESS = ("none", "together_without_faults", "prune_without_faults")

CATCHES = ("AssertionError", "assert ", "Failed: DID NOT RAISE", "gads_domain.errors.")


@pytest.fixture(scope="module")
def failures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Class of the suite to the names of its tests that failed."""
    home = tmp_path_factory.mktemp("faulty")
    shutil.copy(FAULTY / "faulty_sink.py", home)
    shutil.copy(FAULTY / "suite_of_faults.py", home)
    metadata = home / "faulty_sink-0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty-sink\nVersion: 0\n")
    faults = [*FAULTLESS, *CAUGHT_BY]
    points = [f"faulty-{fault.replace('_', '-')} = faulty_sink:{fault}\n" for fault in faults]
    (metadata / "entry_points.txt").write_text("[gads.sinks]\n" + "".join(points))
    (home / "pytest.ini").write_text("[pytest]\nmarkers =\n    campaign: long\n")
    chosen = [f"(Test_{fault} and ({' or '.join(laws)}))" for fault, laws in CAUGHT_BY.items()]
    report = home / "report.xml"
    path = os.pathsep.join([str(home), os.environ.get("PYTHONPATH", "")])
    subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "suite_of_faults.py"),
            *("-m", "not campaign", "-k", " or ".join([*(f"Test_{name}" for name in FAULTLESS), *chosen])),
            *("--junit-xml", str(report), "--basetemp", str(home / "tmp")),
        ],
        cwd=home,
        env={**os.environ, "PYTHONPATH": path, "FAULTS": " ".join(faults)},
        check=False,
        capture_output=True,
        timeout=300,
    )
    failed: dict[str, set[str]] = {fault: set() for fault in faults}
    for case in ET.parse(report).iter("testcase"):
        fault = case.attrib["classname"].rsplit(".Test_", 1)[1]
        for found in [*case.iter("failure"), *case.iter("error")]:
            # A sink that merely does not run would look caught by everything.
            assert found.attrib["message"].startswith(CATCHES), found.attrib["message"]
            failed[fault].add(case.attrib["name"])
    return failed


@pytest.mark.parametrize("faultless", FAULTLESS)
def test_a_sink_without_faults_passes(failures: dict[str, set[str]], faultless: str) -> None:
    assert failures[faultless] == set()


@pytest.mark.parametrize("fault", CAUGHT_BY)
def test_a_fault_is_caught_by_its_law(failures: dict[str, set[str]], fault: str) -> None:
    for law in CAUGHT_BY[fault]:
        assert any(law in name for name in failures[fault]), f"{law} let it pass; failed: {sorted(failures[fault])}"
