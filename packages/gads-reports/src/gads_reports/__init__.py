"""The named reports of the Google Ads API: those that are packaged, and a user's own."""

from gads_reports.catalogue import builtin, resolve
from gads_reports.definition_file import load_file, read_text
from gads_reports.description import describe, problems

__all__ = ["builtin", "describe", "load_file", "problems", "read_text", "resolve"]
