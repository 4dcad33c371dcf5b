"""Server-sent events: the log and the state of a deployment, or of a run, live. Reads rows, nothing else.

Events: ``log`` (its id is the cursor to resume from), ``deployment`` or ``run`` (whenever its view changed), ``end``.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from flask import Response, current_app
from pydantic import BaseModel

from longshore.errors import TransientError
from longshore.services import Services, deployments, logs, runs
from longshore.services.deployments import Glance
from longshore.services.views import LogLine
from longshore_api.state import state

SHORTEST, LONGEST = 0.03, 0.5  # seconds between two looks: short while things move
PING_EVERY = 15.0
AT_ONCE = 200


class Chunks(Protocol):
    """Reads a log: chunks after a sequence number."""

    def __call__(self, row_id: int, /, *, after: int, limit: int) -> list[LogLine]:
        """Oldest first."""
        ...


@dataclass(frozen=True)
class Followed:
    """What prints something and has a state. ``kind`` is what the events of its state are called."""

    services: Services
    kind: str
    glance: Callable[[], Glance]
    read: Chunks
    show: Callable[[], BaseModel]


def deployment_of(services: Services, app: str, number: int) -> Followed:
    """A deployment, to be followed."""
    of = (services, app, number)
    reading = partial(logs.read, services)
    return Followed(services, "deployment", lambda: deployments.glance(*of), reading, lambda: deployments.show(*of))


def run_of(services: Services, app: str, number: int) -> Followed:
    """A run, to be followed."""
    of = (services, app, number)
    return Followed(services, "run", lambda: runs.glance(*of), partial(runs.read, services), lambda: runs.show(*of))


def stream(followed: Followed, after: int) -> Response:
    """Follow from a log sequence on; 503 when too many streams are open already."""
    ours = state()
    if not ours.streams.acquire(blocking=False):
        raise TransientError("too many streams are open", code="too_many_streams", hint="Close some, or try later.")
    response = current_app.response_class(
        _follow(followed, after),
        mimetype="text/event-stream",
        headers={"X-Accel-Buffering": "no", "Cache-Control": "no-store"},
    )
    response.call_on_close(ours.streams.release)  # also for a stream that nobody began to read
    return response


def _follow(followed: Followed, after: int) -> Iterator[str]:
    yield "retry: 1000\n\n"
    clock, mark, pause = followed.services.clock, None, SHORTEST
    spoke = clock.monotonic()
    while True:
        seen = followed.glance()
        chunk = followed.read(seen.row_id, after=after, limit=AT_ONCE) if seen.mark != mark else []
        for one in chunk:
            after = one.sequence
            yield _event("log", one.model_dump_json(), after)
        if seen.mark != mark:
            yield _event(followed.kind, followed.show().model_dump_json())
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
