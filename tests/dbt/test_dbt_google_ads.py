"""The dbt package google_ads, unmodified, as docs/dbt.md says: its models have the totals of the payloads.

    GADS_DBT_PACKAGES=folder pytest -m dbt tests/dbt

The folder has the packages google_ads (1.2), fivetran_utils, dbt_utils and spark_utils, each in a folder of its name.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow.compute as pc
import pytest

from gads_consumer import Consumer
from gads_pipeline.template import presets, real_account
from gads_reports import builtin
from gads_testing.command_line import Command

pytestmark = [pytest.mark.dbt, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
DBT = ("dbt-core==1.10.23", "dbt-duckdb==1.11.1")
MODELS = {
    "account": "account",
    "campaign": "campaign",
    "ad_group": "ad_group",
    "ad": "ad",
    "keyword": "keyword",
    "search_term": "search_term_keyword",
    "url": "ad",
}
"""The models, and the report whose payloads each one sums up."""
SUMS = ("clicks", "impressions", "conversions", "conversions_value", "view_through_conversions", "all_conversions")
SNAPSHOTS = [name for name in presets()["dbt_google_ads"]["reports"] if not builtin()[name].kind.has_history]
DAILY = [name for name in presets()["dbt_google_ads"]["reports"] if name not in SNAPSHOTS]
TODAY = datetime.now(UTC).date()
Extract = Callable[..., None]


@pytest.fixture(scope="module")
def packages() -> Path:
    named = os.environ.get("GADS_DBT_PACKAGES")
    assert named, "GADS_DBT_PACKAGES has to name a folder with google_ads, fivetran_utils, dbt_utils and spark_utils"
    return Path(named)


@pytest.fixture(scope="module")
def dbt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """dbt in an environment of its own, with the DuckDB of the workspace."""
    folder = tmp_path_factory.mktemp("dbt")
    newest = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["uv"]["exclude-newer"]
    python = folder / "venv" / "bin" / "python"
    install = ("pip", "install", "--python", python, "--exclude-newer", newest, *DBT, f"duckdb=={duckdb.__version__}")
    for command in (("venv", folder / "venv"), install):
        subprocess.run(["uv", "--no-config", "--quiet", *map(str, command)], check=True)
    return folder / "venv" / "bin" / "dbt"


@pytest.fixture
def config(emulator: Callable[..., Path], tmp_path: Path) -> Path:
    """The preset, on a synthetic agency of three accounts."""
    since = TODAY - timedelta(days=30)
    client = emulator("--synthetic", "--seed", 5, "--accounts", 3, "--campaigns", 2, "--since", since, "--until", TODAY)
    text = real_account("file:raw", "sqlite:state.db", "v26", "dbt_google_ads")
    was, now = 'configuration = "google-ads.yaml"', f'configuration = "{client}/google-ads.yaml"'
    assert was in text
    path = tmp_path / "gads.toml"
    path.write_text(text.replace(was, f'{now}\nca_certificate = "{client}/ca.pem"'))
    return path


@pytest.fixture
def extract(config: Path, gads_etl: Command) -> Extract:
    def run(reports: list[str], ago: int, *more: str, last: int | None = None) -> None:
        days = [str(TODAY - timedelta(days=n)) for n in (ago, ago if last is None else last)]
        named = [word for name in reports for word in ("--report", name)]
        done = gads_etl("run", "-c", config, "--since", days[0], "--until", days[1], *named, *more)
        assert done.code == 0, done.err
        loaded = gads_etl("warehouse", "load", "-c", config)
        assert loaded.code == 0, loaded.err

    return run


def _full(config: Path, extract: Extract) -> None:
    extract(DAILY, 6, last=3)
    extract(SNAPSHOTS, 1, last=-1)


def _one_account_without_snapshots(config: Path, extract: Extract) -> None:
    extract(DAILY, 6, last=3)
    with Consumer.open(state="sqlite:state.db", sink="file:raw", base=config.parent) as consumer:
        _, *others = sorted({each.key.customer_id for each in consumer.snapshot("account").partitions})
    assert others
    extract(SNAPSHOTS, 1, *(word for other in others for word in ("--customer", other)), last=-1)


def _after_two_schema_versions(config: Path, extract: Extract) -> None:
    """A column comes, and a column goes, in the midst of the days."""
    whole = config.read_text()
    extract(DAILY, 6)
    for more, ago in ((1, 5), (2, 4)):
        sections = "".join(_own(name, more) for name in DAILY)
        head = whole[: whole.index("[[reports]]")]
        snapshots = "".join(f'[[reports]]\nname = "{name}"\n' for name in SNAPSHOTS)
        config.write_text(f"{head}{sections}{snapshots}")
        extract(DAILY, ago)
    extract(SNAPSHOTS, 1, last=-1)


def _own(name: str, more: int) -> str:
    query = re.sub(r"^--.*\n", "", builtin()[name].query, flags=re.MULTILINE)
    column = "metrics.all_conversions_value"
    assert query.count(column) == 1
    changed = query.replace(column, f"{column},\n  metrics.average_cpc")
    if more == 2:
        changed = re.sub(rf",\s*{re.escape(column)}", "", query)
    version = builtin()[name].schema_version + more
    return f'[[reports]]\nname = "{name}"\nschema_version = {version}\nquery = """{changed}"""\n'


@pytest.mark.parametrize("fill", [_full, _one_account_without_snapshots, _after_two_schema_versions])
def test_the_seven_models_have_the_totals_of_the_payloads(
    fill: Callable[[Path, Extract], None],
    config: Path,
    extract: Extract,
    packages: Path,
    dbt: Path,
    gads_etl: Command,
) -> None:
    fill(config, extract)
    verified = gads_etl("warehouse", "verify", "-c", config)
    assert verified.code == 0, verified.err
    project = _project(config.parent / "project", packages)
    built = subprocess.run(
        [str(dbt), "build", "--profiles-dir", "."], cwd=project, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stdout
    assert "ERROR=0" in built.stdout
    with duckdb.connect(str(project / "ads.duckdb"), read_only=True) as made:
        for model, report in MODELS.items():
            table = f"main_google_ads.google_ads__{model}_report"
            found = made.execute(f"SELECT sum(spend), {', '.join(f'sum({name})' for name in SUMS)} FROM {table}")
            expected = _totals(config.parent, report)
            *sums, passed_through = found.fetchone() or ()
            assert sums == pytest.approx(expected[:-1], rel=1e-9), model
            assert passed_through == pytest.approx(expected[-1], rel=1e-6), f"{model}: the package rounds to 32 bits"
            columns = {name for name, *_ in made.execute(f"DESCRIBE {table}").fetchall()}
            for name in columns & {"account_name", "currency_code", "campaign_name", "ad_group_name"}:
                nameless = f"SELECT count(*) FROM {table} WHERE {name} IS NULL"
                assert made.execute(nameless).fetchone() == (0,), f"{model}: {name}"


def _totals(base: Path, report: str) -> tuple[float, ...]:
    """Spend and the sums of a report's payloads, read by the consumer."""
    with Consumer.open(state="sqlite:state.db", sink="file:raw", base=base) as consumer:
        rows = consumer.snapshot(report).to_table(unify=True)

    def total(name: str) -> float:
        column = f"metrics_{name}"
        return pc.sum(rows.column(column)).as_py() or 0 if column in rows.column_names else 0

    assert total("clicks") > 0
    return total("cost_micros") / 1e6, *map(total, SUMS)


def _project(folder: Path, packages: Path) -> Path:
    """The files that docs/dbt.md shows, with the packages that `dbt deps` would fetch."""
    folder.mkdir()
    text = (ROOT / "docs" / "dbt.md").read_text(encoding="utf-8")
    shown = dict(re.findall(r"```yaml title=(\S+)\n(.*?)```", text, re.DOTALL))
    assert set(shown) == {"profiles.yml", "dbt_project.yml", "packages.yml"}
    for name in ("profiles.yml", "dbt_project.yml"):
        (folder / name).write_text(shown[name])
    shutil.copytree(packages, folder / "dbt_packages")
    return folder
