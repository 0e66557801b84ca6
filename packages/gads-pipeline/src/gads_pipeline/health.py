"""Whether this process lives and what it needs answers, for a supervisor that asks."""

from __future__ import annotations

import os
import socket
from datetime import datetime
from typing import TYPE_CHECKING

from gads_domain.clock import SystemClock, iso_utc
from gads_domain.errors import LedgerError
from gads_domain.partition_key import GOOGLE_ADS
from gads_domain.sink_presence import require_sink_of
from gads_pipeline.composition import open_activity_reader, open_ledger_reader, open_sink_reader

if TYPE_CHECKING:
    from gads_pipeline.configuration import Configuration


def silence(configuration: Configuration, since: datetime) -> str:
    """Why this process is taken to hang, if its heartbeat is overdue: a sentence, or nothing.

    Heartbeats of processes that started before `since` are of others. Nothing, too, before the first heartbeat and for
    a ledger that records none. Raises what a ledger raises that cannot be read.
    """
    reader = open_activity_reader(configuration)
    if reader is None:
        return ""
    own = f"{socket.gethostname()}:{os.getpid()}:"
    with reader:
        beats = [one for one in reader.heartbeats() if one.process.startswith(own) and one.started_at >= since]
    now = SystemClock().now()
    for beat in beats[:1]:
        if beat.is_silent(now):
            ago, every = (now - beat.beat_at).total_seconds(), beat.interval.total_seconds()
            return (
                f"no heartbeat since {iso_utc(beat.beat_at)[:19]}Z, {ago:.0f} seconds ago; one is due every {every:g}"
            )
    return ""


def require_ledger(configuration: Configuration) -> None:
    """Raise `LedgerError` if there is no ledger, or what one raises that cannot be read."""
    with open_ledger_reader(configuration) as ledger:
        if ledger.ledger_id() is None:
            raise LedgerError(f"{configuration.storage.state} does not exist yet; the first run creates it")


def require_answering_sink(configuration: Configuration) -> None:
    """Raise what a sink raises that cannot be read, or `SinkLostError` for one that is not the ledger's."""
    reader = open_sink_reader(configuration)
    with open_ledger_reader(configuration) as ledger:
        require_sink_of(ledger, reader)
        if ledger.position() == 0:
            next(iter(reader.sealed(source=GOOGLE_ADS)), None)
