"""Metrics, health and readiness over HTTP."""

import threading
from collections.abc import Callable
from itertools import count

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from gads_domain.bounded_call import BoundedCall, NoAnswerError
from gads_domain.errors import StorageError
from gads_metrics import routes as routes_module
from gads_metrics.exposition import Exposition
from gads_metrics.process_counters import ProcessCounters
from gads_metrics.routes import routes
from gads_orchestrator.events import NullObserver


def client(stuck: str = "", **parts: Callable[[], object]) -> TestClient:
    exposition = Exposition([ProcessCounters(NullObserver())])
    return TestClient(Starlette(routes=routes(exposition, stuck=lambda: stuck, parts=parts)))


@pytest.mark.parametrize(
    ("accept", "content_type", "last"),
    [
        ("application/openmetrics-text; version=1.0.0", "application/openmetrics-text", "# EOF"),
        ("text/html, */*", "text/plain", "gads_etl_worker_deaths_total 0.0"),
        ("", "text/plain", "gads_etl_worker_deaths_total 0.0"),
    ],
)
def test_a_scraper_gets_the_format_that_it_asks_for(accept: str, content_type: str, last: str) -> None:
    answer = client().get("/metrics", headers={"accept": accept})
    assert answer.headers["content-type"].startswith(content_type)
    assert last in answer.text.splitlines()
    assert ("# EOF" in answer.text) == (last == "# EOF")


def test_health_is_that_of_the_loop() -> None:
    assert (client().get("/healthz").status_code, client().get("/healthz").text) == (200, "ok\n")
    answer = client("the loop has not turned for 95 seconds").get("/healthz")
    assert (answer.status_code, answer.text) == (503, "the loop has not turned for 95 seconds\n")


def test_readiness_names_what_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes_module, "READY_SECONDS", 0.05)
    never, made = threading.Event(), []

    def hang() -> None:
        made.append(1)
        never.wait()

    def refuse() -> None:
        raise StorageError("the bucket is gone")

    assert client(ledger=lambda: None, sink=lambda: None).get("/readyz").status_code == 200
    refused = client(ledger=lambda: None, sink=refuse).get("/readyz")
    assert (refused.status_code, refused.text) == (503, "sink: the bucket is gone\n")
    hung = client(ledger=hang, sink=refuse)
    answers = [hung.get("/readyz") for _ in range(3)]
    assert {(answer.status_code, answer.text) for answer in answers} == {
        (503, "ledger: no answer within 0.05 seconds\n")
    }
    assert len(made) == 1  # and one thread, however often it is asked
    never.set()


def test_an_answer_is_kept_for_as_long_as_it_is_fresh() -> None:
    numbers = count()
    kept, asked = BoundedCall(lambda: next(numbers), 5.0, fresh=3600), BoundedCall(lambda: next(numbers), 5.0)
    assert [kept(), kept(), asked(), kept(), asked()] == [0, 0, 1, 0, 2]
    never = threading.Event()
    with pytest.raises(NoAnswerError):
        BoundedCall(never.wait, 0.01)()
    never.set()
