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
    RetryPolicy,
    ScheduleDefinition,
    asset,
    asset_check,
    define_asset_job,
)

CONFIG = os.environ.get("GADS_ETL_CONFIG", "/etc/gads-etl/gads.toml")
LATER = 75
"""The exit code of what passes by itself: Dagster calls again by `RETRY`. All others need a person."""
RETRY = RetryPolicy(max_retries=3, delay=300)


def gads_etl(*command: str, answers: tuple[int, ...] = (0,), stdout: int | None = None) -> Any:
    """Run a command of gads-etl, which is to end with one of `answers`; what it prints is in the step's log."""
    done = subprocess.run(
        ["gads-etl", *command, "--config", CONFIG],
        env={**os.environ, "GADS_ETL_ACTOR": "dagster"},
        stdout=stdout,
        check=False,
    )
    if done.returncode not in answers:
        raise Failure(
            f"gads-etl {' '.join(command)} ended with exit code {done.returncode}; the step's log says why",
            allow_retries=done.returncode == LATER,
        )
    return done.stdout


@asset(retry_policy=RETRY)
def google_ads_raw() -> None:
    """Attempt what is due."""
    gads_etl("serve", "--once")


@asset_check(asset=google_ads_raw, blocking=True, retry_policy=RETRY)
def complete() -> AssetCheckResult:
    """Fail while anything that is expected is missing."""
    found = json.loads(gads_etl("state", "gaps", "--format", "json", answers=(0, 1), stdout=subprocess.PIPE))
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
