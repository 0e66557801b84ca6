"""An account is erased while a run is at work on it: the run stops that account alone, and records nothing of it."""

from __future__ import annotations

import pytest

from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.state import PartitionStatus, StateFilter
from gads_orchestrator.plan import Account
from gads_testing.simulated_deployment import SimulatedDeployment

ACCOUNTS = (Account("1"), Account("2"))


@pytest.mark.parametrize("when", ["planned", "sealing"])
def test_an_account_that_is_erased_under_a_run_stops_alone(deployment: SimulatedDeployment, when: str) -> None:
    plan = deployment.plan(accounts=ACCOUNTS)

    def erase(_: PartitionKey | None = None) -> None:
        deployment.control.order_erasure(GOOGLE_ADS, "1", deployment.act())

    if when == "planned":
        erase()
    else:
        deployment.before_seal = erase
    outcome = deployment.execute(plan)
    assert {number: reason.code for number, reason in outcome.stopped_accounts.items()} == {"1": "account_erased"}
    assert not outcome.is_whole
    assert {row.key.customer_id for row in deployment.control.find(StateFilter())} == {"2"}
    assert {row.status for row in deployment.control.find(StateFilter())} == {PartitionStatus.SUCCESS}
    deployment.pass_time(seconds=61)
    assert deployment.control.leases(deployment.clock.now()) == [], "an erasure waits for it no longer than that"
    asked = {call.customer_id for call in deployment.api.calls}
    assert asked == ({"2"} if when == "planned" else {"1", "2"})
