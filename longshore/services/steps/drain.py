"""drain: the losing side out of the router, its requests finished, stopped and removed."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sqlalchemy.orm import Session

from longshore.domain.states import DeploymentState, JobKind, ReplicaState
from longshore.models import Deployment
from longshore.services import digest, one_offs, removal, replicas, routing
from longshore.services.releases import image_tag
from longshore.services.resting import revive
from longshore.services.work import Work

SIDE_BY_SIDE = 8


class DrainStep:
    """Acts only on replicas whose row says ``draining``; nothing makes such a replica serve again."""

    def run(self, work: Work) -> list[str]:
        """The names of the replicas that are gone."""
        with work.worker.db.read() as session:
            deployment = work.deployment(session)
            app_id, succeeded = deployment.app_id, deployment.state is DeploymentState.SUCCEEDED
            losing, unreleased = replicas.draining(session, app_id), _unreleased_image(work, deployment)
            undigested = digest.wanted(deployment)
        if not succeeded:
            revive(work.worker, app_id, work.check)
        if undigested:  # it failed where nobody looked: at a deadline, with its worker, after the switch
            digest.write(work.worker, work.deployment_id)
        if losing:
            routing.apply(work.worker)
            with ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="drain") as pool:
                list(pool.map(lambda replica: removal.remove(work.worker, replica, work.check), losing))
            _note_removed(work, {replica.id for replica in losing})
        routing.apply(work.worker)
        work.check()
        one_offs.clear(work.worker, work.deployment_id)
        if unreleased is not None:
            work.check()
            work.worker.engine.forget_image(unreleased)
        return [replica.name for replica in losing]

    def conclude(self, work: Work, session: Session, deployment: Deployment, result: list[str]) -> dict[str, Any]:
        """What was removed."""
        return {"removed": result}


def _unreleased_image(work: Work, deployment: Deployment) -> str | None:
    """What a build may have left that was stopped before there was a release of it."""
    builds = any(job.kind is JobKind.BUILD for job in deployment.jobs)
    return image_tag(work.worker, deployment) if builds and deployment.release_id is None else None


def _note_removed(work: Work, ids: set[int]) -> None:
    """Their names and addresses are free again."""
    with work.worker.db.write() as session:
        app_id = work.locked(session).deployment.app_id
        for replica in replicas.draining(session, app_id):
            if replica.id in ids:
                replica.move_to(ReplicaState.REMOVED, work.worker.clock.now())
