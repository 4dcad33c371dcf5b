"""Judging: what is held goes on when its time is over, and loses its requests at once when it is worse."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sqlalchemy import ColumnElement, select
from sqlalchemy.orm import Session

from longshore.domain import judgement
from longshore.domain.ports import Container
from longshore.domain.states import DeploymentState, JobKind, ReplicaState
from longshore.errors import AppError
from longshore.models import App, Deployment, Replica
from longshore.services import line, pipeline, resting, rollout, routing, watching
from longshore.services.context import WorkerServices
from longshore.services.watching import Counted

SIDE_BY_SIDE = 8
FAR_AHEAD = 3600.0  # seconds; no hold is longer: one that is was written by a clock that has been set back since


@dataclass(frozen=True)
class _Verdict:
    """What is to become of a deployment that is held."""

    bad: str | None = None  # why it is worse
    over: bool = False


def judge(worker: WorkerServices) -> None:
    """Look at every deployment that is held."""
    with worker.db.read() as session:
        held = session.scalars(select(Deployment.id).where(_is_held())).all()
    if not held:
        return
    counted = worker.router.counters()
    for deployment_id in held:
        _judge(worker, deployment_id, counted)


def _is_held() -> ColumnElement[bool]:
    return Deployment.hold_until.is_not(None) & (Deployment.state == DeploymentState.RUNNING)


def _judge(worker: WorkerServices, deployment_id: int, counted: Counted) -> None:
    dead = _dead(worker, deployment_id)
    with worker.db.write() as session:
        deployment = pipeline.lock(session, deployment_id)
        if deployment.hold_until is None or deployment.halted or deployment.state is not DeploymentState.RUNNING:
            return
        verdict = _verdict(worker, session, deployment, dead, counted)
        if verdict.over and not verdict.bad:
            rings = _let_go(worker, deployment)
    if verdict.bad:
        _revert(worker, deployment_id, verdict.bad)
    elif verdict.over:
        pipeline.ring(worker, rings)


def _dead(worker: WorkerServices, deployment_id: int) -> str | None:
    """Why the first of its replicas is gone that did not run all the time; asked one by one, for lists do not tell."""
    with worker.db.read() as session:
        standing = select(Replica.name).where(
            Replica.deployment_id == deployment_id, Replica.state == ReplicaState.HEALTHY
        )
        names = session.scalars(standing.order_by(Replica.name)).all()
    with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="judge") as pool:
        found = list(pool.map(worker.engine.find, names))
    return next(filter(None, map(_end, names, found)), None)


def _end(name: str, container: Container | None) -> str | None:
    if container is None:
        return f"{name} disappeared"
    if container.interrupted:
        return None  # it ended with the engine, and is started again
    if container.running and not container.restarts:
        return None
    if container.out_of_memory:
        return f"{name} was killed because it used more memory than it may"
    return f"{name} exited" + ("" if container.running else f" with code {container.exit_code}")


def _verdict(
    worker: WorkerServices, session: Session, deployment: Deployment, dead: str | None, counted: Counted
) -> _Verdict:
    new, old = watching.look(deployment, counted)
    bad = judgement.worse(new, old, deployment.app.max_rps)
    in_a_row = deployment.watched["worse"] + 1 if bad else 0
    deployment.watched = {**deployment.watched, "worse": in_a_row}
    if dead or in_a_row >= judgement.IN_A_ROW:
        return _Verdict(bad=dead or bad)
    return _Verdict(over=_time_is_over(worker, deployment) or _wanted(worker, session, deployment))


def _time_is_over(worker: WorkerServices, deployment: Deployment) -> bool:
    until = deployment.hold_until
    left = (until - worker.clock.now()).total_seconds() if until else 0.0
    return not 0 < left <= FAR_AHEAD


def _wanted(worker: WorkerServices, session: Session, deployment: Deployment) -> bool:
    """Whether another deployment of the app could start but for this one, which has all requests already."""
    if deployment.switched_at is None:
        return False
    now = worker.clock.now()
    waiting = pipeline.oldest_queued(session, deployment.app_id, now)
    return waiting is not None and line.held(waiting, (), now) is None


def _let_go(worker: WorkerServices, deployment: Deployment) -> list[pipeline.Ring]:
    """The job goes on: with the next stage, or to its end."""
    deployment.hold_until = None
    job = deployment.job(JobKind.HEALTH_CHECK)
    job.rung_at = worker.clock.now()
    return [pipeline.Ring.of(job)]


def _revert(worker: WorkerServices, deployment_id: int, why: str) -> None:
    """Traffic goes back to the old side, and the deployment fails; its clean-up takes the new side away."""
    with worker.db.read() as session:
        deployment = session.get_one(Deployment, deployment_id)
        rests = any(row.state is ReplicaState.RESTING for row in rollout.old_side(session, deployment))
        app_id = deployment.app_id
    if rests:
        resting.revive(worker, app_id, lambda: None)
    with worker.db.write() as session:
        deployment = pipeline.lock(session, deployment_id)
        if deployment.hold_until is None or deployment.halted:
            return
        deployment.fail_with(_worse(deployment, session.get_one(App, app_id), why))
        rings = pipeline.advance(session, deployment, worker.clock.now())
    routing.apply(worker)
    pipeline.ring(worker, rings)


def _worse(deployment: Deployment, app: App, why: str) -> AppError:
    back = f"traffic went back to release {app.release.number}" if app.release else "it takes no requests any more"
    return AppError(
        f"{deployment.label} was watched and is worse than what ran before: {why}; {back}",
        code="worse",
        hint="`longshore logs` shows what it wrote; what was counted is in the deployment's events.",
    )
