"""The laws of `ReportSource`."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from typing import Protocol

import pytest

from gads_conformance.law import law, required
from gads_conformance.sink.samples import sample_run
from gads_conformance.sink.watched_sink import Fault, Step, watched
from gads_domain.errors import BudgetSpentError, FailureScope, StorageFullError
from gads_domain.metadata import KnownContent, PartitionMetadata
from gads_domain.metadata_codec import decode_metadata
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.report_source import ReportSource, Sealed, SliceResult, Unchanged, Unsealed
from gads_domain.ports.sink import RawSink
from gads_domain.quota import RestAsked
from gads_domain.report import ReportSlice
from gads_domain.run import RunContext


class PlayedApi(Protocol):
    """The API of the source under test; it answers well until one of these methods is called."""

    def answer_nothing(self) -> None:
        """Let every later stream end well, without rows."""

    def break_off(self, customer_id: str) -> None:
        """Let every later stream of this account send rows of several days and then break."""

    def refuse_day(self, customer_id: str, day: date) -> None:
        """Refuse every later call for days of this account of which `day` is one, as too old."""

    def refuse_login(self) -> None:
        """Refuse every later login."""


ContentOf = Callable[[RawSink, PartitionMetadata], str]

RUN, NEXT_RUN, LAST_RUN = (RunContext(sample_run(number)) for number in (1, 2, 3))


@dataclass
class Operations:
    """A quota of `limit` operations."""

    limit: int
    taken: int = 0

    def take(self) -> None:
        if self.taken >= self.limit:
            raise BudgetSpentError("the operations of 24 hours are spent")
        self.taken += 1

    def rest(self, asked: RestAsked) -> None:
        raise AssertionError(f"the API was not told to ask for a rest: {asked}")


class ReportSourceLaws:
    """Every law of `ReportSource`. A subclass gives what is required here."""

    source = required("The source under test; it must not sleep between its tries.")
    sink = required("An empty sink.")
    slice_ = required("A slice of at least three days, of which two or more have rows.")
    other_slice = required("A slice of another account, with rows.")
    api = required("The API that the source calls, as a PlayedApi.")
    content_of = required("The sum of the rows that `(sink, metadata)` has sealed, as a ledger knows it.")

    @law("ReportSource", 1)
    def test_exactly_one_outcome_a_day(self, source: ReportSource, sink: RawSink, slice_: ReportSlice) -> None:
        outcomes = source.extract(slice_, RUN, sink).days
        assert sorted(outcome.key for outcome in outcomes) == sorted(slice_.keys)
        for outcome in outcomes:
            assert isinstance(outcome, Sealed)
            assert decode_metadata(sink.metadata_bytes(outcome.key, RUN.run_id)) == outcome.metadata
        assert sum(isinstance(one, Sealed) and one.metadata.facts.record_count > 0 for one in outcomes) > 1

    @law("ReportSource", 1)
    def test_a_failure_of_the_api_is_an_outcome_of_each_day(
        self, source: ReportSource, sink: RawSink, slice_: ReportSlice, api: PlayedApi
    ) -> None:
        api.break_off(slice_.customer_id)
        outcomes = source.extract(slice_, RUN, sink).days
        assert sorted(outcome.key for outcome in outcomes) == sorted(slice_.keys)
        for outcome in outcomes:
            assert isinstance(outcome, Unsealed)
            assert outcome.reason.code
            assert outcome.reason.message

    @law("ReportSource", 1)
    @pytest.mark.parametrize("step", list(Step))
    @pytest.mark.parametrize("after", [0, 1])
    @pytest.mark.parametrize("error", [StorageFullError("the storage is full"), OSError("of no kind that is known")])
    def test_a_failure_of_the_sink_is_an_outcome(
        self, step: Step, after: int, error: Exception, source: ReportSource, sink: RawSink, slice_: ReportSlice
    ) -> None:
        fault = Fault(step, error, after)
        result = source.extract(slice_, RUN, watched(sink, fault))
        assert fault.raised
        sealed = sorted((outcome.key, RUN.run_id) for outcome in result.days if isinstance(outcome, Sealed))
        assert sealed == list(sink.sealed())
        assert len(sealed) < len(slice_.keys)
        if isinstance(error, StorageFullError):
            assert result.stopped_by is not None
            assert (result.stopped_by.code, result.stopped_by.scope) == ("storage_full", FailureScope.STORAGE)
            assert len(result.days) == len(sealed), "what the full storage kept from being sealed is not failed"
        else:
            assert result.stopped_by is None
            assert sorted(outcome.key for outcome in result.days) == sorted(slice_.keys)

    @law("ReportSource", 2)
    def test_a_stream_that_breaks_seals_nothing(
        self, source: ReportSource, sink: RawSink, slice_: ReportSlice, api: PlayedApi
    ) -> None:
        api.break_off(slice_.customer_id)
        source.extract(slice_, RUN, sink)
        assert list(sink.sealed()) == []

    @law("ReportSource", 2)
    def test_a_day_without_rows_is_sealed_with_none(
        self, source: ReportSource, sink: RawSink, slice_: ReportSlice, api: PlayedApi
    ) -> None:
        api.answer_nothing()
        outcomes = source.extract(slice_, RUN, sink).days
        counts = [isinstance(one, Sealed) and one.metadata.facts.record_count for one in outcomes]
        assert counts == [0] * len(slice_.keys)
        assert list(sink.sealed()) == [(key, RUN.run_id) for key in sorted(slice_.keys)]

    @law("ReportSource", 3)
    def test_every_byte_is_written_under_the_run(
        self, source: ReportSource, sink: RawSink, slice_: ReportSlice
    ) -> None:
        written = set()
        source.extract(slice_, RUN, watched(sink, lambda _, *partition: written.add(partition)))
        assert written == {(key, RUN.run_id) for key in slice_.keys}
        before = {key: sink.metadata_bytes(key, RUN.run_id) for key in slice_.keys}
        source.extract(slice_, NEXT_RUN, sink)
        assert {key: sink.metadata_bytes(key, RUN.run_id) for key in slice_.keys} == before
        assert all(sink.runs(key) == [RUN.run_id, NEXT_RUN.run_id] for key in slice_.keys)

    @law("ReportSource", 4)
    def test_a_failure_of_one_slice_changes_nothing_for_another(
        self, source: ReportSource, sink: RawSink, slice_: ReportSlice, other_slice: ReportSlice, api: PlayedApi
    ) -> None:
        api.break_off(slice_.customer_id)
        before = source.extract(other_slice, RUN, sink).days
        failed = source.extract(slice_, RUN, sink).days
        after = source.extract(other_slice, NEXT_RUN, sink).days
        assert all(isinstance(outcome, Unsealed) for outcome in failed)
        assert all(isinstance(outcome, Sealed) for outcome in [*before, *after])
        assert [one.key for one in before] == [one.key for one in after]

    @law("ReportSource", 5)
    def test_refused_credentials_stop_and_fail_no_day(
        self, source: ReportSource, sink: RawSink, slice_: ReportSlice, api: PlayedApi
    ) -> None:
        api.refuse_login()
        steps = []
        result = source.extract(slice_, RUN, watched(sink, lambda *step: steps.append(step)))
        assert result.days == ()
        assert result.stopped_by is not None
        assert (result.stopped_by.code, result.stopped_by.scope) == ("credentials", FailureScope.SOURCE)
        assert steps == []
        assert list(sink.sealed()) == []

    @law("ReportSource", 6)
    def test_an_operation_is_taken_before_each_call(
        self, source: ReportSource, sink: RawSink, slice_: ReportSlice, api: PlayedApi
    ) -> None:
        granted = Operations(100)
        assert source.extract(slice_, RUN, sink, granted).operations == granted.taken > 0
        api.break_off(slice_.customer_id)
        repeated = Operations(100)
        assert source.extract(slice_, NEXT_RUN, sink, repeated).operations == repeated.taken > 1
        result = source.extract(slice_, LAST_RUN, sink, Operations(0))
        assert (result.days, result.operations) == ((), 0)
        assert result.stopped_by is not None
        assert result.stopped_by.code == "budget_spent"

    @law("ReportSource", 7)
    def test_a_day_that_the_api_refuses_fails_alone(
        self, source: ReportSource, sink: RawSink, slice_: ReportSlice, api: PlayedApi
    ) -> None:
        refused = slice_.keys[1]
        api.refuse_day(slice_.customer_id, refused.logical_date)
        granted = Operations(100)
        result = source.extract(slice_, RUN, sink, granted)
        assert [outcome.key for outcome in result.days] == list(slice_.keys)
        assert [outcome.key for outcome in result.days if isinstance(outcome, Unsealed)] == [refused]
        assert list(sink.sealed()) == [(key, RUN.run_id) for key in sorted(slice_.keys) if key != refused]
        assert result.operations == granted.taken > 2
        assert result.stopped_by is None

    @law("ReportSource", 8)
    def test_a_day_that_came_as_it_was_touches_no_sink(
        self, source: ReportSource, sink: RawSink, slice_: ReportSlice, api: PlayedApi, content_of: ContentOf
    ) -> None:
        known = _known(sink, source.extract(slice_, RUN, sink), content_of)
        steps = []
        result = source.extract(slice_, NEXT_RUN, watched(sink, lambda *step: steps.append(step)), known=known)
        assert [outcome.key for outcome in result.days] == list(slice_.keys)
        for outcome in result.days:
            assert isinstance(outcome, Unchanged)
            was = known[outcome.key]
            assert (outcome.of_run, outcome.content_sha256) == (RUN.run_id, was.content_sha256)
            assert outcome.record_count == was.record_count
            assert outcome.request_ids
        assert steps == []
        api.answer_nothing()
        empty = source.extract(slice_, LAST_RUN, sink, known=known)
        assert {one.key for one in empty.days if isinstance(one, Sealed)} == {
            key for key, was in known.items() if was.record_count
        }

    @law("ReportSource", 8)
    def test_what_is_known_of_other_content_is_sealed_as_ever(
        self, source: ReportSource, sink: RawSink, slice_: ReportSlice, content_of: ContentOf
    ) -> None:
        known = _known(sink, source.extract(slice_, RUN, sink), content_of)
        first, second, third, *rest = slice_.keys
        known[first] = replace(known[first], content_sha256="0" * 64)
        known[second] = replace(known[second], schema_version=known[second].schema_version + 1)
        del known[third]
        result = source.extract(slice_, NEXT_RUN, sink, known=known)
        assert [outcome.key for outcome in result.days if isinstance(outcome, Unchanged)] == rest
        for key in (first, second, third):
            assert content_of(sink, decode_metadata(sink.metadata_bytes(key, NEXT_RUN.run_id))) == content_of(
                sink, decode_metadata(sink.metadata_bytes(key, RUN.run_id))
            )

    @law("ReportSource", 9)
    def test_each_call_is_named(self, source: ReportSource, sink: RawSink, slice_: ReportSlice, api: PlayedApi) -> None:
        result = source.extract(slice_, RUN, sink)
        (call,) = result.calls
        assert (call.first, call.last, call.attempt, call.code) == (slice_.first, slice_.last, 1, "")
        sealed = [one.metadata.facts for one in result.days if isinstance(one, Sealed)]
        assert call.rows == sum(facts.record_count for facts in sealed)
        assert {facts.request_ids for facts in sealed} == {(call.request_id,)} != {("",)}
        assert call.seconds > 0
        refused = slice_.keys[1].logical_date
        api.refuse_day(slice_.customer_id, refused)
        parts = source.extract(slice_, NEXT_RUN, sink)
        assert len(parts.calls) == parts.operations
        for call in parts.calls:
            assert bool(call.code) == (call.first <= refused <= call.last)
            assert call.request_id
        api.break_off(slice_.customer_id)
        broken = source.extract(slice_, LAST_RUN, sink)
        assert len(broken.calls) == broken.operations
        assert [call.attempt for call in broken.calls[:2]] == [1, 2]
        assert all(call.code and call.rows for call in broken.calls)


def _known(sink: RawSink, result: SliceResult, content_of: ContentOf) -> dict[PartitionKey, KnownContent]:
    """What a ledger would know of the days that were sealed."""
    sealed = [outcome.metadata for outcome in result.days if isinstance(outcome, Sealed)]
    return {
        one.key: KnownContent(one.run_id, content_of(sink, one), one.facts.schema_version, one.facts.record_count)
        for one in sealed
    }
