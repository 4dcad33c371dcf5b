"""Deadlines, enforced from outside: for a worker that is gone, or stuck in a call that never comes back."""

from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.orm import joinedload

from longshore.domain.states import DeploymentState, JobState
from longshore.errors import LongshoreError, PlatformError
from longshore.models import Deployment, Job
from longshore.services import digest, pipeline
from longshore.services.context import WorkerServices
from longshore.services.limits import limit_of

MARGIN = 15.0  # seconds in which a worker may notice by itself that its job is over a limit


def enforce_deadlines(worker: WorkerServices) -> None:
    """Jobs over their limit, and deployments over theirs, fail; what they hold is cleaned up, and the next begins."""
    for (job_id, fence), error in _stuck_claims(worker).items():
        _fail_claim(worker, job_id, fence, error)
    for deployment_id in _late_deployments(worker):
        _fail_deployment(worker, deployment_id)


def _stuck_claims(worker: WorkerServices) -> dict[tuple[int, int], LongshoreError]:
    """Measured from when this process saw the claim first, and saw news in its log last: a moved clock is no matter."""
    everything = joinedload(Job.deployment).options(joinedload(Deployment.app), joinedload(Deployment.release))
    with worker.db.read() as session:
        jobs = session.scalars(select(Job).where(Job.state == JobState.RUNNING).options(everything)).all()
        limits = {(job.id, job.fence): limit_of(worker.settings, job) for job in jobs}
        marks = {(job.id, job.fence): job.deployment.log_sequence for job in jobs}
    with worker.watch.lock:
        seen = worker.watch.claims.look(marks, worker.clock.monotonic())
    broken = {claim: limits[claim].broken(age - MARGIN, still - MARGIN) for claim, (age, still) in seen.items()}
    return {claim: error for claim, error in broken.items() if error is not None}


def _fail_claim(worker: WorkerServices, job_id: int, fence: int, error: LongshoreError) -> None:
    with worker.db.write() as session:
        pipeline.lock(session, session.scalars(select(Job.deployment_id).where(Job.id == job_id)).one())
        job = session.get_one(Job, job_id, with_for_update=True)
        if job.fence != fence or job.state is not JobState.RUNNING:
            return
        job.fence += 1  # whoever is stuck in it may do nothing more
        rings = pipeline.fail(session, job, error, worker.clock.now())
    pipeline.ring(worker, rings)


def _late_deployments(worker: WorkerServices) -> list[int]:
    """Those that have not switched in time. One that is being cleaned up is not late: it ends when the parts answer."""
    oldest = worker.clock.now() - timedelta(seconds=worker.settings.deployment_deadline)
    unfinished = Deployment.state.in_([DeploymentState.QUEUED, DeploymentState.RUNNING])
    with worker.db.read() as session:
        late = session.scalars(
            select(Deployment).where(unfinished, Deployment.created_at < oldest, Deployment.switched_at.is_(None))
        )
        return [deployment.id for deployment in late if not deployment.halted]


def _fail_deployment(worker: WorkerServices, deployment_id: int) -> None:
    now = worker.clock.now()
    with worker.db.write() as session:
        deployment = pipeline.lock(session, deployment_id)
        if deployment.ended or deployment.halted or deployment.switched_at is not None:
            return
        deployment.fail_with(_late(deployment, worker.settings.deployment_deadline))
        if deployment.state is DeploymentState.QUEUED:
            rings = pipeline.end_unstarted(session, deployment, DeploymentState.FAILED, now)
        else:
            rings = pipeline.advance(session, deployment, now)
    digest.write(worker, deployment_id)
    pipeline.ring(worker, rings)


def _late(deployment: Deployment, seconds: float) -> PlatformError:
    waits = [job.waiting for job in deployment.jobs if job.waiting]
    last = f"; the last thing it waited for: {waits[0]}" if waits else ""
    return PlatformError(
        f"{deployment.label} was not done within {seconds:g} s, its waits included{last}",
        code="deadline",
        hint="Deploy again when that is mended; LONGSHORE_DEPLOYMENT_DEADLINE is the limit.",
    )
