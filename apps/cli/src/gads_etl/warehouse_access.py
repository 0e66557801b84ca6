"""The warehouse that is configured, and loading it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gads_consumer.consumer import Consumer
    from gads_domain.ports.warehouse import Warehouse
    from gads_etl.configuration import Configuration
    from gads_warehouse import LoadReport, WarehouseLoader


@contextmanager
def warehouse_and_consumer(configuration: Configuration) -> Iterator[tuple[Warehouse, Consumer]]:
    """The warehouse as configured, and the consumer that feeds it."""
    from gads_consumer.consumer import Consumer
    from gads_domain.adapters import warehouse_adapter
    from gads_etl.ending import interrupted_by_sigterm

    storage, url = configuration.storage, configuration.warehouse.url
    with (
        interrupted_by_sigterm(),
        warehouse_adapter(url).open_warehouse(url, configuration.base) as warehouse,
        Consumer.open(state=storage.state, sink=storage.sink, base=configuration.base) as consumer,
    ):
        yield warehouse, consumer


def load_warehouse(configuration: Configuration, *, reconcile: bool = False, dry_run: bool = False) -> LoadReport:
    """Bring the configured warehouse to where the ledger is."""
    with warehouse_and_consumer(configuration) as (warehouse, consumer):
        return _loader(consumer, warehouse).load(reconcile=reconcile, dry_run=dry_run)


def _loader(consumer: Consumer, warehouse: Warehouse) -> WarehouseLoader:
    from gads_etl.printing import say
    from gads_warehouse import WarehouseLoader

    return WarehouseLoader(consumer, warehouse, progress=lambda count: say(f"{count:,} partitions loaded"))


def load_document(report: LoadReport) -> dict[str, Any]:
    """A load as it is printed."""
    return {
        "version": 2,
        "mode": report.mode.value,
        "resumed": report.resumed,
        "dry_run": report.dry_run,
        "changed": report.changed,
        "position_before": None if report.before is None else report.before.position,
        "position": report.after.position,
        "steps": report.steps,
        "added": report.added,
        "replaced": report.replaced,
        "removed": report.removed,
        "rows": report.rows,
        "strays": report.strays,
    }


def print_load(report: LoadReport) -> None:
    """A load in one line on stderr."""
    from gads_etl.printing import say

    would = "would be " if report.dry_run else ""
    counts = f"{report.added:,} {would}added, {report.replaced:,} {would}replaced, {report.removed:,} {would}removed"
    strays = f"; {report.strays:,} rows or partitions of no known run {would}removed" if report.strays else ""
    resumed = "; resumed an interrupted full load" if report.resumed else ""
    say(f"warehouse at position {report.after.position} of the ledger: {counts}; {report.rows:,} rows{strays}{resumed}")


SAMPLE_QUERY = """SELECT campaign_name, sum(clicks) AS clicks, sum(cost) AS cost,
    round(sum(conversions), 1) AS conversions
FROM reporting.campaign_daily
GROUP BY campaign_name ORDER BY cost DESC LIMIT 5"""
"""A first look at the tables."""


def show_sample(configuration: Configuration) -> dict[str, Any]:
    """Load the warehouse and run `SAMPLE_QUERY`; the query and its rows as a document."""
    with warehouse_and_consumer(configuration) as (warehouse, consumer):
        report = _loader(consumer, warehouse).load()
        found = warehouse.query(SAMPLE_QUERY)
    rows = [dict(zip(found.columns, row, strict=True)) for row in found.rows]
    return {**load_document(report), "url": configuration.warehouse.url, "query": SAMPLE_QUERY, "rows": rows}


def print_sample(document: dict[str, Any]) -> None:
    """A query and its result: the query on stderr, the result on stdout."""
    from gads_etl.printing import print_table, say

    say(f"{document['url']} holds the tables, equal to the ledger. A query and its result:")
    say(f"\n{document['query']}\n")
    rows = document["rows"]
    heads = [name if name == "campaign_name" else f"#{name}" for name in rows[0]] if rows else []
    print_table("", heads, (list(row.values()) for row in rows))
