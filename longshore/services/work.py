"""A claimed job at work: who holds it, whether it may go on, and its log."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import select
from sqlalchemy.orm import Session

from longshore.domain.redaction import Redactor
from longshore.domain.states import AFTER_SUCCESS, CancelEffect, JobKind, JobState, Phase
from longshore.errors import LongshoreError, StoppedError
from longshore.models import App, Deployment, Job
from longshore.services import pipeline, releases
from longshore.services.context import WorkerServices
from longshore.services.limits import Limit, limit_of
from longshore.services.logs import JobLog
from longshore.services.probes import Probes

LOOK_EVERY = 0.2  # seconds between two looks at the row: how fast a stop is noticed


@dataclass
class Work:
    """One claim of one job. Everything a step does goes through here or through the ports."""

    worker: WorkerServices
    job_id: int
    deployment_id: int
    kind: JobKind
    fence: int
    label: str
    app: str
    log: JobLog
    folder_name: str
    limit: Limit
    place: object  # among what this process works on
    began: float  # as are the others: seconds on the monotonic clock
    _heard: float
    probes: Probes = field(default_factory=Probes)  # of the replicas that it proves
    _looked: float = field(default=0.0)
    _stopped: bool = False
    _finishing: bool = False

    def heard(self) -> None:
        """There was news: this is no silence."""
        self._heard = self.worker.clock.monotonic()

    def tell(self, line: str) -> None:
        """A line of news, for the log."""
        self.heard()
        self.log.write(line)

    def stopped(self) -> bool:
        """Whether this claim is over: told to stop, taken over, over its limit. Cheap: looks now and then."""
        self.log.pulse()
        now = self.worker.clock.monotonic()
        if not self._stopped and now - self._looked >= LOOK_EVERY:
            self._looked = now
            self._stopped = not self.holds()
        return self._stopped or self._leaving() or self.over_limit() is not None

    def holds(self) -> bool:
        """Whether the row still says that this claim works, now."""
        if not self.worker.lease.alive():
            return False
        with self.worker.db.read() as session:
            row = session.execute(
                select(
                    Job.fence,
                    Job.state,
                    Deployment.error_code,
                    Deployment.cancel_effect,
                    Deployment.generation,
                    App.generation,
                )
                .join(Deployment, Job.deployment_id == Deployment.id)
                .join(App, Deployment.app_id == App.id)
                .where(Job.id == self.job_id)
            ).one()
        fence, state, failing, cancel, generation, current = row
        ours = fence == self.fence and state is JobState.RUNNING
        if self.kind in AFTER_SUCCESS:
            return ours  # neither holds the app, so the generation is no matter
        halted = failing is not None or cancel is CancelEffect.STOPS
        return ours and not halted and generation == current

    def check(self) -> None:
        """The fence: before anything that changes the world. ``StoppedError`` when the claim is over; the reason
        when it is over its limit."""
        if self._stopped or self._leaving() or not self.holds():
            self._stopped = True
            raise StoppedError(f"{self.kind} of {self.label} was stopped")
        if (broken := self.over_limit()) is not None:
            raise broken

    def finish(self) -> None:
        """From here on neither a shutdown nor a limit ends it: traffic is being switched."""
        self.check()
        self._finishing = True

    def claimed(self, session: Session) -> Job:
        """The job's row for writing how it ended, its app held; ``StoppedError`` when it is not ours any more."""
        pipeline.lock(session, self.deployment_id)
        job = session.get_one(Job, self.job_id, with_for_update=True)
        if job.fence != self.fence or job.state is not JobState.RUNNING:
            raise StoppedError(f"{self.kind} of {self.label} was taken over")
        return job

    def locked(self, session: Session) -> Job:
        """The same for going on: ``StoppedError`` too when the deployment is being cancelled, or something failed."""
        job = self.claimed(session)
        if pipeline.told_to_stop(job):
            raise StoppedError(f"{self.kind} of {self.label} was stopped")
        return job

    def enter(self, phase: Phase) -> None:
        """Say what the deployment is busy with now."""
        with self.worker.db.write() as session:
            self.locked(session).deployment.phase = phase

    def deployment(self, session: Session) -> Deployment:
        """The deployment, for reading."""
        return session.get_one(Deployment, self.deployment_id)

    def _leaving(self) -> bool:
        return not self._finishing and self.worker.shift.over(self.kind)

    def over_limit(self) -> LongshoreError | None:
        """The reason, when it took too long or was silent for too long."""
        now = self.worker.clock.monotonic()
        return None if self._finishing else self.limit.broken(now - self.began, now - self._heard)


@dataclass(frozen=True)
class Hold:
    """What a step answers that is not over: go on with it in ``seconds``, and hold no worker meanwhile."""

    stage: int  # of the rollout, counted from one: done but for this
    seconds: float
    words: str


class Step(Protocol):
    """What a job does. ``run`` may be killed at any instruction and run again to the same end."""

    def run(self, work: Work) -> Any:
        """Do it; what it answers is handed to ``conclude``, unless that is a ``Hold``."""
        ...

    def conclude(self, work: Work, session: Session, deployment: Deployment, result: Any) -> dict[str, Any]:
        """Write its outcome, in the transaction that ends the job; facts for people."""
        ...


def folder_of(job: Job) -> str:
    """The name of the folder that the present claim of a job works in."""
    return f"{job.deployment_id}-{job.kind}-{job.fence}"


def open_work(worker: WorkerServices, job: Job, place: object) -> Work:
    """A claimed job, ready to be worked on. Call it in the claim's transaction."""
    deployment, now = job.deployment, worker.clock.monotonic()
    redactor = Redactor(secrets_of(worker, deployment))
    return Work(
        worker=worker,
        job_id=job.id,
        deployment_id=deployment.id,
        kind=job.kind,
        fence=job.fence,
        label=deployment.label,
        app=deployment.app.name,
        log=JobLog(worker, deployment.id, job.kind.value, redactor, claim=(job.id, job.fence)),
        folder_name=folder_of(job),
        limit=limit_of(worker.settings, job),
        place=place,
        began=now,
        _heard=now,
    )


def secrets_of(worker: WorkerServices, deployment: Deployment) -> Iterable[str]:
    """Every value that must not be seen in a log of this deployment."""
    yield from worker.box.open(deployment.app.env).values()
    yield from (value or "" for value in releases.effective_env(worker.box, deployment).values())
    if worker.settings.registry_password:
        yield worker.settings.registry_password.get_secret_value()
    if deployment.sealed_source:
        yield from _login(worker.box.open(deployment.sealed_source)["url"])


def _login(url: str) -> Iterable[str]:
    """User and password in a git URL: either may be a token."""
    user, _, password = url.partition("://")[2].partition("/")[0].rpartition("@")[0].partition(":")
    return user, password
