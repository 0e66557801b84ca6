"""What a process did, counted by its events."""

from datetime import UTC, date, datetime

from prometheus_client.parser import text_string_to_metric_families

from gads_metrics.exposition import Exposition
from gads_metrics.process_counters import ProcessCounters
from gads_orchestrator.events import (
    AuthorityChanged,
    CallEnded,
    Event,
    PartitionSealed,
    PartitionUnchanged,
    PartitionValidated,
    RunPlanned,
    ServePaused,
    ServeResumed,
    SliceEnded,
    WorkerLost,
)

NOW, RUN, DAY = datetime(2024, 6, 2, tzinfo=UTC), "20240602T000000000Z-00000000", date(2024, 6, 1)
PARTITION = (NOW, RUN, "1000000001", "campaign", DAY)


class Seen:
    def __init__(self) -> None:
        self.events: list[Event] = []

    def on_events(self, *events: Event) -> None:
        self.events += events


def values(counters: ProcessCounters) -> dict[str, float]:
    text = Exposition([counters]).encoded("")[0].decode()
    return {
        "".join([sample.name, *(f" {name}={value}" for name, value in sorted(sample.labels.items()))]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_each_event_is_counted_and_handed_on() -> None:
    seen = Seen()
    counters = ProcessCounters(seen)
    zeros = {"gads_etl_results_total code=ok outcome=passed", "gads_etl_results_total code=ok outcome=unchanged"}
    assert {name for name, value in values(counters).items() if value == 0} >= zeros
    events = [
        RunPlanned(NOW, RUN, 3, 3, {}, 0),
        PartitionSealed(*PARTITION, 40),
        PartitionValidated(*PARTITION, RUN, "passed", ""),
        PartitionValidated(*PARTITION, RUN, "rejected", "null_values"),
        PartitionUnchanged(*PARTITION, RUN, 7),
        AuthorityChanged(*PARTITION, "pending", "success", "", RUN),
        CallEnded(NOW, RUN, "1000000001", "campaign", DAY, DAY, 1, 4.0, "abc", 1, 0, "unavailable"),
        CallEnded(NOW, RUN, "1000000001", "campaign", DAY, DAY, 2, 0.5, "abc", 1, 40, ""),
        SliceEnded(NOW, RUN, "1000000001", "campaign", DAY, DAY, 2),
        WorkerLost(NOW, RUN, 1),
        ServePaused(NOW, "", "storage", "storage_full", "full", "", 30.0),
    ]
    counters.on_events(*events)
    assert seen.events == events
    found = values(counters)
    buckets = {float(name.split()[1][3:]): found.pop(name) for name in list(found) if " le=" in name}
    assert {bound for bound, calls in buckets.items() if calls == 1} == {0.5, 1.0, 2.5}
    assert [calls for bound, calls in buckets.items() if bound >= 5.0] == [2] * 8
    assert found == {
        "gads_etl_runs_total": 1,
        "gads_etl_rows_total outcome=sealed report=campaign": 40,
        "gads_etl_rows_total outcome=unchanged report=campaign": 7,
        "gads_etl_results_total code=ok outcome=passed": 1,
        "gads_etl_results_total code=ok outcome=unchanged": 1,
        "gads_etl_results_total code=null_values outcome=rejected": 1,
        "gads_etl_authority_changes_total to=success": 1,
        "gads_etl_calls_total code=ok": 1,
        "gads_etl_calls_total code=unavailable": 1,
        "gads_etl_call_duration_seconds_count report=campaign": 2,
        "gads_etl_call_duration_seconds_sum report=campaign": 4.5,
        "gads_etl_operations_total report=campaign": 2,
        "gads_etl_worker_deaths_total": 1,
        "gads_etl_serve_paused code=storage_full": 1,
    }
    counters.on_events(ServeResumed(NOW, ""))
    assert "gads_etl_serve_paused code=storage_full" not in values(counters)
