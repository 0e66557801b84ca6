"""Google Ads twice an hour, for Dagster: `dagster dev -f gads_etl_definitions.py`.

The asset attempts what is due. Its check fails while anything that is expected is missing, and names it; until it
passes, assets that depend on `google_ads_raw` are not materialized. The run is red unless both are green.
"""

import json
import os
import subprocess
from typing import Any

from dagster import (
    AssetCheckResult,
    Definitions,
    Failure,
    MaterializeResult,
    RetryPolicy,
    ScheduleDefinition,
    asset,
    asset_check,
    define_asset_job,
)

CONFIG = os.environ.get("GADS_ETL_CONFIG", "/etc/gads-etl/gads.toml")
LATER = (5, 75)
"""The exit codes of what passes by itself: Dagster calls again by the retry policy. All others need a person."""


def gads_etl(*command: str, answers: tuple[int, ...] = (0,)) -> Any:
    """The document that a command of gads-etl prints; its exit code is to be one of `answers`. The step has its log."""
    done = subprocess.run(
        ["gads-etl", *command, "--format", "json", "--config", CONFIG],
        env={**os.environ, "GADS_ETL_ACTOR": "dagster"},
        stdout=subprocess.PIPE,
        check=False,
    )
    if done.returncode in answers:
        return json.loads(done.stdout)
    raise Failure(
        f"gads-etl {' '.join(command)} ended with exit code {done.returncode}; stderr of the step says why",
        allow_retries=done.returncode in LATER,
    )


@asset(retry_policy=RetryPolicy(max_retries=3, delay=300))
def google_ads_raw() -> MaterializeResult:
    """Attempt what is due."""
    outcome = gads_etl("serve", "--once")
    return MaterializeResult(metadata={"operations": outcome["operations"], "attempted": outcome["attempted"]})


@asset_check(asset=google_ads_raw, blocking=True)
def complete() -> AssetCheckResult:
    """Fail while anything that is expected is missing."""
    found = gads_etl("state", "gaps", answers=(0, 1))
    missing = [
        f"{gap['customer_id']} {gap['report']} {gap['since']}..{gap['until']}: {gap['reason']}" for gap in found["gaps"]
    ]
    return AssetCheckResult(
        passed=found["answer"] == "complete",
        description="\n".join([found["unknown"] or f"{found['days']} days missing", *missing[:20]]),
        metadata=found,
    )


job = define_asset_job("gads_etl", selection=[google_ads_raw])
defs = Definitions(
    assets=[google_ads_raw],
    asset_checks=[complete],
    jobs=[job],
    schedules=[ScheduleDefinition(job=job, cron_schedule="*/30 * * * *")],
)
