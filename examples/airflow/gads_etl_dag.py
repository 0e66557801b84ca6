"""Google Ads twice an hour, for Airflow 3. Copy it to the folder of DAGs.

`attempt` attempts what is due. `complete` fails while anything that is expected is missing, and names it. Tasks that
need complete days come after `complete`. The run is red unless both are green.
"""

from __future__ import annotations

import os
import subprocess
from datetime import timedelta

from airflow.sdk import DAG, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException

CONFIG = os.environ.get("GADS_ETL_CONFIG", "/etc/gads-etl/gads.toml")
LATER = 75
"""The exit code of what passes by itself: Airflow calls again after `retry_delay`. All others need a person."""


def gads_etl(*command: str) -> None:
    """Run a command of gads-etl; what it prints is in the task's log."""
    environment = {**os.environ, "GADS_ETL_ACTOR": "airflow"}
    code = subprocess.run(["gads-etl", *command, "--config", CONFIG], env=environment, check=False).returncode
    if code:
        failure = AirflowException if code == LATER else AirflowFailException
        raise failure(f"gads-etl {' '.join(command)} ended with exit code {code}; the lines above say why")


with DAG(
    "gads_etl",
    schedule="*/30 * * * *",
    max_active_runs=1,
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
):

    @task
    def attempt() -> None:
        """Attempt what is due."""
        gads_etl("serve", "--once")

    @task
    def complete() -> None:
        """Fail while anything that is expected is missing."""
        gads_etl("state", "gaps")

    attempt() >> complete()
