"""Finding adapters: the scheme of a URL names an entry point, so installing a package adds a backend.

An adapter's entry point is an object with the factory methods of `SinkAdapter`, `LedgerAdapter` or `WarehouseAdapter`,
in the group `gads.sinks`, `gads.ledgers` or `gads.warehouses`, under the scheme as its name.
"""

from __future__ import annotations

import re
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, cast

from gads_domain.errors import ConfigurationError

if TYPE_CHECKING:
    from gads_domain.ports.ledger import ControlPlaneLedger, StateReader, ValidatorLedger
    from gads_domain.ports.pins import PinLedger
    from gads_domain.ports.sink import RawReader, RawSink
    from gads_domain.ports.warehouse import WarehouseAdapter

SINKS = "gads.sinks"
LEDGERS = "gads.ledgers"
WAREHOUSES = "gads.warehouses"

_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):")

_OPTIONAL = {
    (SINKS, "s3"): ("gads-sink-s3", "s3"),
    (WAREHOUSES, "duckdb"): ("gads-warehouse-duckdb", "duckdb"),
}
"""The package that opens a scheme, and the extra of gads-etl that brings it, where neither needs to be installed."""


class SinkAdapter(Protocol):
    """Opens the storage that a URL names. A relative path in the URL is taken from `base`."""

    def open_sink(self, url: str, base: Path) -> RawSink:
        """Open for writing and reading; raises `ConfigurationError` or `StorageError`."""

    def open_reader(self, url: str, base: Path) -> RawReader:
        """Open for reading alone: nothing reachable from the result can write."""


class LedgerAdapter(Protocol):
    """Opens the ledger that a URL names, cut by authority. A relative path in the URL is taken from `base`."""

    def open_reader(self, url: str, base: Path) -> StateReader:
        """Open read-only. An absent ledger is an empty one, and is not created."""

    def open_for_validator(self, url: str, base: Path) -> ValidatorLedger:
        """Open with the one authority to write `success` and `failed`."""

    def open_for_control_plane(self, url: str, base: Path) -> ControlPlaneLedger:
        """Open with the authority to order retries, and none over `success` or `failed`."""

    def open_pins(self, url: str, base: Path) -> PinLedger:
        """Open with the right to keep runs from being pruned, and no other."""

    def check(self, url: str, base: Path) -> None:
        """Make sure that the ledger could be written, or made where there is none; no reader can tell that it was.

        Raises `LedgerError`, `UnsupportedContractError` or `HeldElsewhereError`.
        """


def sink_adapter(url: str) -> SinkAdapter:
    """The adapter of a sink's URL; raises `ConfigurationError` for a scheme that nothing installed answers to."""
    return cast(SinkAdapter, _load(SINKS, url, "sink"))


def ledger_adapter(url: str) -> LedgerAdapter:
    """The adapter of a ledger's URL; raises `ConfigurationError` for a scheme that nothing installed answers to."""
    return cast(LedgerAdapter, _load(LEDGERS, url, "state"))


def warehouse_adapter(url: str) -> WarehouseAdapter:
    """The adapter of a warehouse's URL; raises `ConfigurationError` for a scheme that nothing installed answers to."""
    return cast("WarehouseAdapter", _load(WAREHOUSES, url, "warehouse"))


def _load(group: str, url: str, what: str) -> Any:
    match = _SCHEME.match(url)
    if match is None:
        # A mistyped URL may hold a password, so it is not repeated.
        raise ConfigurationError(
            f"the {what} URL does not begin with a scheme",
            hint=f"begin it with one, in lower case: {', '.join(_known(group)) or 'none installed'}",
        )
    found = [point for point in entry_points(group=group) if point.name == match[1]]
    if not found and (group, match[1]) in _OPTIONAL:
        package, extra = _OPTIONAL[group, match[1]]
        raise ConfigurationError(
            f"{match[1]}: needs gads-etl[{extra}]",
            hint=f"pip install 'gads-etl[{extra}]', or {package} alone where gads-etl is not installed",
        )
    if not found:
        raise ConfigurationError(
            f"nothing installed opens {match[1]}: as a {what}",
            hint=f"installed: {', '.join(_known(group)) or 'none'}; another scheme comes with its own package",
        )
    return found[0].load()


def _known(group: str) -> list[str]:
    return sorted({f"{point.name}:" for point in entry_points(group=group)})
