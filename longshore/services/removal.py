"""Taking away replicas that lost: sessions first, then the container."""

from collections.abc import Callable

from longshore.domain.names import WEB
from longshore.models import Replica
from longshore.services import routing
from longshore.services.context import WorkerServices

SHORTEST_LOOK, LONGEST_LOOK = 0.01, 0.5


def remove(worker: WorkerServices, replica: Replica, check: Callable[[], None]) -> None:
    """Wait until it holds no request (or the limit is over), then stop and remove it. It must be draining.

    ``check`` is the fence: called before each change.
    """
    if replica.process == WEB:
        wait_for_sessions(worker, replica, check)
    check()
    worker.engine.stop(replica.name, worker.settings.stop_grace)
    check()
    worker.engine.remove(replica.name)


def wait_for_sessions(worker: WorkerServices, replica: Replica, check: Callable[[], None]) -> None:
    """Return when the router, and the router processes before a reload, hold nothing on it any more."""
    server = routing.server_of(replica).name
    until = worker.clock.monotonic() + worker.settings.drain_limit
    pause = SHORTEST_LOOK
    while worker.router.sessions(replica.app.name, replica.route_slot, server):
        if worker.clock.monotonic() >= until:
            return
        check()
        worker.clock.sleep(pause)
        pause = min(pause * 2, LONGEST_LOOK)
