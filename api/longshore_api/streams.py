"""Server-sent events: the log and the state of a deployment, live. Reads rows, nothing else.

Events: ``log`` (its id is the cursor to resume from), ``deployment`` (whenever its view changed), ``end``.
"""

from collections.abc import Iterator

from flask import Response, current_app

from longshore.errors import TransientError
from longshore.services import Services, deployments, logs
from longshore_api.state import state

SHORTEST, LONGEST = 0.03, 0.5  # seconds between two looks: short while things move
PING_EVERY = 15.0
AT_ONCE = 200


def stream(app: str, number: int, after: int) -> Response:
    """Follow a deployment from a log sequence on; 503 when too many streams are open already."""
    ours = state()
    if not ours.streams.acquire(blocking=False):
        raise TransientError("too many streams are open", code="too_many_streams", hint="Close some, or try later.")
    response = current_app.response_class(
        _follow(ours.services, app, number, after),
        mimetype="text/event-stream",
        headers={"X-Accel-Buffering": "no", "Cache-Control": "no-store"},
    )
    response.call_on_close(ours.streams.release)  # also for a stream that nobody began to read
    return response


def _follow(services: Services, app: str, number: int, after: int) -> Iterator[str]:
    yield "retry: 1000\n\n"
    clock, mark, pause = services.clock, None, SHORTEST
    spoke = clock.monotonic()
    while True:
        seen = deployments.glance(services, app, number)
        chunk = logs.read(services, seen.deployment_id, after=after, limit=AT_ONCE) if seen.mark != mark else []
        for one in chunk:
            after = one.sequence
            yield _event("log", one.model_dump_json(), after)
        if seen.mark != mark:
            yield _event("deployment", deployments.show(services, app, number).model_dump_json())
            mark = seen.mark if len(chunk) < AT_ONCE else None  # a full page: there is more
            spoke, pause = clock.monotonic(), SHORTEST
        elif seen.over:
            yield _event("end", "{}")
            return
        elif clock.monotonic() - spoke > PING_EVERY:
            yield ": still here\n\n"
            spoke = clock.monotonic()
        clock.sleep(pause)
        pause = min(pause * 1.3, LONGEST)


def _event(kind: str, data: str, event_id: int | None = None) -> str:
    mark = f"id: {event_id}\n" if event_id is not None else ""
    return f"{mark}event: {kind}\ndata: {data}\n\n"
