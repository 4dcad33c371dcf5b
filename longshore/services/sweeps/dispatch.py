"""Ringing again: a message that was lost delays a job by seconds and loses none."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, exists, select, update
from sqlalchemy.orm import Session, aliased, contains_eager, joinedload, selectinload

from longshore.domain.states import DeploymentState, JobState
from longshore.models import Deployment, Job
from longshore.services import pipeline, runs
from longshore.services.context import WorkerServices
from longshore.services.pipeline import LONGEST_PAUSE, Ring

AT_ONCE = 1000


def dispatch(worker: WorkerServices, *, at_once: bool = False) -> None:
    """Ring again for queued jobs whose message is overdue: lost, refused, or waiting for an instant that has come.

    ``at_once``: a part came back, so nobody needs to wait for their next try.
    """
    now = worker.clock.now()
    with worker.db.write() as session:
        query = select(Job).join(Job.deployment).where(Job.state == JobState.QUEUED, _first_in_line())
        if not at_once:
            query = query.where(_overdue(now, worker.settings.overdue))
        rings = _ring_again(session, query, now, at_once)
    pipeline.ring(worker, rings)
    runs.ring_again(worker)


def _first_in_line() -> ColumnElement[bool]:
    """Not a deployment with an unfinished one of its app before it: those are rung when that one ends.

    What is forced may pass queued ones; whether it may now, the claim decides.
    """
    before = aliased(Deployment)
    queued = (before.state == DeploymentState.QUEUED) & (before.forced | ~Deployment.forced)
    unfinished = (before.state == DeploymentState.RUNNING) | queued
    earlier = exists().where(before.app_id == Deployment.app_id, before.number < Deployment.number, unfinished)
    return (Deployment.state != DeploymentState.QUEUED) | ~earlier


def _overdue(now: datetime, seconds: float) -> ColumnElement[bool]:
    """An instant further ahead than any pause can be was written by a clock that has been set back since."""
    long_ago, ahead = now - timedelta(seconds=seconds), now + LONGEST_PAUSE
    late = Job.rung_at.is_(None) | ~Job.rung_at.between(long_ago, ahead) | Job.due_at.between(long_ago, now)
    return late & (Job.due_at.is_(None) | ~Job.due_at.between(now, ahead))


def _ring_again(session: Session, query: Select[Job], now: datetime, at_once: bool) -> list[Ring]:
    everything = contains_eager(Job.deployment).options(joinedload(Deployment.app), selectinload(Deployment.jobs))
    locked = query.options(everything).order_by(Job.id).limit(AT_ONCE).with_for_update(of=Job, skip_locked=True)
    ready = [job for job in session.scalars(locked) if pipeline.runnable(job) and job.deployment.hold_until is None]
    changes = {"rung_at": now, **({"due_at": None} if at_once else {})}
    # Not through the rows: that would raise their version without the lock of their app.
    ours = update(Job).where(Job.id.in_([job.id for job in ready]), Job.state == JobState.QUEUED)
    session.execute(ours.values(changes).execution_options(synchronize_session=False))
    return [Ring.of(job) for job in ready]
