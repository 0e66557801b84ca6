"""The application as a library: what the command line, a page, a notebook or an orchestrator calls."""

from gads_pipeline.pipeline import Pipeline

__all__ = ["Pipeline"]
