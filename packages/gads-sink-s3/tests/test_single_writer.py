"""A server that ignores conditions is refused, unless the operator declares that there is one writer at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gads_conformance.sink.samples import sample_facts, sample_key, sample_payload, sample_run, seal, stored_payload
from gads_domain.adapters import sink_adapter
from gads_domain.errors import AlreadySealedError, ConfigurationError, StorageCredentialsError
from gads_domain.ports.sink import DescribableSink, RawSink

KEY = sample_key()
RUN = sample_run()


def opened(url: str, tmp_path: Path) -> RawSink:
    return sink_adapter(url).open_sink(url, tmp_path)


def test_a_server_that_ignores_the_condition_is_refused(careless_storage: Any, tmp_path: Path) -> None:
    sink = opened(careless_storage.url, tmp_path)
    for refused in (sink.check, lambda: sink.open_writer(KEY, RUN)):
        with pytest.raises(ConfigurationError, match="ignored If-None-Match") as raised:
            refused()
        assert "single_writer=true" in raised.value.hint
    assert careless_storage.names() == []
    assert list(sink.sealed()) == []
    assert isinstance(sink, DescribableSink)
    assert sink.describe()[1:] == (
        "If-None-Match on a PUT is ignored",
        "a single writer is not declared: writers are refused",
    )


def test_a_declared_single_writer_seals_and_is_held_to_what_is_sealed(careless_storage: Any, tmp_path: Path) -> None:
    url = careless_storage.through(careless_storage.endpoint, single_writer="true")
    sink = opened(url, tmp_path)
    sink.check()
    large = sample_payload(1, 6 * 1024 * 1024)
    seal(sink, KEY, RUN, [large])
    assert stored_payload(opened(careless_storage.url, tmp_path), KEY, RUN) == large
    with pytest.raises(AlreadySealedError):
        opened(url, tmp_path).open_writer(KEY, RUN)
    assert isinstance(sink, DescribableSink)
    assert sink.describe()[-1] == "a single writer is declared by the operator"


def test_two_open_writers_of_a_single_writer_meet_at_the_seal(careless_storage: Any, tmp_path: Path) -> None:
    sink = opened(careless_storage.through(careless_storage.endpoint, single_writer="true"), tmp_path)
    with sink.open_writer(KEY, RUN) as first, sink.open_writer(KEY, RUN) as second:
        first.write(b"first")
        second.write(b"second")
        second.finalize(sample_facts())
        with pytest.raises(AlreadySealedError):
            first.finalize(sample_facts())
    assert stored_payload(sink, KEY, RUN) == b"second"
    assert len(careless_storage.names()) == 2


def test_a_single_writer_uses_the_condition_where_it_is_honoured(storage: Any, tmp_path: Path) -> None:
    sink = opened(storage.through(storage.endpoint, single_writer="true"), tmp_path)
    assert isinstance(sink, DescribableSink)
    assert "If-None-Match on a PUT is honoured" in sink.describe()
    seal(sink, KEY, RUN)
    assert stored_payload(sink, KEY, RUN) == b"payload"


def test_a_wrong_secret_is_refused_here_too(
    careless_storage: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(StorageCredentialsError):
        opened(careless_storage.url, tmp_path).check()
