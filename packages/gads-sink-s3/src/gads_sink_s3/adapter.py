"""The entry point of the scheme `s3:`."""

import os
from pathlib import Path

from gads_sink_s3.bucket import Bucket
from gads_sink_s3.location import parse_location
from gads_sink_s3.reader import S3Reader
from gads_sink_s3.sink import S3Sink


class S3SinkAdapter:
    """Opens `s3://bucket/prefix?endpoint=...`; a relative path to CA certificates is taken from `base`."""

    def open_sink(self, url: str, base: Path) -> S3Sink:
        """Open for writing and reading; sends nothing yet. Raises `ConfigurationError`."""
        return S3Sink(Bucket(parse_location(url, base, os.environ)))

    def open_reader(self, url: str, base: Path) -> S3Reader:
        """Open for reading alone; writes nothing, ever. Raises `ConfigurationError`."""
        return S3Reader(Bucket(parse_location(url, base, os.environ)))


ADAPTER = S3SinkAdapter()
