"""deploy: image → replicas that run, side by side, hardened, and not yet in traffic."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from longshore.domain.names import container_labels
from longshore.domain.ports import Container, ContainerSpec
from longshore.models import Deployment, Replica
from longshore.services import replicas
from longshore.services.having import have_release
from longshore.services.work import Work

SIDE_BY_SIDE = 8


@dataclass(frozen=True)
class _Start:
    replica_id: int
    spec: ContainerSpec


class DeployStep:
    """Have the image, have the release, reserve names and addresses, start."""

    def run(self, work: Work) -> dict[int, str]:
        """The container of each replica row."""
        have_release(work)
        starts = _reserve(work)
        work.check()
        with ThreadPoolExecutor(min(len(starts), SIDE_BY_SIDE), thread_name_prefix="start") as pool:
            containers = list(pool.map(lambda start: _start(work, start), starts))
        return {start.replica_id: made.id for start, made in zip(starts, containers, strict=True)}

    def conclude(self, work: Work, session: Session, deployment: Deployment, result: dict[int, str]) -> dict[str, Any]:
        """Remember which container is whose."""
        for replica_id, container_id in result.items():
            session.get_one(Replica, replica_id).container_id = container_id
        return {"containers": sorted(result.values())}


def _reserve(work: Work) -> list[_Start]:
    """Rows first: whatever happens next, what was made can be found again."""
    network = work.worker.engine.network()
    with work.worker.db.write() as session:
        deployment = work.locked(session).deployment
        rows = replicas.reserve(work.worker, session, deployment, network)
        session.flush()
        return [_Start(row.id, _spec(work, row, network.name)) for row in rows]


def _spec(work: Work, replica: Replica, network: str) -> ContainerSpec:
    release, stack = replica.release, work.worker.settings.stack
    declared = release.declared
    return ContainerSpec(
        name=replica.name,
        image_id=release.image_id,
        labels=container_labels(stack, work.app, release.number, replica.generation, replica.process, replica.slot),
        network=network,
        address=replica.address,
        env={"PORT": str(replica.port), **work.worker.box.open(release.env)},
        command=declared.command,
        resources=declared.resources,
        capabilities=declared.hardening.capabilities,
        read_only=declared.hardening.read_only,
    )


def _start(work: Work, start: _Start) -> Container:
    work.check()
    return work.worker.engine.start(start.spec)
