"""The datasets of the lineage: reports of the API, raw partitions in the sink, tables of the warehouse."""

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

from openlineage.client.event_v2 import InputDataset, OutputDataset
from openlineage.client.facet_v2 import DatasetFacet, OutputDatasetFacet, schema_dataset

from gads_domain.partition_key import GOOGLE_ADS
from gads_pipeline.configuration import Configuration
from gads_pipeline.reports import KnownReport, known_reports

API = "googleads://googleads.googleapis.com"


class Datasets:
    """Names the datasets of a configuration; each is one report, of all accounts and days."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        self._sink = _place(configuration.storage.sink, configuration.base)
        self._warehouse = _place(configuration.warehouse.url, configuration.base)

    @cached_property
    def _reports(self) -> dict[str, KnownReport]:
        return {known.report.name: known for known in known_reports(self._configuration)}

    def api(self, report: str) -> Callable[[], InputDataset]:
        """The report as the API has it, its columns being fields of GAQL."""
        return lambda: InputDataset(API, report, facets=self._schema(report, of_api=True))

    def raw_input(self, report: str) -> InputDataset:
        """Sealed partitions of the report, read."""
        return InputDataset(*self._raw(report), facets=self._schema(report))

    def raw_output(self, report: str, written: OutputDatasetFacet | None = None) -> OutputDataset:
        """Sealed partitions of the report, written."""
        facets = {"outputStatistics": written} if written is not None else {}
        return OutputDataset(*self._raw(report), outputFacets=facets, facets=self._schema(report))

    def table(self, report: str, written: OutputDatasetFacet) -> OutputDataset:
        """The table of the report in the warehouse."""
        namespace, path = self._warehouse
        name = f"{path}/{report}" if path else report
        return OutputDataset(namespace, name, outputFacets={"outputStatistics": written}, facets=self._schema(report))

    def _raw(self, report: str) -> tuple[str, str]:
        namespace, path = self._sink
        return namespace, "/".join(filter(None, (path, GOOGLE_ADS, f"report={report}")))

    def _schema(self, report: str, *, of_api: bool = False) -> dict[str, DatasetFacet]:
        if report not in self._reports:
            return {}
        _, columns = self._reports[report].columns(self._configuration.google_ads.api_version)
        fields = [
            schema_dataset.SchemaDatasetFacetFields(
                column.field if of_api else column.name, column.type, column.meaning
            )
            for column in columns
        ]
        return {"schema": schema_dataset.SchemaDatasetFacet(fields)}


def _place(url: str, base: Path) -> tuple[str, str]:
    """The namespace and the path of a URL, without credentials and options: `file`, `s3://bucket`, `duckdb`."""
    parts = urlsplit(url)
    if not parts.netloc:
        return parts.scheme, str((base / parts.path).absolute())
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}", parts.path.strip("/")
