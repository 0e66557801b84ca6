"""A run by the last part of its id."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from gads_domain.errors import InvalidValueError, UsageError
from gads_pipeline import Pipeline
from gads_pipeline.operator_acts import PartitionSelection
from gads_testing.local_deployment import SINK, STATE, LocalDeployment, key_of, run_of

ALL = PartitionSelection(all=True)
OLD, NEW, TWIN = run_of(1, 0xA), run_of(2, 0xB), run_of(3, 0xA)


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    deployment = LocalDeployment(tmp_path)
    for customer, runs in ((1, (OLD, NEW)), (2, (TWIN,))):
        for run in runs:
            deployment.seal(key_of(customer), run)
        deployment.validator.validate([key_of(customer)])
    (tmp_path / "gads.toml").write_text(
        f'[storage]\nsink = "{SINK}"\nstate = "{STATE}"\n[[reports]]\nname = "campaign"\n'
    )
    yield Pipeline.open(tmp_path / "gads.toml")
    deployment.close()


def test_it_names_the_run_that_alone_ends_in_it(pipeline: Pipeline) -> None:
    assert pipeline.run_named("0000000b", ALL) == NEW
    assert pipeline.run_named("0000000a", PartitionSelection((str(key_of(1)),))) == OLD
    assert pipeline.run_named("0000000a", PartitionSelection(customers=("2",))) == TWIN
    assert pipeline.run_named(run_of(9).value, ALL) == run_of(9), "a whole id is taken as it is"


def test_what_names_none_or_several_is_refused(pipeline: Pipeline) -> None:
    with pytest.raises(UsageError, match=f"several runs end in 0000000a: {OLD}, {TWIN}"):
        pipeline.run_named("0000000a", ALL)
    with pytest.raises(UsageError, match="none of these partitions"):
        pipeline.run_named("0000000c", ALL)
    with pytest.raises(InvalidValueError):
        pipeline.run_named("000000a", ALL)
