"""Commands that run once and end: their containers have rows, like replicas, and are gone when the command is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from longshore.domain.names import one_off_labels
from longshore.domain.ports import ContainerSpec, Ending, Network, OnLine, Stopped
from longshore.domain.specs import Resources
from longshore.domain.states import JOB_ENDED, RUN_ENDED
from longshore.models import Job, OneOff, Release, Run
from longshore.models.base import one_at_a_time
from longshore.services import replicas, volumes
from longshore.services.context import WorkerServices
from longshore.services.releases import port_of


@dataclass(frozen=True)
class Command:
    """What is to be run, in the image and with the environment of a release. ``kind`` is what it is for."""

    name: str
    kind: str
    argv: Sequence[str]
    resources: Resources


def reserve(
    worker: WorkerServices, session: Session, network: Network, name: str, owner: Job | Run, app_id: int
) -> OneOff:
    """The row of a container: the one that is there, or a new one with a free address."""
    there = session.scalar(select(OneOff).where(OneOff.name == name, OneOff.removed_at.is_(None)))
    if there is not None:
        return there
    one_at_a_time(session, replicas.ADDRESSES_LOCK)
    row = OneOff(
        app_id=app_id,
        job_id=owner.id if isinstance(owner, Job) else None,
        run_id=owner.id if isinstance(owner, Run) else None,
        name=name,
        address=next(replicas.free_addresses(session, network)),
        created_at=worker.clock.now(),
    )
    session.add(row)
    session.flush()
    return row


def spec_of(worker: WorkerServices, command: Command, release: Release, network: Network, row: OneOff) -> ContainerSpec:
    """Its container: hardened and limited like a replica, with the same environment and volumes."""
    hardening = release.declared.hardening
    return ContainerSpec(
        name=command.name,
        image_id=release.image_id,
        labels=one_off_labels(worker.settings.stack, release.app.name, release.number, command.kind),
        network=network.name,
        address=row.address,
        env={"PORT": str(port_of(release)), **worker.box.open(release.env)},
        command=list(command.argv),
        resources=command.resources,
        capabilities=hardening.capabilities,
        read_only=hardening.read_only,
        volumes=volumes.mounts(worker.settings.stack, release.app.name, release.declared),
    )


def run(
    worker: WorkerServices, spec: ContainerSpec, check: Callable[[], None], on_line: OnLine, stopped: Stopped
) -> Ending | None:
    """Run it to its end; ``None`` when it was stopped first. What an earlier try left is removed before.

    ``check`` is the fence: called before each change.
    """
    check()
    worker.engine.remove(spec.name)
    check()
    return worker.engine.run_once(spec, worker.settings.stop_grace, on_line, stopped)


def note_removed(session: Session, name: str, now: datetime) -> None:
    """It is gone: its name and address are free again."""
    standing = select(OneOff).where(OneOff.name == name, OneOff.removed_at.is_(None))
    for row in session.scalars(standing.with_for_update()):
        row.removed_at = now


def clear(worker: WorkerServices, deployment_id: int | None = None) -> None:
    """Remove what is left of jobs (of one deployment) and runs that are over; all rows of such are done with."""
    with worker.db.read() as session:
        jobs = select(Job.id).where(Job.state.in_(JOB_ENDED))
        if deployment_id is not None:
            jobs = jobs.where(Job.deployment_id == deployment_id)
        runs = select(Run.id).where(Run.state.in_(RUN_ENDED))
        over = OneOff.job_id.in_(jobs) | OneOff.run_id.in_(runs)
        left = session.scalars(select(OneOff).where(OneOff.removed_at.is_(None), over)).all()
    for row in left:
        worker.engine.remove(row.name)
        with worker.db.write() as session:
            session.get_one(OneOff, row.id, with_for_update=True).removed_at = worker.clock.now()
