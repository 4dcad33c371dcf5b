"""What follows: from the plan and the states of the jobs, which job is next and how a deployment ends.

Called at the end of every transaction that ended a job, on locked rows. Answers with what is to be rung after the
commit, never before.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from longshore.domain.states import (
    STANDING,
    CancelEffect,
    DeploymentState,
    JobKind,
    JobState,
    Phase,
    ReplicaState,
    WaitFor,
)
from longshore.errors import LongshoreError
from longshore.models import App, Deployment, Job
from longshore.services import replicas
from longshore.services.context import Services

LONGEST_PAUSE = timedelta(seconds=60)  # between two tries of a job
RUNG_AT_ONCE = 8  # builds for one free place: the first may wait for something else by now


@dataclass(frozen=True)
class Ring:
    """A job whose message is to be sent."""

    job_id: int
    kind: JobKind
    label: str

    @classmethod
    def of(cls, job: Job) -> "Ring":
        """The message of a job."""
        return cls(job.id, job.kind, job.deployment.label)


def ring(services: Services, rings: list[Ring]) -> None:
    """Send messages, as best effort: what is not sent now is sent again by ``longshore.dispatch``."""
    for one in rings:
        try:
            services.queue.send(f"longshore.{one.kind}", str(one.job_id), label=one.label, queue=queue_of(one.kind))
        except LongshoreError:
            return


def queue_of(kind: JobKind) -> str:
    """A deploy never stands behind a build."""
    return "builds" if kind is JobKind.BUILD else "deploys"


def lock(session: Session, deployment_id: int) -> Deployment:
    """The deployment, with its app's row held: one at a time changes what belongs to an app."""
    app_id = select(Deployment.app_id).where(Deployment.id == deployment_id).scalar_subquery()
    session.scalar(select(App).where(App.id == app_id).with_for_update())
    return session.get_one(Deployment, deployment_id, with_for_update=True)


def advance(session: Session, deployment: Deployment, now: datetime) -> list[Ring]:
    """Go as far as the states allow; what is to be rung."""
    if deployment.halted and not deployment.ended:
        return _clean_up(session, deployment, now)
    rings = [Ring.of(job) for job in deployment.jobs if runnable(job)]
    for one in rings:
        deployment.job(one.kind).rung_at = now
    return rings + (next_of(session, deployment.app_id, now) if deployment.ended else [])


def after(session: Session, job: Job, now: datetime) -> list[Ring]:
    """What is to be rung when a job has ended: what follows it, and a build that waited for the place just freed."""
    session.flush()
    rings = advance(session, job.deployment, now)
    return rings + (_waiting_builds(session) if job.kind is JobKind.BUILD else [])


def fail(session: Session, job: Job, error: LongshoreError, now: datetime) -> list[Ring]:
    """A running job has failed, or it was told to stop and ended with an error; what is to be rung."""
    stopped = told_to_stop(job)
    job.fail_with(error)
    if not (job.deployment.ended or job.deployment.halted):  # a drain that fails takes no success back
        job.deployment.fail_with(error)
    job.move_to(JobState.CANCELLED if stopped else JobState.FAILED, now)
    return after(session, job, now)


def hand_back(session: Session, job: Job, now: datetime) -> list[Ring]:
    """A running job is given up, and no attempt is counted: another worker goes on, unless all is to stop."""
    if told_to_stop(job):
        job.move_to(JobState.CANCELLED, now)
        return after(session, job, now)
    job.fence += 1  # whatever the old claim still does, it does under a fence that is not the row's
    job.attempt -= 1
    job.move_to(JobState.QUEUED, now)
    job.rung_at = now
    return [Ring.of(job)]


def end_unstarted(session: Session, deployment: Deployment, target: DeploymentState, now: datetime) -> list[Ring]:
    """A queued deployment ends before it began; what is to be rung."""
    for job in deployment.jobs:
        job.move_to(JobState.SKIPPED, now)
    deployment.move_to(target, now)
    session.flush()
    return next_of(session, deployment.app_id, now)


