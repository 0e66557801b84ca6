"""The laws of the port, as any validator is held to them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from gads_conformance.validator import Content, OpenLedger, OpenValidator, Ruin, Seal, ValidatorLaws
from gads_domain.adapters import ledger_adapter, sink_adapter
from gads_domain.clock import SystemClock
from gads_domain.layout import partition_prefix
from gads_domain.partition_key import PartitionKey
from gads_domain.ports.ledger import ValidatorLedger
from gads_domain.ports.validation import PartitionValidator
from gads_domain.run import RunId
from gads_validator.validator import RawPartitionValidator


class TestRawPartitionValidator(ValidatorLaws):
    @pytest.fixture
    def workshop(self, new_workshop: Callable[[], Any]) -> Any:
        made = new_workshop()
        made.customer = "1234567890"
        return made

    @pytest.fixture
    def open_ledger(self, workshop: Any) -> OpenLedger:
        return lambda: ledger_adapter("sqlite:").open_for_validator("sqlite:ledger.db", workshop.base)

    @pytest.fixture
    def open_validator(self, workshop: Any, open_ledger: OpenLedger) -> OpenValidator:
        @contextmanager
        def opened() -> Iterator[PartitionValidator]:
            sink = sink_adapter("file:raw").open_reader("file:raw", workshop.base)
            ledger: ValidatorLedger
            with open_ledger() as ledger:
                yield RawPartitionValidator(sink, ledger, SystemClock())

        return opened

    @pytest.fixture
    def seal(self, workshop: Any) -> Seal:
        def sealed(key: PartitionKey, run_id: RunId, content: Content) -> None:
            changed = {"metrics_clicks": 7} if content is Content.RESTATED else {}
            count = 0 if content is Content.EMPTY else 3
            rows = workshop.rows(count, day=key.logical_date, **changed)
            facts = workshop.facts(4 if content is Content.UNSOUND else count)
            with workshop.sink.open_writer(key, run_id) as writer:
                writer.write(workshop.payload(rows))
                writer.finalize(facts)

        return sealed

    @pytest.fixture
    def ruin(self, workshop: Any, damage: Callable[[Path, bytes], None]) -> Ruin:
        def ruined(key: PartitionKey, run_id: RunId) -> None:
            (path,) = (workshop.base / "raw" / partition_prefix(key, run_id)).glob("*.parquet")
            data = bytearray(path.read_bytes())
            data[len(data) // 2] ^= 1
            damage(path, bytes(data))

        return ruined
