"""The digest of a failed deployment: what failed and whose fault, the evidence, what changed, the likely cause."""

import logging
from collections.abc import Callable

from sqlalchemy import select
from sqlalchemy.orm import Session

from longshore.domain import causes
from longshore.domain.redaction import Redactor
from longshore.domain.specs import HealthCheck
from longshore.domain.states import JobKind
from longshore.errors import LongshoreError
from longshore.models import Deployment, Job, LogChunk
from longshore.services import pipeline, since_good
from longshore.services.context import WorkerServices
from longshore.services.digest_views import DigestView, ListenerView, ProbeView, WitnessView
from longshore.services.evidence import Evidence, Witness, gather, last_lines
from longshore.services.logs import printable
from longshore.services.probes import Probe
from longshore.services.work import secrets_of

log = logging.getLogger("longshore.digest")

CHUNKS_READ = 20  # of the failed job's log: the last lines are in them
MESSAGE_LIMIT = 4 * 1024
PROBLEM_LIMIT = 300


def write(worker: WorkerServices, deployment_id: int, evidence: Evidence | None = None) -> None:
    """Write the digest of a failed deployment, once. Best effort: it never raises, and holds up nothing.

    Without evidence, what the engine still has is taken. A partial digest is written anew when more is known.
    """
    try:
        _write(worker, deployment_id, evidence)
    except LongshoreError as error:
        log.warning("the digest of deployment %d is not written: %s", deployment_id, error.message)
    except Exception:
        log.exception("the digest of deployment %d is not written", deployment_id)


def wanted(deployment: Deployment) -> bool:
    """Whether it failed and its digest is still to be written, or to be made whole."""
    return deployment.failing and (deployment.digest is None or bool(deployment.digest.get("partial")))


def _write(worker: WorkerServices, deployment_id: int, evidence: Evidence | None) -> None:
    with worker.db.read() as session:
        deployment = session.get_one(Deployment, deployment_id)
        if not wanted(deployment):
            return
        redactor = Redactor(secrets_of(worker, deployment))
    evidence = evidence or gather(worker, deployment_id, redactor)
    with worker.db.read() as session:
        digest = _compose(worker, session, session.get_one(Deployment, deployment_id), evidence, redactor)
    with worker.db.write() as session:
        deployment = pipeline.lock(session, deployment_id)
        if wanted(deployment) and not (digest.partial and deployment.digest is not None):
            deployment.digest = digest.model_dump(mode="json")


def _compose(
    worker: WorkerServices, session: Session, deployment: Deployment, evidence: Evidence, redactor: Redactor
) -> DigestView:
    def clean(text: str) -> str:
        return redactor.redact(printable(text))[:MESSAGE_LIMIT]

    job = _failed_job(deployment)
    changes = since_good.changes(session, worker.box, deployment)
    told = any(one.output for one in evidence.witnesses)
    digest = DigestView(
        cause=None,
        job=job.kind if job else None,
        step=next((clean(step.name) for step in reversed(job.steps) if step.error), None) if job else None,
        code=deployment.error_code or "",
        message=clean(deployment.error_message or ""),
        fault=deployment.error_fault or "platform",
        hint=clean(deployment.error_hint) if deployment.error_hint else None,
        changes=changes,
        replicas=[_view(one, clean) for one in evidence.witnesses],
        log=[] if told or job is None else _log_of(session, job, redactor),
        at=evidence.at or worker.clock.now(),
        partial=evidence.partial,
    )
    cause = causes.most_likely(_facts(worker, deployment, digest, evidence))
    return digest.model_copy(update={"cause": clean(cause) if cause else None})


def _failed_job(deployment: Deployment) -> Job | None:
    """The job whose error is the deployment's; ``None`` when it failed as a whole."""
    jobs = [job for job in deployment.jobs if job.error_code == deployment.error_code and job.kind is not JobKind.DRAIN]
    return jobs[0] if jobs else None


def _log_of(session: Session, job: Job, redactor: Redactor) -> list[str]:
    newest = (
        select(LogChunk.text)
        .where(LogChunk.deployment_id == job.deployment_id, LogChunk.job == job.kind.value)
        .order_by(LogChunk.sequence.desc())
        .limit(CHUNKS_READ)
    )
    return last_lines("\n".join(reversed(session.scalars(newest).all())).splitlines(), redactor)


def _view(one: Witness, clean: Callable[[str], str]) -> WitnessView:
    container = one.container
    ended = container is not None and not container.running
    return WitnessView(
        name=one.name,
        process=one.process,
        port=one.port,
        running=container.running if container else None,
        exit_code=container.exit_code if container and ended else None,
        out_of_memory=container is not None and container.out_of_memory,
        restarts=container.restarts if container else 0,
        listens=[ListenerView(port=each.port, loopback_only=each.loopback_only) for each in one.listeners],
        probes=[_probe(probe, clean) for probe in one.probes],
        output=list(one.output),
    )


def _probe(probe: Probe, clean: Callable[[str], str]) -> ProbeView:
    problem = clean(probe.problem)[:PROBLEM_LIMIT] or None
    return ProbeView(at=probe.at, seconds=round(probe.seconds, 4), status=probe.status, problem=problem)


def _asked(check: HealthCheck) -> str:
    """What a status is the answer to; a connection or a command has none."""
    return f"GET {check.path}" if check.kind == "http" else ""


def _facts(worker: WorkerServices, deployment: Deployment, digest: DigestView, evidence: Evidence) -> causes.Facts:
    """What the rules read: of the replica the error names, else of the first that ended."""
    named = [one for one in evidence.witnesses if one.name in digest.message]
    guilty = next(iter([*named, *evidence.witnesses]), None)
    container = guilty.container if guilty else None
    process = since_good.declared(deployment).runs.get(guilty.process) if guilty else None
    return causes.Facts(
        code=digest.code,
        message=digest.message,
        job=digest.job or "",
        step=digest.step or "",
        port=guilty.port if guilty else None,
        exit_code=container.exit_code if container and not container.running else None,
        out_of_memory=container is not None and container.out_of_memory,
        memory=process.resources.memory if process and process.resources else None,
        listeners=tuple(guilty.listeners) if guilty else (),
        status=guilty.probes[-1].status if guilty and guilty.probes else None,
        asked=_asked(process.health_check) if process and process.health_check else "",
        env=frozenset({"PORT", *since_good.environment(worker.box, deployment)}),
        env_removed=frozenset(digest.changes.env.removed if digest.changes else ()),
        output=tuple((guilty.output if guilty else ()) or digest.log),
    )
