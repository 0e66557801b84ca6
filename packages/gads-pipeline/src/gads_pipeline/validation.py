"""Validates what is sealed, a batch at a time; a recheck also covers what is authoritative and no longer sealed."""

from __future__ import annotations

import heapq
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from gads_domain.clock import SystemClock
from gads_domain.documents import members_of
from gads_domain.erasure import in_force, require_none_erased
from gads_domain.errors import GadsError, SinkLostError
from gads_domain.partition_key import GOOGLE_ADS, PartitionKey
from gads_domain.ports.ledger import StateReader
from gads_domain.ports.sink import RawReader
from gads_domain.ports.validation import PartitionValidation
from gads_domain.state import PartitionStatus, StateFilter
from gads_orchestrator.events import Observer
from gads_pipeline.composition import open_ledger_for_validator, open_sink_reader, validator_of
from gads_pipeline.events import DaysFailed, ValidationEnded

if TYPE_CHECKING:
    from gads_pipeline.configuration import Configuration

_KEYS_A_BATCH = 200


def validate(configuration: Configuration, wanted: StateFilter, *, recheck: bool) -> Iterator[PartitionValidation]:
    """Validate every sealed partition that matches; yields each as soon as the ledger has its result.

    With `recheck` also reads again what was validated before. An error ends the iteration; what was yielded before it
    is on the ledger. Raises `AccountErasedError` at the end if it has left out what was sealed of an erased account.
    """
    reader = open_sink_reader(configuration)
    with open_ledger_for_validator(configuration) as ledger:
        validator = validator_of(configuration, reader, ledger)
        erased, left_out = in_force(ledger.erasures(GOOGLE_ADS)), set[str]()
        require_none_erased(erased.values(), wanted.customer_ids)
        keys = keys_to_recheck(reader, ledger, wanted) if recheck else sealed_keys(reader, wanted)
        while batch := list(islice(keys, _KEYS_A_BATCH)):
            left_out |= {key.customer_id for key in batch if key.customer_id in erased}
            kept = [key for key in batch if key.customer_id not in erased]
            yield from validator.validate(kept, recheck=recheck)
        for customer_id in sorted(left_out):
            error = erased[customer_id].refusal()
            error.hint = "raw partitions of it came after that, and were not validated: erase it again to remove them"
            raise error


def observed(validations: Iterator[PartitionValidation], observer: Observer) -> Iterator[PartitionValidation]:
    """`validations`, with an event for each partition that is not success, and one at the end."""
    tally, began, by_report = ValidationTally(), time.monotonic(), Counter[str]()
    try:
        for validation in tally.count(validations):
            key, error = validation.after.key, validation.after.last_error or "pending"
            by_report[key.report] += 1
            if not validation.is_success:
                days = (key.report, key.logical_date, key.logical_date)
                observer.on_events(DaysFailed(SystemClock().now(), "", key.customer_id, "", *days, error))
            yield validation
    finally:
        counts = (
            tally.looked_at,
            tally.validated_runs,
            tally.rejected_runs,
            tally.not_success,
            tally.authority_changed,
        )
        ended = ("", "") if tally.error is None else (tally.error.code, tally.error.message)
        seconds = time.monotonic() - began
        observer.on_events(ValidationEnded(SystemClock().now(), "", seconds, *counts, dict(by_report), *ended))


def sealed_keys(reader: RawReader, wanted: StateFilter) -> Iterator[PartitionKey]:
    """The keys that have a sealed run and match, in order, each once; no other account is listed."""
    last: PartitionKey | None = None
    for key in _listed(reader, wanted):
        if key == last or (wanted.reports and key.report not in wanted.reports):
            continue
        if (wanted.since and key.logical_date < wanted.since) or (wanted.until and key.logical_date > wanted.until):
            continue
        last = key
        yield key


def keys_to_recheck(reader: RawReader, ledger: StateReader, wanted: StateFilter) -> Iterator[PartitionKey]:
    """The same, and the keys that have an authoritative run: a seal that is gone is in no listing.

    Raises `SinkLostError` if nothing at all is sealed while a partition is authoritative: that is another sink, or
    one that is not mounted, and no reason to withdraw all authority.
    """
    authoritative = (state.key for state in ledger.find(replace(wanted, statuses=(PartitionStatus.SUCCESS,))))
    first = next(authoritative, None)
    if first is None:
        yield from sealed_keys(reader, wanted)
        return
    if next(reader.sealed(), None) is None:
        raise SinkLostError(f"nothing is sealed in the sink, and the ledger has an authoritative run of {first}")
    last: PartitionKey | None = None
    for key in heapq.merge(sealed_keys(reader, wanted), [first], authoritative):
        if key != last:
            last = key
            yield key


def _listed(reader: RawReader, wanted: StateFilter) -> Iterator[PartitionKey]:
    if not wanted.customer_ids:
        yield from (key for key, _ in reader.sealed())
    for customer_id in sorted(set(wanted.customer_ids)):
        yield from (key for key, _ in reader.sealed(source=GOOGLE_ADS, customer_id=customer_id))


@dataclass(slots=True)
class ValidationTally:
    """What was validated so far; no result is kept."""

    looked_at: int = 0
    validated_runs: int = 0
    rejected_runs: int = 0
    not_success: int = 0
    authority_changed: int = 0
    error: GadsError | None = None

    def count(self, validations: Iterator[PartitionValidation]) -> Iterator[PartitionValidation]:
        """Hand on each of `validations`, counted, and note the error that ends them."""
        try:
            for validation in validations:
                self.looked_at += 1
                self.validated_runs += len(validation.results)
                self.rejected_runs += len(validation.rejected)
                self.not_success += not validation.is_success
                self.authority_changed += validation.changed
                yield validation
        except GadsError as error:
            self.error = error
            raise

    def to_document(self) -> dict[str, Any]:
        """The counts as JSON."""
        names = ("looked_at", "validated_runs", "rejected_runs", "not_success", "authority_changed")
        error = None if self.error is None else members_of(self.error, ("code", "message", "hint"))
        return {**members_of(self, names), "error": error}
