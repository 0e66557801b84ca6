"""A payload that changes after it was opened is damaged."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gads_conformance.sink.samples import sample_key, sample_payload, sample_run, seal
from gads_domain.adapters import sink_adapter
from gads_domain.errors import DamagedPartitionError
from gads_domain.layout import partition_prefix

KEY = sample_key()
RUN = sample_run()
PAYLOAD = sample_payload(1, 3 * 1024 * 1024)


def _other_bytes(client: Any, place: dict[str, str]) -> None:
    client.put_object(**place, Body=bytes(len(PAYLOAD)))


def _fewer_bytes(client: Any, place: dict[str, str]) -> None:
    client.put_object(**place, Body=PAYLOAD[: 1024 * 1024])


def _nothing(client: Any, place: dict[str, str]) -> None:
    client.delete_object(**place)


@pytest.mark.parametrize("damage", [_other_bytes, _fewer_bytes, _nothing])
def test_a_payload_that_changes_while_it_is_read_is_damaged(
    sink_url: str, bucket_name: str, moto: Any, tmp_path: Path, damage: Callable[[Any, dict[str, str]], None]
) -> None:
    metadata = seal(sink_adapter(sink_url).open_sink(sink_url, tmp_path), KEY, RUN, [PAYLOAD])
    reader = sink_adapter(sink_url).open_reader(sink_url, tmp_path)
    with reader.open_payload(KEY, RUN, metadata.payload_name) as stream:
        assert stream.read(1000) == PAYLOAD[:1000]
        damage(moto, {"Bucket": bucket_name, "Key": f"deep/raw/{partition_prefix(KEY, RUN)}/{metadata.payload_name}"})
        with pytest.raises(DamagedPartitionError, match="changed while it was read"):
            stream.read()
