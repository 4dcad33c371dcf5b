"""deploy: image → replicas that run, side by side, hardened, and not yet in traffic."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from longshore.domain.names import container_labels
from longshore.domain.ports import Container, ContainerSpec
from longshore.domain.rollout import Stage
from longshore.models import Deployment, Replica
from longshore.services import replicas, rollout, volumes
from longshore.services.having import have_release
from longshore.services.resting import rest
from longshore.services.work import Work

SIDE_BY_SIDE = 8


@dataclass(frozen=True)
class _Start:
    replica_id: int
    spec: ContainerSpec


class DeployStep:
    """Have the image, have the release, reserve names and addresses, start."""

    def run(self, work: Work) -> list[str]:
        """The containers that run."""
        have_release(work)
        stage = _reserve(work)
        if stage.old_first:
            work.log.write(stage.words)
            rest(work, stage)
        _have_volumes(work)
        return start(work, stage)

    def conclude(self, work: Work, session: Session, deployment: Deployment, result: list[str]) -> dict[str, Any]:
        """Which containers there are."""
        return {"containers": sorted(result)}


def start(work: Work, stage: Stage) -> list[str]:
    """Have running what a stage of the rollout needs, side by side; the ids of the containers."""
    starts = _starts(work, stage)
    if not starts:
        return []
    work.check()
    with ThreadPoolExecutor(min(len(starts), SIDE_BY_SIDE), thread_name_prefix="start") as pool:
        containers = list(pool.map(lambda one: _start(work, one), starts))
    with work.worker.db.write() as session:
        work.locked(session)
        for one, made in zip(starts, containers, strict=True):
            session.get_one(Replica, one.replica_id).container_id = made.id
    return [made.id for made in containers]


def _reserve(work: Work) -> Stage:
    """Rows first: whatever happens next, what was made can be found again. The first stage of the rollout."""
    network = work.worker.engine.network()
    with work.worker.db.write() as session:
        deployment = work.locked(session).deployment
        replicas.reserve(work.worker, session, deployment, network)
        volumes.reserve(work.worker, session, deployment)
        session.flush()
        return rollout.stages(session, deployment)[0]


def _starts(work: Work, stage: Stage) -> list[_Start]:
    """What a stage needs that is not known to have been started."""
    network = work.worker.engine.network()
    with work.worker.db.read() as session:
        rows = rollout.started_by(stage, replicas.of(session, work.deployment_id))
        return [_Start(row.id, _spec(work, row, network.name)) for row in rows if row.container_id is None]


def _have_volumes(work: Work) -> None:
    with work.worker.db.read() as session:
        release = work.deployment(session).release
    if release is not None:
        volumes.ensure(work, release.declared)


def _spec(work: Work, replica: Replica, network: str) -> ContainerSpec:
    release, stack = replica.release, work.worker.settings.stack
    declared = release.declared
    process = declared.runs[replica.process]
    port = {"PORT": str(replica.port)} if replica.port else {}
    return ContainerSpec(
        name=replica.name,
        image_id=release.image_id,
        labels=container_labels(stack, work.app, release.number, replica.generation, replica.process, replica.slot),
        network=network,
        address=replica.address,
        env={**port, **work.worker.box.open(release.env)},
        command=process.command,
        resources=process.resources or declared.resources,
        capabilities=declared.hardening.capabilities,
        read_only=declared.hardening.read_only,
        volumes=volumes.mounts(stack, work.app, declared),
    )


def _start(work: Work, start: _Start) -> Container:
    work.check()
    return work.worker.engine.start(start.spec)
