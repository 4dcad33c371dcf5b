"""Claiming: a queued job becomes a running one of ours, by compare-and-set under the lock of its app."""

import logging
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from sqlalchemy.orm.exc import StaleDataError

from longshore.domain.states import AFTER_SUCCESS, PHASE_OF, DeploymentState, JobKind, JobState, WaitFor
from longshore.models import Deployment, Job
from longshore.services import job_plan, line, pipeline
from longshore.services.context import WorkerServices
from longshore.services.pipeline import Ring
from longshore.services.work import Work, open_work

log = logging.getLogger("longshore.jobs")


@dataclass(frozen=True)
class Replanned(Exception):  # noqa: N818 - not an error: others go first
    """The configuration asks for other jobs than were planned; what is to be rung instead."""

    rings: list[Ring]


@dataclass(frozen=True)
class Refused(Exception):  # noqa: N818 - not an error: the job just stays queued
    """A queued job cannot start now: for what it waits, and why in words for people."""

    reason: WaitFor
    why: str


def claim(worker: WorkerServices, job_id: int) -> Work | None:
    """Take a queued job by compare-and-set; ``None`` when it is not to be had (now)."""
    if worker.shift.ending or not worker.lease.alive():
        return None  # whoever watches us may be giving our jobs away right now
    place = object()
    try:
        with worker.db.write() as session:
            job = _locked(session, job_id)
            if job is None:
                return None
            try:
                return _take(worker, session, job, place)
            except Refused as refused:
                job.wait(refused.reason, refused.why, worker.clock.now())
                return None
            except Replanned as replanned:
                rings = replanned.rings
        pipeline.ring(worker, rings)
        return None
    except (StaleDataError, IntegrityError):
        log.info("job %s was claimed by someone else", job_id)
        worker.shift.go(place)
        return None
    except BaseException:
        worker.shift.go(place)
        raise


def _locked(session: Session, job_id: int) -> Job | None:
    deployment_id = session.scalar(select(Job.deployment_id).where(Job.id == job_id))
    if deployment_id is None:
        return None  # a message of another database: somebody's Redis is shared
    pipeline.lock(session, deployment_id)
    return session.get_one(Job, job_id, with_for_update=True)


def _take(worker: WorkerServices, session: Session, job: Job, place: object) -> Work | None:
    deployment, now = job.deployment, worker.clock.now()
    if not _claimable(job) or not pipeline.due(job, now):
        return None
    if deployment.state is DeploymentState.QUEUED:
        _refuse_out_of_turn(session, deployment, now)
        _settle(session, job, now)
    build_place = _free_place(worker, session) if job.kind is JobKind.BUILD else None
    _come_in(worker, job, place)
    job.build_place = build_place
    if deployment.state is DeploymentState.QUEUED:
        _start(deployment, now)
    job.owner = worker.lease.worker_id
    job.fence += 1
    job.attempt += 1
    job.move_to(JobState.RUNNING, now)
    if not deployment.ended:
        deployment.phase = PHASE_OF[job.kind]
    return open_work(worker, job, place)


def _claimable(job: Job) -> bool:
    deployment = job.deployment
    if job.kind is JobKind.DRAIN and deployment.halted and not deployment.ended:
        return job.state is JobState.QUEUED and not job.needs  # needs are cleared when all siblings are still
    open_to_all = deployment.state in (DeploymentState.QUEUED, DeploymentState.RUNNING) and not deployment.halted
    after_success = job.kind in AFTER_SUCCESS and deployment.state is DeploymentState.SUCCEEDED
    return (open_to_all or after_success) and pipeline.runnable(job)


def _refuse_out_of_turn(session: Session, deployment: Deployment, now: datetime) -> None:
    """One at a time, in order, and none that a lock holds back."""
    places = line.read(session, [deployment.app_id]).get(deployment.app_id, [])
    held = line.held(deployment, line.before(places, deployment, now), now)
    if held is not None:
        raise Refused(held.reason, held.words)


def _settle(session: Session, job: Job, now: datetime) -> None:
    """Its turn has come: from here on its configuration is what it is."""
    deployment = job.deployment
    job_plan.settle(session, deployment)
    session.flush()
    if job not in deployment.jobs or not pipeline.runnable(job):
        raise Replanned(pipeline.advance(session, deployment, now))


def _come_in(worker: WorkerServices, job: Job, place: object) -> None:
    """Last of all: from here on the job counts among those this process holds."""
    suspect = job.crashes > 0
    if worker.shift.come_in(place, alone=suspect):
        return
    if suspect:
        raise Refused(WaitFor.ALONE, "waits to run alone: a worker went away while it ran")
    raise Refused(WaitFor.ALONE, "waits for a job that runs alone, because a worker went away while it ran")


def _start(deployment: Deployment, now: datetime) -> None:
    """The deployment takes the app, under a generation of its own."""
    deployment.app.generation += 1
    deployment.generation = deployment.app.generation
    deployment.move_to(DeploymentState.RUNNING, now)


def _free_place(worker: WorkerServices, session: Session) -> str:
    """A free place for a build on this host. The column is unique: of two that take one place, one is refused."""
    places = [f"{worker.host}/{number}" for number in range(1, worker.settings.builds + 1)]
    taken = set(session.scalars(select(Job.build_place).where(Job.build_place.in_(places))))
    free = [place for place in places if place not in taken]
    if not free:
        raise Refused(WaitFor.BUILD_PLACE, f"waits for a free place: {len(places)} builds run already on {worker.host}")
    return free[0]
