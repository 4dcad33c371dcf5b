"""Leases: each worker raises one counter; whoever's counter stands still loses its jobs to the others.

On one host nobody waits for that: a worker process holds a lock that the kernel lets go when it dies.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from longshore.domain.states import LASTING, JobKind, JobState
from longshore.errors import PlatformError
from longshore.models import App, Deployment, Job, Run, Worker
from longshore.services import pipeline, runs
from longshore.services.context import WorkerServices
from longshore.services.pipeline import Ring

LOSSES_PER_CRASH = 5  # so often an innocent neighbour is hardly ever there when a worker goes away


def beat(worker: WorkerServices) -> None:
    """Renew this worker's lease on all its jobs: one statement."""
    now = worker.clock.now()
    with worker.db.write() as session:
        known = session.execute(
            update(Worker)
            .where(Worker.id == worker.lease.worker_id)
            .values(beats=Worker.beats + 1, seen_at=now)
            .returning(Worker.id)
        ).scalar()
        if known is None:
            session.add(_newcomer(worker, now))
    worker.lease.renewed()


def _newcomer(worker: WorkerServices, now: datetime) -> Worker:
    queues = list(worker.settings.queues)
    return Worker(id=worker.lease.worker_id, host=worker.host, queues=queues, beats=1, started_at=now, seen_at=now)


def arrive(worker: WorkerServices) -> None:
    """A worker process begins: known before it claims, and heir at once to those of its host that are gone."""
    worker.locks.hold(worker.lease.worker_id)
    beat(worker)
    take_over_from(worker, worker.locks.abandoned())


def reap(worker: WorkerServices) -> None:
    """Jobs of dead workers are runnable again.

    Dead is a worker whose lock is free, if this is its host; anywhere else one whose counter stood still for a
    lease, measured here, on our own monotonic clock.
    """
    with worker.db.read() as session:
        beats = {row.id: row.beats for row in session.scalars(select(Worker))}
        owners = [
            *session.scalars(select(Job.owner).where(Job.owner.is_not(None)).distinct()),
            *session.scalars(select(Run.owner).where(Run.owner.is_not(None)).distinct()),
        ]
        unknown = {owner: -1 for owner in owners if owner is not None and owner not in beats}
    with worker.watch.lock:
        seen = worker.watch.workers.look({**beats, **unknown}, worker.clock.monotonic())
    silent = {who for who, (_, still) in seen.items() if still > worker.settings.lease}
    take_over_from(worker, (silent | worker.locks.abandoned()) - {worker.lease.worker_id})


def take_over_from(worker: WorkerServices, owners: Iterable[str]) -> None:
    """Hand back the jobs of workers known to be dead, and forget the workers."""
    for owner in sorted(owners):
        _hand_back_all(worker, owner, set(JobKind), lost=True)
        runs.lose(worker, owner)
        worker.locks.forget([owner])


def hand_back(worker: WorkerServices, *, lasting: bool) -> None:
    """Give away what this process holds, without asking its threads; what lasts (builds, commands) may go on."""
    kinds = set(JobKind) if lasting else set(JobKind) - LASTING
    _hand_back_all(worker, worker.lease.worker_id, kinds, lost=False)


def leave(worker: WorkerServices) -> None:
    """Goodbye: what this process still holds is handed back, and nobody needs to watch it any more."""
    hand_back(worker, lasting=True)
    runs.lose(worker, worker.lease.worker_id)
    with worker.db.write() as session:
        session.execute(delete(Worker).where(Worker.id == worker.lease.worker_id))
    worker.locks.forget([worker.lease.worker_id])


def _hand_back_all(worker: WorkerServices, owner: str, kinds: set[JobKind], *, lost: bool) -> None:
    """In one transaction: whether a job was alone in its process is told by what else is handed back with it."""
    with worker.db.write() as session:
        jobs = _running_jobs(session, owner, kinds)
        rings = [ring for job in jobs for ring in _hand_back(worker, session, job, lost=lost, alone=len(jobs) == 1)]
        if lost:
            session.execute(delete(Worker).where(Worker.id == owner))
    pipeline.ring(worker, rings)


def _running_jobs(session: Session, owner: str, kinds: set[JobKind]) -> list[Job]:
    """Their apps are held, in one order, so that two who take over at once do not block each other for good."""
    apps = select(Deployment.app_id).join(Job).where(Job.owner == owner)
    session.scalars(select(App).where(App.id.in_(apps)).order_by(App.id).with_for_update()).all()
    running = select(Job).where(Job.owner == owner, Job.state == JobState.RUNNING, Job.kind.in_(kinds)).order_by(Job.id)
    return list(session.scalars(running.with_for_update().execution_options(populate_existing=True)))


def _hand_back(worker: WorkerServices, session: Session, job: Job, *, lost: bool, alone: bool) -> list[Ring]:
    now = worker.clock.now()
    if lost:
        job.losses += 1
        if alone or job.losses % LOSSES_PER_CRASH == 0:
            job.crashes += 1
    if lost and job.crashes >= worker.settings.crashes:
        return pipeline.fail(session, job, _crashed(job), now)
    return pipeline.hand_back(session, job, now)


def _crashed(job: Job) -> PlatformError:
    return PlatformError(
        f"{job.kind} of {job.deployment.label} crashed its worker: it went away {job.losses} times while this ran",
        code="crashed_worker",
        hint="The log of the worker may say why; did it run out of memory?",
    )