def told_to_stop(job: Job) -> bool:
    """Whether its deployment failed, or is being cancelled; the clean-up itself goes on."""
    return job.deployment.halted and job.kind is not JobKind.DRAIN


def due(job: Job, now: datetime) -> bool:
    """Whether it may be tried now; a pause longer than any was written by a clock that has been set back since."""
    if job.deployment.hold_until is not None:
        return False  # whoever judges it says when it goes on
    return job.due_at is None or not now < job.due_at <= now + LONGEST_PAUSE


def runnable(job: Job) -> bool:
    """Whether a queued job has all it needs."""
    done = {other.kind.value for other in job.deployment.jobs if other.state is JobState.SUCCEEDED}
    return job.state is JobState.QUEUED and set(job.needs) <= done


def _waiting_builds(session: Session) -> list[Ring]:
    waiting = session.scalars(
        select(Job)
        .where(Job.kind == JobKind.BUILD, Job.state == JobState.QUEUED, Job.waiting_for == WaitFor.BUILD_PLACE)
        .order_by(Job.id)
        .limit(RUNG_AT_ONCE)
    )
    return [Ring.of(job) for job in waiting]


def next_of(session: Session, app_id: int, now: datetime) -> list[Ring]:
    """The first jobs of the app's next deployment in line."""
    waiting = oldest_queued(session, app_id, now)
    return advance(session, waiting, now) if waiting else []


def oldest_queued(session: Session, app_id: int, now: datetime) -> Deployment | None:
    """The deployment of the app that is first in line; past those a lock holds back, what is forced."""
    forced_first = [Deployment.forced.desc()] if session.get_one(App, app_id).locked(now) else []
    return session.scalar(
        select(Deployment)
        .where(Deployment.app_id == app_id, Deployment.state == DeploymentState.QUEUED)
        .order_by(*forced_first, Deployment.number)
        .limit(1)
    )


def _clean_up(session: Session, deployment: Deployment, now: datetime) -> list[Ring]:
    """After a failure, or told to cancel: nothing more begins, running siblings stop, and then ``drain`` runs."""
    deployment.phase, deployment.hold_until = Phase.CLEANING, None
    drain = deployment.job(JobKind.DRAIN)
    steps = [job for job in deployment.jobs if job is not drain]
    for job in steps:
        if job.state is JobState.QUEUED:
            job.move_to(JobState.SKIPPED, now)
    if any(job.state is JobState.RUNNING for job in steps):
        return []
    if deployment.cancel_effect is CancelEffect.STOPS and deployment.cancel_acknowledged_at is None:
        deployment.cancel_acknowledged_at = now
    if drain.ended:
        deployment.move_to(DeploymentState.FAILED if deployment.failing else DeploymentState.CANCELLED, now)
        return next_of(session, deployment.app_id, now)
    return _begin_drain(session, deployment, drain, now)


def _begin_drain(session: Session, deployment: Deployment, drain: Job, now: datetime) -> list[Ring]:
    _give_traffic_back(deployment, now)
    for replica in replicas.of(session, deployment.id):
        if replica.state in STANDING:
            replica.move_to(ReplicaState.DRAINING, now)
    drain.needs = []
    drain.rung_at = now
    return [Ring.of(drain)] if drain.state is JobState.QUEUED else []


def _give_traffic_back(deployment: Deployment, now: datetime) -> None:
    """A failure after requests were led to it: the rows lead to the old side again, and the router follows at once."""
    app = deployment.app
    if deployment.switched_at is None and not app.share:
        return
    if deployment.switched_at is not None:
        app.live_slot, deployment.switched_at = deployment.slot_before, None
    app.share = 0
    deployment.reverted_to = app.release.number if app.release else None
    deployment.tell("route.reverted", now, slot=app.live_slot, release=deployment.reverted_to)
