"""The metrics of a command that ends by itself, as a file that node_exporter's textfile collector reads."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gads_domain.errors import UsageError
from gads_metrics.exposition import Exposition, require_writable
from gads_metrics.process_counters import ProcessCounters
from gads_metrics.status_collector import StatusCollector
from gads_orchestrator.events import Observer
from gads_status.status import Status

_SECONDS = 60.0
"""How long the ledger has to answer: nothing waits for it."""

_LOG = logging.getLogger(__name__)


@contextmanager
def written_metrics(
    file: Path, source: Callable[[], Status], version: str, observer: Observer
) -> Iterator[ProcessCounters]:
    """Yields an observer to work with; when the work has ended, in whatever way, `file` has what it counted.

    With the status that `source` gives then. Raises `UsageError` before any work if the file cannot be written; if it
    cannot be any more afterwards, that is logged, and the work ends as it does.
    """
    counters = ProcessCounters(observer)
    exposition = Exposition([StatusCollector(source, version, seconds=_SECONDS), counters])
    try:
        require_writable(file)
    except OSError as error:
        hint = "name a file in a folder that is there, and that this user may write to"
        raise UsageError(f"the metrics cannot be written to {file}: {error.strerror or error}", hint=hint) from None
    try:
        yield counters
    finally:
        try:
            exposition.write(file)
        except OSError as error:
            _LOG.warning("the metrics were not written to %s: %s", file, error.strerror or error)
