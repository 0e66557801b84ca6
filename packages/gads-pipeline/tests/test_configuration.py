from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gads_domain.errors import ConfigurationError, GadsError, UsageError
from gads_domain.package_data import tables_of
from gads_domain.ports.warehouse import REPORTING_VIEWS
from gads_pipeline.configuration import Configuration
from gads_pipeline.reports import known_reports
from gads_pipeline.template import presets, real_account
from gads_reports import builtin

WHOLE = real_account("file:raw", "sqlite:state.db", "v26")


def _written(folder: Path, text: str) -> Path:
    path = folder / "gads.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_template_is_a_configuration(tmp_path: Path) -> None:
    configuration = Configuration.load(_written(tmp_path, WHOLE))
    assert [report.name for report in configuration.reports()] == ["campaign", "ad_group", "keyword"]
    assert configuration.storage.sink == "file:raw"
    assert configuration.base == tmp_path


def test_a_preset_names_packaged_reports_and_that_of_dbt_all_that_its_sources_read(tmp_path: Path) -> None:
    assert set(presets()) == {"minimal", "agency", "dbt_google_ads"}
    for name, preset in presets().items():
        text = real_account("file:raw", "sqlite:state.db", "v26", name)
        configuration = Configuration.load(_written(tmp_path, text))
        assert [report.name for report in configuration.reports()] == preset["reports"]
        assert set(preset["reports"]) <= set(builtin())
    sources = tables_of("gads_warehouse_duckdb", "views/dbt_sources.toml")["source"].values()
    # A list of accounts is read where it is there: `customer` says the same of each account.
    read = {report for source in sources for report in source["reports"]} - {"customer_client"}
    assert set(presets()["dbt_google_ads"]["reports"]) == read
    with pytest.raises(UsageError, match="no preset 'mine'"):
        real_account("file:raw", "sqlite:state.db", "v26", "mine")


def test_what_the_template_says_of_the_control_plane_is_what_holds_without_it(tmp_path: Path) -> None:
    head, rest = WHOLE.split("\n[run]\n")
    reports = rest[rest.index("\n# A packaged report") :]
    assert "[quota]" not in head + reports
    without = Configuration.load(_written(tmp_path, head + reports))
    whole = Configuration.load(_written(tmp_path, WHOLE))
    for section in ("run", "quota", "retry", "schedules"):
        assert getattr(whole, section) == getattr(without, section)


def test_what_the_template_has_as_a_comment_may_be_used(tmp_path: Path) -> None:
    text = WHOLE
    for line in ("backfill_since = 2024-01-01", 'access_level = "basic"'):
        assert f"# {line}" in text
        text = text.replace(f"# {line}", line)
    text = text.replace(
        '# [[schedules]]\n# cron = "0 5 * * *"\n# reports', '[[schedules]]\ncron = "0 5 * * *"\nreports'
    )
    sections = Configuration.load(_written(tmp_path, text))
    assert sections.cron_of("campaign") == "0 5 * * *"
    assert sections.quota.budget.limit == 15_000
    assert sections.run.backfill_since is not None


@pytest.mark.parametrize(
    ("quota", "limit"),
    [
        ('access_level = "explorer"', 2_880),
        ('access_level = "basic"', 15_000),
        ('access_level = "standard"', None),
        ("operations_per_day = 7", 7),
        ("", None),
    ],
)
def test_the_daily_limit_follows_from_the_access_level_or_is_a_number(
    tmp_path: Path, quota: str, limit: int | None
) -> None:
    text = WHOLE.replace("[quota]", f"[quota]\n{quota}")
    assert Configuration.load(_written(tmp_path, text)).quota.budget.limit == limit


def test_customer_ids_may_have_dashes_and_are_chosen_exactly(tmp_path: Path) -> None:
    text = WHOLE.replace("customer_ids = []", 'customer_ids = ["123-456-7890", "2223334444"]')
    configuration = Configuration.load(_written(tmp_path, text))
    assert configuration.customers([]) == ("1234567890", "2223334444")
    assert configuration.customers(["2223334444"]) == ("2223334444",)
    with pytest.raises(UsageError, match="123 is not among"):
        configuration.customers(["123"])


def test_no_account_is_a_fault_of_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no account is named"):
        Configuration.load(_written(tmp_path, WHOLE)).customers([])


def test_a_query_may_stand_in_a_file_beside_it(tmp_path: Path) -> None:
    (tmp_path / "own.gaql").write_text("SELECT campaign.id, segments.date FROM campaign")
    text = WHOLE[: WHOLE.index("[[reports]]")] + '[[reports]]\nname = "own"\nfile = "own.gaql"\n'
    (report,) = Configuration.load(_written(tmp_path, text)).reports()
    assert report.query.startswith("SELECT campaign.id")
    (tmp_path / "own.gaql").unlink()
    with pytest.raises(ConfigurationError, match=r"report own: cannot read"):
        Configuration.load(tmp_path / "gads.toml").reports()


