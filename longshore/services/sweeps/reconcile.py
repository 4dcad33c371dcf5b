"""Reconciling: what should stand, by the rows, stands."""

from sqlalchemy import select

from longshore.domain.names import LABEL_APP, LABEL_STACK
from longshore.domain.states import ReplicaState
from longshore.errors import PartDownError
from longshore.models import OneOff, Replica
from longshore.services import routing
from longshore.services.context import WorkerServices

ROUTER_STARTS_WITHIN = 5.0


def reconcile(worker: WorkerServices) -> None:
    """What should stand, stands: the stack's own parts, the routes, and replicas that were only stopped."""
    worker.router.write(lambda: routing.table(worker))  # a router that starts reads its files
    worker.parts.ensure()
    _resume(worker)
    _remove_orphans(worker)
    _wait_for_router(worker)
    routing.apply(worker)


def _wait_for_router(worker: WorkerServices) -> None:
    """One that was only just started takes a moment."""
    until, pause = worker.clock.monotonic() + ROUTER_STARTS_WITHIN, 0.02
    while True:
        try:
            return worker.router.ping()
        except PartDownError:
            if worker.clock.monotonic() >= until:
                raise
        worker.clock.sleep(pause)
        pause = min(pause * 1.5, 0.5)


def _resume(worker: WorkerServices) -> None:
    with worker.db.read() as session:
        wanted = set(session.scalars(select(Replica.name).where(Replica.state == ReplicaState.HEALTHY)))
    if not wanted:
        return
    for container in worker.engine.containers({LABEL_STACK: worker.settings.stack}):
        if container.name in wanted and not container.running:
            worker.engine.resume(container.name)


def _remove_orphans(worker: WorkerServices) -> None:
    """Containers whose row says that they are gone: a call of a worker that came back from the dead made them.

    A container without any row is left alone: it may belong to a newer database than this one.
    """
    names = {
        container.name
        for container in worker.engine.containers({LABEL_STACK: worker.settings.stack})
        if LABEL_APP in container.labels
    }
    if not names:
        return
    with worker.db.read() as session:
        rows = [
            *session.execute(
                select(Replica.name, Replica.state != ReplicaState.REMOVED).where(Replica.name.in_(names))
            ),
            *session.execute(select(OneOff.name, OneOff.removed_at.is_(None)).where(OneOff.name.in_(names))),
        ]
    standing = {name for name, stands in rows if stands}
    for name in {name for name, _ in rows} - standing:
        worker.engine.remove(name)
