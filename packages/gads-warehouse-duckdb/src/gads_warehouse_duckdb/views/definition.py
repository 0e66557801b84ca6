"""A view: where it is, what it selects, what it says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ViewDefinition:
    """A view to be made in `schema`; `meaning` is one line for people."""

    schema: str
    name: str
    query: str
    meaning: str
