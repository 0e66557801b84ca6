"""The text of a new `gads.toml`, every key with a comment."""

import json
import re
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

from gads_domain.account_days import DayRange, last_complete_day
from gads_domain.errors import ConfigurationError, UsageError
from gads_domain.package_data import tables_of

_SEED = 7
_ACCOUNTS = 3
_DEMO_DAYS = 14

_REPORTS = '''
# A packaged report by its name alone: `gads-etl reports list` lists them, `gads-etl reports show NAME` shows one.
[[reports]]
name = "campaign"
# Checks of the rows of every day, in addition to those of every partition. Also: min_rows, unique.
checks = { not_null = ["campaign.id"], non_negative = ["metrics.impressions", "metrics.clicks"] }
# How many days before today a run reads again; 90 suits a conversion window of 90 days. And how far back the API keeps
# the report, where you know it better. Without them, what the report says itself.
# restatement_days = 90
# history_days = 1000

[[reports]]
name = "ad_group"

[[reports]]
name = "keyword"

# Your own. Without a condition on segments.date: each run adds its days. `file = "own.gaql"` takes it from
# a file; the name of a packaged report puts yours in its place. Raise schema_version when the rows change their shape
# or their meaning.
# [[reports]]
# name = "campaign_by_device"
# schema_version = 1
# query = """
# SELECT customer.id, campaign.id, segments.date, segments.device, metrics.clicks, metrics.cost_micros
# FROM campaign
# """
'''

_STORAGE = """
[storage]
# Where raw partitions are written. The scheme names the adapter; a relative path starts at this file's folder.
sink = {sink}
# The ledger: which run of each partition is authoritative.
state = {state}

[extraction]
# Adjacent days of one report of one account are one request, which is one operation of the daily quota.
max_days_per_request = 31
# How often one request is tried within a run, and after how many seconds a silent stream is given up.
max_attempts = 5
silence_seconds = 300

[warehouse]
# Tables that gads-etl warehouse load keeps equal to the authoritative partitions; with load_after_run each run,
# backfill and round of serve does too.
url = "duckdb:warehouse.duckdb"
load_after_run = false

[run]
# Worker processes; how long a lease outlives a killed process, and how often `gads-etl serve` looks for work.
workers = 1
lease_seconds = 60
look_seconds = 30
# After how many seconds without a heartbeat a process counts as silent; it says twice as often that it lives.
heartbeat_seconds = 30
# How far back `plan` and `serve` fill gaps; without it, as far as each report's restatement window.
# backfill_since = 2024-01-01

[quota]
# Operations within any 24 hours, for all processes on this ledger together; without it, no limit.
# The quota belongs to the Cloud project of the credentials. Its access level: explorer (2,880), basic (15,000) or
# standard (no daily limit). Or a number of your own: operations_per_day = 10000
# access_level = "basic"
# How long a run waits for the end of a rest that the API asks for. A longer one ends the run, which says until when.
wait_seconds = 300

[retry]
# When a failed partition is attempted again: the delay doubles with each failure; then it is given up, on record.
first_delay_minutes = 5
largest_delay_minutes = 360
max_attempts = 8
max_age_days = 1130

[restatement]
# Restated days that come as they were sealed before are not sealed again: the ledger confirms their run. With
# seal_unchanged they are, and so are those whose seal is older than reseal_after_days (0: however old).
seal_unchanged = false
reseal_after_days = 0
# The share of such days whose seal and payload are read back before, so that damage is found; `run --trust` skips it.
verify_share = 0.01

[retention]
# After how many days superseded runs are removed from the sink, by `gads-etl sink prune` and by `serve` every
# prune_hours; without superseded_days never. The newest keep_superseded of each day stay in any case.
# superseded_days = 30
keep_superseded = 0
prune_hours = 24

[validation]
# A restatement that loses at least this share of a day's rows is held until `gads-etl state accept` takes it, and the
# former rows stay. 1 is all of them.
vanished_rows = 1.0

[freshness]
# How old a list of accounts may be before it is unknown what is expected, and how long after its end, in the account's
# zone, a day is due; `due_hours` of a report is its own.
accounts_max_age_hours = 36
due_hours = 6

# Who is told when something is wrong: by Slack, Teams, mail, PagerDuty, a webhook, … (pip install 'gads-etl[alerts]').
# The URL is a secret: it stands in the environment, and `gads-etl alerts test` tries it. Without more than that, every
# rule is watched; docs/observability.md has the rules. Alerts that are open are said again after repeat_hours.
# [[alerts]]
# url_env = "GADS_SLACK_URL"
# watch = ["deadline", "gaps", "failures", "budget", "credentials", "daemon", "restatement", "sunset", "warehouse",
#          "disk"]
# severity = "warning"
# deadlines = [{{ by = "09:00", reports = ["campaign"] }}]
# repeat_hours = 24
# digest = "08:00"
# time_zone = "Europe/Zurich"

# When `plan` and `serve` start new days and restatements, in each account's zone; without one, once they are due.
# [[schedules]]
# cron = "0 5 * * *"
# reports = ["campaign"]
"""


