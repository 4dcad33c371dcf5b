"""Why something waits: one place that answers for all of it, the same in the API, the CLI and chat."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from longshore.domain.states import DeploymentState, JobState, WaitFor
from longshore.domain.waits import IN_LINE, Wait
from longshore.models import Deployment, Job, PartStatus
from longshore.services import line, parts, pipeline
from longshore.services.line import Held, Place, Usual

MESSAGE_TAKES = timedelta(seconds=1)


@dataclass(frozen=True)
class Surroundings:
    """What the answers depend on, read once for all deployments of some apps."""

    now: datetime
    down: Sequence[PartStatus] = ()
    queues: frozenset[str] = frozenset()
    lines: Mapping[int, list[Place]] = field(default_factory=dict)
    usual: Usual = field(default_factory=dict)

    def before(self, deployment: Deployment) -> list[Place]:
        """Those of its app that go before it."""
        return line.before(self.lines.get(deployment.app_id, []), deployment, self.now)

    def left(self, places: Sequence[Place]) -> timedelta | None:
        """How long these still take."""
        return line.left(places, self.usual, self.now)


def look(session: Session, app_ids: Collection[int], down: Sequence[PartStatus], now: datetime) -> Surroundings:
    """Read what the answers for these apps depend on: the same few queries, however many deployments they have."""
    lines = line.read(session, app_ids) if app_ids else {}
    if not lines:
        return Surroundings(now, down)
    return Surroundings(now, down, parts.queues_taken(session, now), lines, line.usual(session, lines))


def explain(around: Surroundings, deployment: Deployment) -> Wait | None:
    """What a deployment waits for; ``None`` when it is at work, or over."""
    if deployment.ended or any(job.state is JobState.RUNNING for job in deployment.jobs):
        return None
    if deployment.state is DeploymentState.QUEUED:
        ahead = around.before(deployment)
        if held := line.held(deployment, ahead, around.now):
            return _in_line(around, deployment, ahead, held)
    waits = (_of_job(around, job) for job in deployment.jobs if pipeline.runnable(job))
    return next((wait for wait in waits if wait), None)


def _in_line(around: Surroundings, deployment: Deployment, ahead: list[Place], held: Held) -> Wait:
    locked = held.reason is WaitFor.LOCK
    since = max(deployment.created_at, deployment.app.lock_since or deployment.created_at)
    return Wait(
        reason=held.reason,
        words=held.words,
        since=since if locked else deployment.created_at,
        job=deployment.jobs[0].kind,
        blocker=held.blocker,
        position=len(ahead),
        estimate=_unlocked_in(around, deployment, ahead) if locked else around.left(ahead),
    )


def _unlocked_in(around: Surroundings, deployment: Deployment, ahead: list[Place]) -> timedelta | None:
    """Until the lock's end; what runs goes on meanwhile, and what is queued before it comes after that."""
    until = deployment.app.lock_until
    going = around.left([one for one in ahead if one.started_at]) or timedelta(0)
    then = around.left([one for one in ahead if not one.started_at])
    return None if until is None or then is None else max(until - around.now, going) + then


def _of_job(around: Surroundings, job: Job) -> Wait | None:
    """Why a job that has all it needs has not begun."""
    queue, ready = pipeline.queue_of(job.kind), _ready_since(job)
    if queue not in around.queues:
        words = f"waits for a worker on the queue {queue}: none is running"
        return Wait(WaitFor.WORKER, words, ready, job.kind, f"queue {queue}")
    if job.waiting and job.waiting_for and job.waiting_for not in IN_LINE:
        return _told(around, job, job.waiting_for, job.waiting)
    if missing := [part for part in around.down if part.name != "worker"]:
        words = "; ".join(f"waits for {part.name}: {part.problem}" for part in missing)
        return Wait(WaitFor.PART, words, ready, job.kind, missing[0].name)
    if _just_rung(job, around.now):
        return None
    return Wait(WaitFor.WORKER, "waits for a worker to take it", ready, job.kind)


def _told(around: Surroundings, job: Job, reason: WaitFor, words: str) -> Wait:
    """In the words of whoever could not run it."""
    named = words.removeprefix("waits for ").partition(":")[0] if reason is WaitFor.PART else None
    since = job.waiting_since or _ready_since(job)
    return Wait(
        reason, words, since, job.kind, named, estimate=_due_in(around, job) if reason is WaitFor.RETRY else None
    )


def _due_in(around: Surroundings, job: Job) -> timedelta:
    return timedelta(0) if job.due_at is None or pipeline.due(job, around.now) else job.due_at - around.now


def _ready_since(job: Job) -> datetime:
    """When the last of the jobs it needs ended; of a clean-up, the last of all."""
    others = [other for other in job.deployment.jobs if other.kind.value in job.needs or not job.needs]
    return max([job.deployment.created_at, *(other.ended_at for other in others if other.ended_at)])


def _just_rung(job: Job, now: datetime) -> bool:
    """A message on its way is no wait worth telling."""
    return job.rung_at is not None and now - job.rung_at < MESSAGE_TAKES
