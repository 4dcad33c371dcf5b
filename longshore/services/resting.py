"""Resting: old replicas that make room stop, and stand again when the new release fails. Nothing of them is lost."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from longshore.domain.names import WEB
from longshore.domain.rollout import Stage
from longshore.domain.states import ReplicaState
from longshore.models import App, Replica
from longshore.services import rollout, routing
from longshore.services.context import WorkerServices
from longshore.services.proving import Candidate, accepted
from longshore.services.removal import wait_for_sessions
from longshore.services.work import Work

SIDE_BY_SIDE = 8
UP_WITHIN, LOOK_EVERY = 30.0, 0.05  # seconds


def rest(work: Work, stage: Stage) -> None:
    """Old replicas that a stage does not keep get no request any more, finish those they have, and stop."""
    with work.worker.db.write() as session:
        deployment = work.locked(session).deployment
        leaving = _leaving(stage, rollout.old_side(session, deployment))
        for replica in leaving:
            if replica.state is ReplicaState.HEALTHY:
                replica.move_to(ReplicaState.RESTING, work.worker.clock.now())
    if leaving:
        routing.apply(work.worker)
        with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="rest") as pool:
            list(pool.map(lambda replica: _stop(work, replica), leaving))


def _leaving(stage: Stage, old: list[Replica]) -> list[Replica]:
    """Of web those beyond what stays; whatever cannot run twice, all of it."""
    if stage.old_first:
        return old
    return [replica for replica in old if replica.process == WEB][stage.old :]


def _stop(work: Work, replica: Replica) -> None:
    wait_for_sessions(work.worker, replica, work.check)
    work.check()
    work.worker.engine.stop(replica.name, work.worker.settings.stop_grace)


def revive(worker: WorkerServices, app_id: int, check: Callable[[], None]) -> None:
    """What rests of an app runs again and answers; the router knows it again. ``check`` is the fence."""
    with worker.db.read() as session:
        resting = _resting(session, app_id)
    if not resting:
        return
    with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="revive") as pool:
        stands = list(pool.map(lambda replica: _start(worker, replica, check), resting))
    with worker.db.write() as session:
        session.scalar(select(App).where(App.id == app_id).with_for_update())
        up = dict(zip((replica.id for replica in resting), stands, strict=True))
        for replica in _resting(session, app_id):
            if replica.id in up:
                target = ReplicaState.HEALTHY if up[replica.id] else ReplicaState.DRAINING
                replica.move_to(target, worker.clock.now())
    routing.apply(worker)


def _resting(session: Session, app_id: int) -> list[Replica]:
    query = select(Replica).where(Replica.app_id == app_id, Replica.state == ReplicaState.RESTING)
    whole = (joinedload(Replica.app), joinedload(Replica.release))
    return list(session.scalars(query.order_by(Replica.id).options(*whole)))


def _start(worker: WorkerServices, replica: Replica, check: Callable[[], None]) -> bool:
    """Whether it is there to be started. It was proven once: should it not answer in time, it serves all the same."""
    check()
    if worker.engine.find(replica.name) is None:
        return False
    worker.engine.resume(replica.name)
    until = worker.clock.monotonic() + UP_WITHIN
    while replica.process == WEB and not _answers(worker, replica) and worker.clock.monotonic() < until:
        check()
        worker.clock.sleep(LOOK_EVERY)
    return True


def _answers(worker: WorkerServices, replica: Replica) -> bool:
    """By the rule of a replica that has a port; what was asked in another way need not be asked again."""
    rule = Candidate.of(replica, replica.app.hosts[0]).check
    if rule.kind not in ("http", "tcp"):
        return True
    host = rule.host or replica.app.hosts[0]
    return accepted(worker.prober.probe(replica.address, replica.port, rule, host), rule)
