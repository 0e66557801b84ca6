"""The routes of monitoring, for any Starlette application: metrics, health, readiness."""

from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gads_domain.bounded_call import BoundedCall
from gads_domain.errors import GadsError
from gads_metrics.exposition import Exposition

READY_SECONDS = 5.0
"""How long each part has to answer before `/readyz` says that it does not."""


def routes(
    exposition: Exposition, *, stuck: Callable[[], str], parts: Mapping[str, Callable[[], object]]
) -> list[Route]:
    """`/metrics`, `/healthz` and `/readyz`; none of them changes anything.

    `stuck` says in a sentence why this process does not work any more, or nothing: then `/healthz` is 200, else 503
    with the sentence, and restarting the process is right. `parts` are what the work needs, each a call that raises
    `GadsError` if it does not answer: `/readyz` is 503 and names the first of them that does not.
    """
    asked = {name: BoundedCall(call, READY_SECONDS, fresh=1.0) for name, call in parts.items()}

    def metrics(request: Request) -> Response:
        text, content_type = exposition.encoded(request.headers.get("accept", ""))
        return Response(text, headers={"content-type": content_type, "cache-control": "no-store"})

    def healthz(_request: Request) -> Response:
        return _answer(stuck())

    def readyz(_request: Request) -> Response:
        for name, ask in asked.items():
            try:
                ask()
            except GadsError as error:
                return _answer(f"{name}: {error.message}")
        return _answer("")

    return [Route("/metrics", metrics), Route("/healthz", healthz), Route("/readyz", readyz)]


def _answer(fault: str) -> Response:
    return PlainTextResponse(f"{fault or 'ok'}\n", 503 if fault else 200, {"cache-control": "no-store"})
