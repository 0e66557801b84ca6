"""Reading, checking and rendering GAQL, and the fields of each API version. Importing this is light."""

from gads_gaql.catalogue import FieldCatalogue, latest, load, table_schema, versions
from gads_gaql.day_conditions import day_query
from gads_gaql.history import history_of
from gads_gaql.parser import parse
from gads_gaql.query_check import check
from gads_gaql.renderer import render
from gads_gaql.syntax import Problem, Query
from gads_gaql.version_comparison import compare_versions

__all__ = [
    "FieldCatalogue",
    "Problem",
    "Query",
    "check",
    "compare_versions",
    "day_query",
    "history_of",
    "latest",
    "load",
    "parse",
    "render",
    "table_schema",
    "versions",
]
