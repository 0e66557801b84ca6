"""The text of a new `gads.toml`, every key with a comment."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date

_REPORTS = '''
# A packaged report by its name alone: `gads-etl reports list` shows them, `gads-etl reports show NAME` what is in one.
[[reports]]
name = "campaign"
# What the rows of every day must hold, beside what every partition must. Also: min_rows, unique.
checks = { not_null = ["campaign.id"], non_negative = ["metrics.impressions", "metrics.clicks"] }

[[reports]]
name = "ad_group"

[[reports]]
name = "keyword"

# One of your own. No condition on segments.date: each run adds the days it asks for. `file = "own.gaql"` takes it from
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
# Where raw partitions are written. The scheme names the adapter; a relative path is taken from this file's folder.
sink = {sink}
# The ledger: which run of each partition is to be believed.
state = {state}

[extraction]
# Adjacent days of one report of one account are one request, which is one operation of the daily quota.
max_days_per_request = 31
# How often one request is tried within a run, and how long a silent stream is waited for.
max_attempts = 5
silence_seconds = 300

[warehouse]
# Tables that gads-etl warehouse load keeps equal to what the ledger vouches for; with load_after_run each run,
# backfill and round of serve does too.
url = "duckdb:warehouse.duckdb"
load_after_run = false

[run]
# Worker processes, and how long others wait for the work of one that was killed. `gads-etl serve` looks this often.
workers = 1
lease_seconds = 60
look_seconds = 30
# How far back `plan` and `serve` make up for days; without it they keep to each report's restatement window.
# backfill_since = 2024-01-01

[quota]
# Operations a day that all who use this ledger may spend together, from midnight to midnight; without it, no limit.
# operations_per_day = 15000
time_zone = "UTC"

[retry]
# When what failed is attempted again: the delay doubles from failure to failure; then it is given up, on record.
first_delay_minutes = 5
largest_delay_minutes = 360
max_attempts = 8
max_age_days = 1130

# When `plan` and `serve` begin new days and restatements, in each account's own zone; without one, once they are due.
# [[schedules]]
# cron = "0 5 * * *"
# reports = ["campaign"]
"""


def real_account(sink: str, state: str, api_version: str) -> str:
    """A configuration for a real account, to be filled in."""
    head = f"""# gads-etl: what is extracted, for whom, and where to. Secrets do not belong here.

[google_ads]
# The official client's own file: developer token, OAuth client, refresh token or service account, login customer.
# Leave it out to use the client's GOOGLE_ADS_* environment variables.
configuration = "google-ads.yaml"
# A version lives about a year; `gads-etl check` says what a change would break.
api_version = {json.dumps(api_version)}
# The accounts to extract, digits alone; none is every account below the login customer.
customer_ids = []

# Without customer_ids: below which manager, and which of the accounts there. `gads-etl accounts` draws the tree.
# A pattern is an id, a name with * and ?, or label:NAME; one that fits a manager stands for all below it.
# [accounts]
# root = "1234567890"
# include = ["Acme *", "label:priority"]
# exclude = ["123-456-7890"]
"""
    return head + _STORAGE.format(sink=json.dumps(sink), state=json.dumps(state)) + _REPORTS


def demo(
    sink: str, state: str, api_version: str, customer_ids: Sequence[str], seed: int, days: tuple[date, date]
) -> str:
    """A configuration whose API is a local emulator of a synthetic agency."""
    head = f"""# gads-etl on a synthetic agency: every command that needs the API starts a local one while it runs.

[google_ads]
api_version = {json.dumps(api_version)}
customer_ids = {json.dumps(list(customer_ids))}

[google_ads.emulator]
seed = {seed}
accounts = {len(customer_ids)}
since = {days[0]}
until = {days[1]}
"""
    return head + _STORAGE.format(sink=json.dumps(sink), state=json.dumps(state)) + _REPORTS
