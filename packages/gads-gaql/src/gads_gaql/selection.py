"""Which metrics and segments can be selected with a resource, and with each other: `fields/selectable.toml`."""

from collections.abc import Iterator
from functools import cache
from itertools import product

from gads_domain.package_data import tables_of
from gads_gaql.syntax import FieldRef, Query

_TABLES = tables_of("gads_gaql", "fields/selectable.toml")
_ROOTS = ("metrics", "segments")
WITHOUT_METRICS = frozenset(_TABLES["without_metrics"].split())
"""The resources whose reference page lists no days, and so no metrics of a day: they have a present and no history.

Only resources that are surely so are named; one that is missing here is taken to have metrics.
"""
_UNLISTED = frozenset(_TABLES["unlisted"].split())


def can_have_metrics(resource: str) -> bool:
    """Whether rows of the resource may carry metrics and segments, `segments.date` among them."""
    return resource not in WITHOUT_METRICS


def is_selectable(path: str, resource: str) -> bool:
    """Whether the API gives the metric or segment `path` with rows of `resource`, as far as is surely known."""
    root, _, name = path.partition(".")
    if root not in _ROOTS:
        return True
    only = _TABLES["only"].get(resource)
    if not can_have_metrics(resource) or (root == "metrics" and only is not None and not _longest(only, name)):
        return False
    return resource in _UNLISTED or not (few := resources_of(path)) or resource in few


@cache
def resources_of(path: str) -> frozenset[str]:
    """The only resources that have a metric or segment; empty if it is not known to have few."""
    root, _, name = path.partition(".")
    found = max(_TABLES["few"], key=lambda few: _longest(few.get(root, ""), name))
    return frozenset(found["resources"].split() if _longest(found.get(root, ""), name) else ())


def conflicts(query: Query) -> Iterator[tuple[FieldRef, FieldRef]]:
    """Each selected segment with a metric of the query that cannot be divided by it."""
    table = _TABLES["conversions"]
    metrics = [used for used in query.references() if used.name.removeprefix("metrics.") in table["metrics"].split()]
    for segment, metric in product(query.fields, metrics):
        root, _, name = segment.name.partition(".")
        if root == "segments" and metric.name.startswith("metrics.") and _longest(table["segments"], name):
            yield segment, metric


def _longest(names: str, name: str) -> int:
    """How much of `name` the nearest of `names` is about; 0 if none is."""
    meant = (one for one in names.split() if one == name or (one[-1] in "_." and name.startswith(one)))
    return max(map(len, meant), default=0)
