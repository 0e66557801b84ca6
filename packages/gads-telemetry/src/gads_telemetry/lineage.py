"""Events as OpenLineage: a run of a job for each report of a run, for a validation, and for a load."""

import os
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.metadata import version

from openlineage.client import OpenLineageClient, set_producer
from openlineage.client.event_v2 import InputDataset, Job, OutputDataset, Run, RunEvent, RunState
from openlineage.client.facet_v2 import (
    JobFacet,
    OutputDatasetFacet,
    RunFacet,
    error_message_run,
    job_type_job,
    output_statistics_output_dataset,
    processing_engine_run,
    tags_run,
)
from openlineage.client.uuid import generate_static_uuid

from gads_domain.clock import iso_utc
from gads_domain.state import ValidationOutcome
from gads_orchestrator.events import (
    Event,
    PartitionSealed,
    PartitionUnsealed,
    PartitionValidated,
    RunEnded,
    RunStopped,
    SliceStarted,
)
from gads_orchestrator.outcome import Ending
from gads_pipeline import Pipeline
from gads_pipeline.events import ValidationEnded, WarehouseLoaded, WarehouseLoadFailed
from gads_telemetry.background_sender import BackgroundSender
from gads_telemetry.lineage_datasets import Datasets

NAMESPACE = "gads-etl"
"""Of the jobs, unless `OPENLINEAGE_NAMESPACE` names another."""

_PACKAGE = "gads-telemetry"
PRODUCER = "https://pypi.org/project/gads-telemetry/"
_LONGEST = 4_000


@dataclass(slots=True)
class _Extraction:
    """What a run did for one report so far."""

    began: datetime
    rows: int = 0
    files: int = 0
    failed: int = 0
    reason: str = ""

    def fail(self, reason: str) -> None:
        self.failed += 1
        self.reason = self.reason or reason


@dataclass(frozen=True, slots=True)
class _Job:
    """One run of a job: its name, when it began, and what tells it from others that began then."""

    name: str
    began: datetime
    identity: str
    run_id: str = ""

    def event(
        self,
        state: RunState,
        at: datetime,
        inputs: list[InputDataset],
        outputs: list[OutputDataset],
        reason: str = "",
    ) -> RunEvent:
        facets: dict[str, RunFacet] = {
            "processing_engine": processing_engine_run.ProcessingEngineRunFacet(version(_PACKAGE), NAMESPACE)
        }
        if self.run_id:
            tag = tags_run.TagsRunFacetFields("run_id", self.run_id, "GADS_ETL")
            facets["tags"] = tags_run.TagsRunFacet([tag])
        if reason:
            facets["errorMessage"] = error_message_run.ErrorMessageRunFacet(reason[:_LONGEST], "PYTHON")
        kind: dict[str, JobFacet] = {"jobType": job_type_job.JobTypeJobFacet("BATCH", "GADS_ETL", "JOB")}
        run = Run(str(generate_static_uuid(self.began, self.identity.encode())), facets)
        job = Job(os.environ.get("OPENLINEAGE_NAMESPACE", NAMESPACE), self.name, kind)
        return RunEvent(
            eventTime=iso_utc(at), run=run, job=job, eventType=state, inputs=inputs, outputs=outputs, producer=PRODUCER
        )


