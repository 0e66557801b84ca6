"""The processes of the extraction benchmark: a server that replays encoded pages, and its three clients.

Run as `python extraction_speed_process.py serve DIR` or `… extract|drain|dicts DIR ROWS`; each client prints one line
of JSON. The account asked for is the number of rows wanted, 100,000 a day. Whole tools, which look accounts up first,
ask the accounts of a synthetic agency: the first has 200,000 rows, the second 2,000,000.
"""

from __future__ import annotations

import itertools
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

API_VERSION = "v26"
PAGE_ROWS = 10_000
DAY_ROWS = 100_000
FIRST = date(2024, 1, 1)
TEMPLATES = 10
ACCOUNT = 1_234_567_890
TOOL_ROWS = (200_000, 2_000_000)
KEPT_PAGES = 100
QUERY = """
    SELECT customer.id, campaign.id, campaign.name, campaign.status, ad_group.id, ad_group.name,
      ad_group_criterion.criterion_id, ad_group_criterion.keyword.text, segments.date, segments.device,
      metrics.clicks, metrics.impressions, metrics.cost_micros
    FROM keyword_view
"""


def templates() -> list[bytes]:
    """Distinct pages of one day, with the fields that the API sends unasked (resource names) too."""
    from google.ads.googleads.v26.services.types.google_ads_service import SearchGoogleAdsStreamResponse

    made = []
    for number in range(TEMPLATES):
        page = SearchGoogleAdsStreamResponse.pb()(request_id="replayed")
        for n in range(number * PAGE_ROWS, (number + 1) * PAGE_ROWS):
            row = page.results.add()
            campaign, group = n // 500, n // 20
            row.customer.id = ACCOUNT
            row.customer.resource_name = "customers/1234567890"
            row.campaign.id = 17_000_000_000 + campaign
            row.campaign.name = f"Campaign {campaign} Search Germany"
            row.campaign.status = 2
            row.campaign.resource_name = f"customers/1234567890/campaigns/{17_000_000_000 + campaign}"
            row.ad_group.id = 140_000_000_000 + group
            row.ad_group.name = f"Ad group {group}"
            row.ad_group_criterion.criterion_id = 300_000_000_000 + n
            row.ad_group_criterion.keyword.text = f"buy product {n * 7919 % 99_991}"
            row.keyword_view.resource_name = f"customers/1234567890/keywordViews/{group}~{n}"
            row.segments.date = FIRST.isoformat()
            row.segments.device = 2 + n % 3
            row.metrics.clicks = n * 31 % 97
            row.metrics.impressions = n * 131 % 9_973
            row.metrics.cost_micros = n * 7_907 % 99_999_989
        made.append(page.SerializeToString())
    return made


