"""What outsiders are shown: one view per word of the glossary. The API, the CLI and the dashboard show these."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel

from longshore.domain.shown_source import shown_source
from longshore.domain.specs import HealthCheck, Process, Resources, Routing, Strategy
from longshore.domain.states import CancelEffect, JobKind
from longshore.domain.waits import IN_LINE, Wait
from longshore.models import App, Deployment, Event, Job, Replica, Run, Token
from longshore.services.digest_views import DigestView
from longshore.services.wait_views import LockView, WaitingView, waiting_view

ORDER = list(JobKind)


class ErrorView(BaseModel):
    """Why something failed: what, whose fault, what to do next."""

    code: str
    message: str
    fault: str
    hint: str | None = None


class BuildStepView(BaseModel):
    """One instruction of a Dockerfile."""

    name: str
    cached: bool
    seconds: float | None


class JobView(BaseModel):
    """One step of a deployment."""

    kind: str
    state: str
    attempt: int
    waiting: str | None
    started_at: datetime | None
    ended_at: datetime | None
    error: ErrorView | None
    steps: list[BuildStepView] | None = None


class CancelView(BaseModel):
    """That somebody asked to cancel, what that comes to, and when it was acknowledged."""

    effect: str
    meaning: str
    asked_by: str
    asked_at: datetime
    acknowledged_at: datetime | None


class DeploymentView(BaseModel):
    """One attempt to put a release into service."""

    app: str
    number: int
    id: str
    state: str
    phase: str | None
    release: int | None
    trigger: str
    actor: str
    source: dict[str, Any]
    why: str | None
    waiting: WaitingView | None
    superseded_by: str | None
    reverted_to: int | None  # the release that got the requests back
    cancel: CancelView | None
    error: ErrorView | None
    digest: DigestView | None
    url: str | None
    jobs: list[JobView]
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


class AppView(BaseModel):
    """What is deployed. Of the environment only the names are shown."""

    name: str
    state: str
    release: int | None
    port: int | None
    domains: list[str]
    url: str | None
    replicas: int
    processes: dict[str, Process]
    command: list[str] | None
    health_check: HealthCheck
    resources: Resources
    strategy: Strategy
    soak: float
    hardening: dict[str, Any]
    build: dict[str, Any]
    env_keys: list[str]
    weight: float
    max_rps: float | None
    queue: str
    routing: Routing
    maintenance: str | None
    lock: LockView | None
    created_at: datetime


class ReplicaView(BaseModel):
    """One running container."""

    name: str
    container_id: str | None
    release: int
    process: str
    slot: int
    state: str
    live: bool
    address: str
    port: int


class EventView(BaseModel):
    """One thing that happened."""

    id: int
    kind: str
    facts: dict[str, Any]
    at: datetime


class LogLine(BaseModel):
    """A chunk of log: whole lines of one job."""

    sequence: int
    job: str
    text: str
    at: datetime


class TokenView(BaseModel):
    """A token, without its secret."""

    name: str
    prefix: str
    scope: str
    app: str | None
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None


class NewTokenView(TokenView):
    """A token just made: ``token`` is shown this once."""

    token: str


def error_view(row: Deployment | Job | Run) -> ErrorView | None:
    """The error of a row, if it has one."""
    if row.error_code is None:
        return None
    return ErrorView(
        code=row.error_code,
        message=row.error_message or "",
        fault=row.error_fault or "platform",
        hint=row.error_hint,
    )


def cancel_view(deployment: Deployment) -> CancelView | None:
    """What cancelling means at this point; ``None`` while nobody has asked."""
    if deployment.cancel_asked_at is None or deployment.cancel_effect is None:
        return None
    return CancelView(
        effect=deployment.cancel_effect,
        meaning=_meaning(deployment),
        asked_by=deployment.cancel_asked_by or "",
        asked_at=deployment.cancel_asked_at,
        acknowledged_at=deployment.cancel_acknowledged_at,
    )


def _meaning(deployment: Deployment) -> str:
    label = deployment.label
    if deployment.cancel_effect is CancelEffect.AT_ONCE:
        return f"{label} had not begun: it is cancelled"
    if deployment.cancel_effect is CancelEffect.STOPS:
        return f"what {label} has begun is stopped and undone; what serves now goes on serving"
    if deployment.failing:
        return f"{label} has failed already: it is being cleaned up"
    return f"{label} has begun to switch traffic: it finishes"


def job_view(job: Job, wait: Wait | None) -> JobView:
    """A job; build steps are shown where there are any. ``wait`` is that of its deployment."""
    steps = [BuildStepView(name=s.name, cached=s.cached, seconds=s.seconds) for s in job.steps]
    return JobView(
        kind=job.kind,
        state=job.state,
        attempt=job.attempt,
        waiting=_waiting(job, wait),
        started_at=job.started_at,
        ended_at=job.ended_at,
        error=error_view(job),
        steps=steps or None,
    )


def _waiting(job: Job, wait: Wait | None) -> str | None:
    """The same words for the job as for its deployment."""
    if wait is not None and wait.job is job.kind:
        return wait.words
    return None if job.waiting_for in IN_LINE else job.waiting


def deployment_view(deployment: Deployment, wait: Wait | None, url: str | None) -> DeploymentView:
    """A deployment with its jobs."""
    app = deployment.app.name
    superseder = deployment.superseded_by
    return DeploymentView(
        app=app,
        number=deployment.number,
        id=deployment.label,
        state=deployment.state,
        phase=deployment.phase,
        release=deployment.release.number if deployment.release else None,
        trigger=deployment.trigger,
        actor=deployment.actor,
        source=shown_source(deployment.source),
        why=wait.words if wait else None,
        waiting=waiting_view(wait) if wait else None,
        superseded_by=f"{app}#{superseder}" if superseder else None,
        reverted_to=deployment.reverted_to,
        cancel=cancel_view(deployment),
        error=error_view(deployment),
        digest=DigestView.model_validate(deployment.digest) if deployment.digest else None,
        url=url,
        jobs=[job_view(job, wait) for job in sorted(deployment.jobs, key=lambda job: ORDER.index(job.kind))],
        created_at=deployment.created_at,
        started_at=deployment.started_at,
        ended_at=deployment.ended_at,
    )


def app_view(app: App, state: str, env_keys: list[str], url: str | None, lock: LockView | None) -> AppView:
    """An app."""
    declared = app.declared
    return AppView(
        name=app.name,
        state=state,
        release=app.release.number if app.release else None,
        port=declared.port,
        domains=list(app.hosts),
        url=url,
        replicas=declared.replicas,
        processes=declared.runs,
        command=declared.command,
        health_check=declared.health_check,
        resources=declared.resources,
        strategy=declared.rollout,
        soak=declared.soak,
        hardening=declared.hardening.model_dump(),
        build=declared.build.model_dump(),
        env_keys=env_keys,
        weight=app.weight,
        max_rps=app.max_rps,
        queue=app.queue,
        routing=app.rules,
        maintenance=app.maintenance,
        lock=lock,
        created_at=app.created_at,
    )


def replica_view(replica: Replica, live: bool) -> ReplicaView:
    """A replica."""
    return ReplicaView(
        name=replica.name,
        container_id=replica.container_id,
        release=replica.release.number,
        process=replica.process,
        slot=replica.slot,
        state=replica.state,
        live=live,
        address=replica.address,
        port=replica.port,
    )


def event_view(event: Event) -> EventView:
    """An event."""
    return EventView(id=event.id, kind=event.kind, facts=event.facts, at=event.at)


def token_view(token: Token) -> TokenView:
    """A token."""
    return TokenView.model_validate(token, from_attributes=True)


def new_token_view(view: TokenView, text: str) -> NewTokenView:
    """A token with its text: the answer to who asked for it."""
    return NewTokenView(**view.model_dump(), token=text)