RESERVED = sorted({*REPORTING_VIEWS, "campaign__v2", "campaign__all_versions"})


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (("[extraction]", "[extraction]\nmax_attempts = 0"), "extraction"),
        (('name = "ad_group"', 'name = "ad_group"\nschema_version = 0'), "reports[1].schema_version"),
        (('name = "ad_group"', 'name = "ad_group"\nschema_version = 2'), "its own; leave it out"),
        (('name = "ad_group"', 'name = "ad_group"\nquery = "x"\nfile = "y"'), "either query or file"),
        (('name = "ad_group"', 'name = "campaign"'), "two reports are named campaign"),
        *((('name = "ad_group"', f'name = "{name}"'), f"choose another, such as my_{name}") for name in RESERVED),
        (("[storage]", "[storage]\nsecret = 1"), "storage.secret"),
        (("[quota]", "[retry.errors.api_permanant]\nretry = true\n[quota]"), "retry.errors"),
        (("[quota]", "[retry.errors.api_permanant]\nretry = true\n[quota]"), "api_permanent may be meant"),
        (("[quota]", '[quota]\naccess_level = "gold"'), "quota.access_level"),
        (("[quota]", '[quota]\naccess_level = "basic"\noperations_per_day = 9'), "keep one of them"),
        (("[google_ads]", "[google_ads]\nemulator = { accounts = 0 }"), "google_ads.emulator.accounts"),
        (("[google_ads]", "[google_ads]\nemulator = {}"), "either configuration or an emulator"),
    ],
)
def test_each_fault_names_its_key(tmp_path: Path, change: tuple[str, str], key: str) -> None:
    text = WHOLE.replace("max_attempts = 5\n", "").replace(*change, 1)
    with pytest.raises(ConfigurationError) as raised:
        Configuration.load(_written(tmp_path, text))
    assert key in raised.value.message
    assert raised.value.hint


@pytest.mark.parametrize(
    "code", ["api_permanent", "api_quota", "check_failed", "internal", "storage_full", "worker_lost"]
)
def test_each_code_of_a_failure_can_have_a_rule(tmp_path: Path, code: str) -> None:
    text = WHOLE.replace("[quota]", f"[retry.errors.{code}]\nretry = true\n[quota]", 1)
    rules = Configuration.load(_written(tmp_path, text)).retry.policy.rules
    assert rules[code].retry


@given(data=st.binary(max_size=400))
def test_garbage_is_a_configuration_error_and_nothing_else(
    data: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("garbage") / "gads.toml"
    path.write_bytes(data)
    with pytest.raises(GadsError):
        Configuration.load(path)


def test_each_fault_is_said_once_in_words_of_the_file(tmp_path: Path) -> None:
    text = '[google_ads]\nextra = 1\n[storage]\nsink = "file:raw"\n[[reports]]\nname = "x"\nschema_version = 0\n'
    path = _written(tmp_path, text)
    with pytest.raises(ConfigurationError) as caught:
        Configuration.load(path)
    assert caught.value.message.removeprefix(f"{path}: ").split("; ") == [
        "google_ads.extra: there is no such key",
        "storage.state: is missing",
        "reports[0].schema_version: Input should be greater than or equal to 1",
    ]


def test_a_byte_order_mark_is_no_part_of_a_text(tmp_path: Path) -> None:
    path = tmp_path / "gads.toml"
    query = "SELECT customer.id, segments.date FROM customer"
    text = WHOLE[: WHOLE.index("[[reports]]")] + '[[reports]]\nname = "own"\nfile = "own.gaql"\n'
    path.write_text(text, encoding="utf-8-sig")
    (tmp_path / "own.gaql").write_text(query, encoding="utf-8-sig")
    (report,) = Configuration.load(path).reports(())
    assert report.query == query


DAYS = """
[google_ads]
api_version = "v26"
[storage]
sink = "file:raw"
state = "sqlite:state.db"
[[reports]]
name = "campaign"
restatement_days = 90
history_days = 400
[[reports]]
name = "own"
query = "SELECT campaign.id, segments.date, metrics.clicks FROM campaign"
restatement_days = 7
due_hours = 30
"""


def test_the_days_of_a_report_are_those_that_its_section_sets(tmp_path: Path) -> None:
    configuration = Configuration.load(_written(tmp_path, DAYS))
    campaign, own = configuration.reports()
    assert (campaign.restatement_days, str(campaign.history)) == (90, "400 days")
    assert (own.restatement_days, str(own.history)) == (7, "37 months")
    assert [configuration.limits.due_of(name) for name in ("campaign", "own")] == [
        timedelta(hours=6),
        timedelta(hours=30),
    ]
    assert builtin()["campaign"].restatement_days == 30
    listed = {known.report.name: known for known in known_reports(configuration)}
    assert (listed["campaign"].report, listed["campaign"].origin) == (campaign, "packaged")
    assert listed["own"].report == own


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            "restatement_days = 7",
            "restatement_days = 0",
            r"reports\[1\]\.restatement_days: .*greater than or equal to 1",
        ),
        ("history_days = 400", "history_days = 60", "campaign reads 90 days again of a history of 60 days"),
        ("campaign.id, segments.date, metrics.clicks FROM campaign", "label.id FROM label", "has no restatement_days"),
    ],
)
def test_days_that_a_report_cannot_have_are_refused(tmp_path: Path, before: str, after: str, message: str) -> None:
    assert before in DAYS
    with pytest.raises(ConfigurationError, match=message):
        Configuration.load(_written(tmp_path, DAYS.replace(before, after))).reports()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a = " + "[" * 5000, "is nested too deeply"),
        ("a = " + "9" * 5000, "is not TOML"),
        ("# " + "x" * (1 << 20), "it is longer than 1,048,576 bytes"),
    ],
)
def test_a_file_is_read_within_bounds(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "gads.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match=message):
        Configuration.load(path)


def test_no_pipe_or_device_is_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(ConfigurationError, match="it is not a regular file"):
            Configuration.load(path)
    report = {"name": "own", "file": "pipe"}
    configured = Configuration.of(
        {"storage": {"sink": "file:a", "state": "sqlite:b"}, "reports": [report]}, tmp_path / "c"
    )
    with pytest.raises(ConfigurationError, match=r"own: cannot read .*pipe: it is not a regular file"):
        configured.reports()