def real_account(sink: str, state: str, api_version: str, preset: str | None = None) -> str:
    """A configuration for a real account, to be filled in, with the reports of `preset` or a few to start with.

    Raises `UsageError` for an unknown preset.
    """
    head = f"""# gads-etl: what is extracted, from which accounts, and where to. Secrets do not belong here.

[google_ads]
# The official client's own file: OAuth client, refresh token or service account, login customer.
# Leave it out to use the client's GOOGLE_ADS_* environment variables.
configuration = "google-ads.yaml"
# Google supports a version for about a year; `gads-etl check` says what a change would break.
api_version = {json.dumps(api_version)}
# "unlimited" for an API that keeps every day, such as a local one with recorded rows; by default days beyond what the
# Google Ads API keeps (37 months of daily figures, less of clicks and changes) are skipped by name.
# history = "unlimited"
# The accounts to extract, digits alone; an empty list means every account below the login customer.
customer_ids = []

# Without customer_ids: below which manager, and which of the accounts there. `gads-etl accounts` draws the tree.
# A pattern is an id, a name with * and ?, label:NAME or status:ENABLED; one that matches a manager means everything
# below it, except a status.
# [accounts]
# root = "1234567890"
# include = ["Acme *", "label:priority"]
# exclude = ["123-456-7890"]
"""
    reports = _REPORTS if preset is None else _preset(preset)
    return head + _STORAGE.format(sink=json.dumps(sink), state=json.dumps(state)) + reports


def presets() -> dict[str, dict[str, Any]]:
    """The sets of reports to start with, by name: `purpose` and `reports`."""
    return tables_of("gads_reports", "presets.toml")


def _preset(name: str) -> str:
    if name not in presets():
        raise UsageError(f"there is no preset {name!r}", hint=f"there are {', '.join(presets())}")
    chosen = presets()[name]
    lines = "".join(f"\n[[reports]]\nname = {json.dumps(report)}\n" for report in chosen["reports"])
    return f"\n# The preset {name}: {chosen['purpose']}.\n# `gads-etl reports show NAME` shows one.{lines}"


def write_demo(path: Path, sink: str, state: str, until: date | None, now: datetime) -> DayRange:
    """Write the configuration of the demo's agency to `path`, unless it exists; the days to extract.

    They are 14 and end with `until`, by default the last day that is over for each of its accounts: nothing that is due
    is missing then. The agency is active from the year before to the year after. Raises `ConfigurationError` if the
    file cannot be written, and as `DayRange` does.
    """
    from gads_emulator import SyntheticAgency, SyntheticSettings  # an extra
    from gads_gaql.catalogue import latest

    agency = SyntheticAgency(SyntheticSettings(seed=_SEED, accounts=_ACCOUNTS))
    zones = {agency.accounts[customer_id].time_zone for customer_id in agency.client_ids}
    last = until or min(last_complete_day(zone, now) for zone in zones)
    text = f"""# gads-etl on a synthetic agency: every command that needs the API starts a local one while it runs.

[google_ads]
api_version = {json.dumps(latest())}

[google_ads.emulator]
seed = {_SEED}
accounts = {_ACCOUNTS}
since = {date(last.year - 1, 1, 1)}
until = {date(last.year + 1, 12, 31)}
"""
    # Expected are the days that a report restates, so that a demo of these days is complete.
    reports = re.sub(r"^(name = .*)$", rf"\1\nrestatement_days = {_DEMO_DAYS}", _REPORTS, flags=re.MULTILINE)
    text += _STORAGE.format(sink=json.dumps(sink), state=json.dumps(state)) + reports
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigurationError(f"cannot write {path}: {error.strerror}", hint="name another folder") from None
    return DayRange(last - timedelta(days=_DEMO_DAYS - 1), last)
