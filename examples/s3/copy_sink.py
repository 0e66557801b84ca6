"""Copies the raw partitions of a `file:` sink to an `s3:` sink, byte for byte; may be interrupted and repeated.

    python copy_sink.py raw "s3://bucket/prefix?endpoint=https://s3.example.com"

Credentials come from the environment, as for gads-etl. Of each run the payload goes first and the seal last, so that no
reader ever finds a seal without its payload.
"""

import os
import sys
from pathlib import Path

from gads_sink_s3.bucket import Bucket
from gads_sink_s3.location import parse_location

folder, url = Path(sys.argv[1]), sys.argv[2]
bucket = Bucket(parse_location(url, Path(), os.environ))
copied = 0
for seal in sorted(folder.glob("*/customer_id=*/report=*/logical_date=*/run_id=*/metadata.json")):
    payloads = [path for path in sorted(seal.parent.iterdir()) if path.suffix == ".parquet"]
    for path in (*payloads, seal):
        bucket.put(path.relative_to(folder).as_posix(), path.read_bytes())
    copied += 1
sys.stdout.write(f"{copied} sealed partitions copied\n")