class Replay:
    def __init__(self) -> None:
        self._templates = templates()
        self._kept = [self._make(number) for number in range(KEPT_PAGES)]
        self.row_bytes = len(self._templates[0]) / PAGE_ROWS

    def _make(self, number: int) -> bytes:
        day = FIRST + timedelta(days=number * PAGE_ROWS // DAY_ROWS)
        template = self._templates[number % TEMPLATES]
        return template.replace(FIRST.isoformat().encode(), day.isoformat().encode())

    def pages(self, rows: int) -> Iterator[bytes]:
        count = rows // PAGE_ROWS
        yield from itertools.islice(self._kept, count)
        for number in range(KEPT_PAGES, count):
            yield self._make(number)


def _varint(number: int) -> bytes:
    """An account's number on the wire; all of them have the same length."""
    digits = [number >> shift & 0x7F for shift in range(0, 35, 7)]
    return bytes([*(digit | 0x80 for digit in digits[:-1]), digits[-1]])


def serve(folder: Path) -> None:
    from gads_emulator import Authority, EmulatorServer, SyntheticAgency

    replay, agency = Replay(), SyntheticAgency()
    rows = dict(zip(agency.client_ids, TOOL_ROWS, strict=False))

    def wrap(api: Any) -> Any:
        def answer(call: Any) -> Any:
            if len(call.customer_id) < 10:
                return replay.pages(int(call.customer_id))
            if "keyword_view" not in call.request.query:
                return api(call)
            own = _varint(int(call.customer_id))
            return (page.replace(_varint(ACCOUNT), own) for page in replay.pages(rows[call.customer_id]))

        return answer

    with EmulatorServer(agency, authority=Authority(), wrap=wrap) as server:
        server.write_client_configuration(folder)
        known = {"query": QUERY, "rows": rows, "first": FIRST.isoformat(), "day_rows": DAY_ROWS}
        print(json.dumps({"row_bytes": replay.row_bytes, **known}), flush=True)
        sys.stdin.read()


def connect(folder: Path) -> Any:
    os.environ["GRPC_DEFAULT_SSL_ROOTS_FILE_PATH"] = str(folder / "ca.pem")
    from gads_extractor.connection import GoogleAdsConnection

    return GoogleAdsConnection.open(folder / "google-ads.yaml", API_VERSION)


def warm_up(connection: Any) -> None:
    for _ in connection.search_stream(str(PAGE_ROWS), "warm up"):
        pass


def extract(folder: Path, rows: int) -> float:
    connection = connect(folder)
    from gads_domain.adapters import sink_adapter
    from gads_domain.clock import RandomRunIds, SystemClock
    from gads_domain.ports.report_source import Sealed
    from gads_domain.report import ReportDefinition, ReportSlice
    from gads_domain.run import RunContext
    from gads_extractor.report_source import GoogleAdsReportSource

    warm_up(connection)
    last = FIRST + timedelta(days=(rows - 1) // DAY_ROWS)
    slice_ = ReportSlice(str(rows), ReportDefinition("keyword", QUERY), FIRST, last)
    run = RunContext(RandomRunIds(SystemClock()).new_run_id())
    with tempfile.TemporaryDirectory(dir=folder) as store:
        sink = sink_adapter("file:raw").open_sink("file:raw", Path(store))
        start = time.perf_counter()
        outcomes = list(GoogleAdsReportSource(connection).extract(slice_, run, sink).days)
        seconds = time.perf_counter() - start
    sealed = [outcome.metadata for outcome in outcomes if isinstance(outcome, Sealed)]
    assert len(sealed) == len(outcomes), outcomes[0]
    assert sum(metadata.facts.record_count for metadata in sealed) == rows
    return seconds


def drain(folder: Path, rows: int) -> float:
    connection = connect(folder)
    warm_up(connection)
    start = time.perf_counter()
    assert sum(1 for _ in connection.search_stream(str(rows), "drain")) == rows // PAGE_ROWS
    return time.perf_counter() - start


def dicts(folder: Path, rows: int) -> float:
    """The usual way: a dict a row from `MessageToDict`, then one Parquet file."""
    connection = connect(folder)
    import pyarrow as pa
    import pyarrow.parquet as pq
    from google.protobuf.json_format import MessageToDict

    service = connection._client.get_service("GoogleAdsService")
    paths = [field.strip().split(".") for field in QUERY.split("FROM")[0].replace("SELECT", "").split(",")]
    warm_up(connection)
    start = time.perf_counter()
    found = []
    for page in service.search_stream(customer_id=str(rows), query="dicts"):
        for row in page.results:
            tree = MessageToDict(type(row).pb(row), preserving_proto_field_name=True)
            flat = {}
            for path in paths:
                value: Any = tree
                for name in path:
                    value = value.get(name) if value is not None else None
                flat["_".join(path)] = value
            found.append(flat)
    with tempfile.TemporaryDirectory(dir=folder) as store:
        pq.write_table(pa.Table.from_pylist(found), Path(store) / "rows.parquet", compression="zstd")
        return time.perf_counter() - start


def main() -> None:
    what, folder = sys.argv[1], Path(sys.argv[2])
    if what == "serve":
        serve(folder)
        return
    rows = int(sys.argv[3])
    seconds = {"extract": extract, "drain": drain, "dicts": dicts}[what](folder, rows)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"rows": rows, "seconds": seconds, "peak_bytes": peak}))


if __name__ == "__main__":
    main()