@dataclass(slots=True)
class LineageEvents:
    """An `Observer` that sends two lineage events for each report and run, each validation and each load.

    They are built and sent by a thread, so that no receiver is waited for.
    """

    sender: BackgroundSender[RunEvent]
    datasets: Datasets
    _extractions: dict[str, _Extraction] = field(default_factory=dict, init=False)
    _stopped_by: str = field(default="", init=False)

    def close(self) -> None:
        """Send what is left."""
        self.sender.close()

    def on_events(self, *events: Event) -> None:
        """Send what the events begin and end."""
        for event in events:
            if isinstance(event, SliceStarted):
                self._begin(event)
            elif isinstance(event, PartitionSealed | PartitionUnsealed | PartitionValidated):
                self._count(event)
            elif isinstance(event, RunStopped):
                self._stopped_by = event.message
            elif isinstance(event, RunEnded):
                self._end(event)
            elif isinstance(event, WarehouseLoaded | WarehouseLoadFailed):
                self._load(event)
            elif isinstance(event, ValidationEnded):
                self._validation(event)

    def _begin(self, event: SliceStarted) -> None:
        if event.report in self._extractions:
            return
        self._extractions[event.report] = _Extraction(event.at)
        job = _extraction_job(event.report, event.at, event.run_id)
        read, raw = self.datasets.api(event.report), self.datasets.raw_output
        self.sender.send(lambda: job.event(RunState.START, event.at, [read()], [raw(event.report)]))

    def _count(self, event: PartitionSealed | PartitionUnsealed | PartitionValidated) -> None:
        found = self._extractions.get(event.report)
        if found is None:
            return
        if isinstance(event, PartitionSealed):
            found.rows, found.files = found.rows + event.record_count, found.files + 1
        elif isinstance(event, PartitionUnsealed):
            found.fail(event.reason)
        elif event.outcome == ValidationOutcome.REJECTED and event.validated_run == event.run_id:
            found.fail(event.code)

    def _end(self, event: RunEnded) -> None:
        for report, found in self._extractions.items():
            job = _extraction_job(report, found.began, event.run_id)
            reason = f"{found.failed} partitions failed: {found.reason}" if found.failed else self._stopped_by
            state = RunState.FAIL if reason else RunState.COMPLETE
            state = RunState.ABORT if event.ended == Ending.STOPPED and not reason else state
            self._send_end(job, state, event.at, report, found, reason)
        self._extractions, self._stopped_by = {}, ""

    def _send_end(self, job: _Job, state: RunState, at: datetime, report: str, found: _Extraction, reason: str) -> None:
        written, read, raw = _statistics(found.rows, found.files), self.datasets.api(report), self.datasets.raw_output
        self.sender.send(lambda: job.event(state, at, [read()], [raw(report, written)], reason))

    def _load(self, event: WarehouseLoaded | WarehouseLoadFailed) -> None:
        began = event.at - timedelta(seconds=event.seconds)
        job = _Job("load", began, f"load {event.at} {event.run_id}", event.run_id)
        rows = event.rows_by_report if isinstance(event, WarehouseLoaded) else {}
        reason = "" if isinstance(event, WarehouseLoaded) else event.message
        raw, table = self.datasets.raw_input, self.datasets.table
        self.sender.send(lambda: job.event(RunState.START, began, [], []))
        self.sender.send(
            lambda: job.event(
                RunState.FAIL if reason else RunState.COMPLETE,
                event.at,
                [raw(report) for report in rows],
                [table(report, _statistics(count)) for report, count in rows.items()],
                reason,
            )
        )

    def _validation(self, event: ValidationEnded) -> None:
        began = event.at - timedelta(seconds=event.seconds)
        job, raw = _Job("validate", began, f"validate {event.at}"), self.datasets.raw_input
        state = RunState.FAIL if event.code else RunState.COMPLETE
        self.sender.send(lambda: job.event(RunState.START, began, [], []))
        self.sender.send(
            lambda: job.event(state, event.at, [raw(report) for report in event.by_report], [], event.reason)
        )


def exporter_of(pipeline: Pipeline) -> LineageEvents:
    """The observer of a pipeline's commands, with the client as its own variables and files configure it."""
    set_producer(PRODUCER)
    before = set(os.environ)
    client = OpenLineageClient()
    for name in set(os.environ) - before:  # where it writes its own variables anew, for all that this process starts
        del os.environ[name]
    return LineageEvents(BackgroundSender("openlineage", client.emit), Datasets(pipeline.configuration))


def _extraction_job(report: str, began: datetime, run_id: str) -> _Job:
    return _Job(f"extract.{report}", began, f"{run_id} {report}", run_id)


def _statistics(rows: int, files: int | None = None) -> OutputDatasetFacet:
    return output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet(rowCount=rows, fileCount=files)
