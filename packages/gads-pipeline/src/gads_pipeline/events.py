"""Events of the application itself, beside those of the orchestrator."""

from dataclasses import dataclass

from gads_orchestrator.events import Event


@dataclass(frozen=True, slots=True)
class Notice(Event):
    """Something that an operator should know and that ends nothing, such as an unknown time zone."""

    message: str


@dataclass(frozen=True, slots=True)
class WarehouseLoaded(Event):
    """The warehouse was brought to `position` of the ledger's change feed."""

    position: int
    added: int
    replaced: int
    removed: int
    rows: int
