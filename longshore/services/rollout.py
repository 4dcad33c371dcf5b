"""The rollout of a deployment: which stages it has, and what stands on the old side."""

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from longshore.domain import rollout
from longshore.domain.names import WEB
from longshore.domain.rollout import Stage
from longshore.domain.states import ReplicaState
from longshore.models import Deployment, Replica
from longshore.services import replicas

SERVING = (ReplicaState.HEALTHY, ReplicaState.RESTING)


def stages(session: Session, deployment: Deployment) -> tuple[Stage, ...]:
    """All stages of a deployment that has its release and its replicas' rows: the same however often it is asked."""
    if deployment.release is None:
        return ()
    declared = deployment.release.declared
    new = [row for row in replicas.of(session, deployment.id) if row.process == WEB]
    old = [row for row in old_side(session, deployment) if row.process == WEB]
    return rollout.stages_of(declared, new=len(new), old=len(old), back="release" in deployment.source)


def old_side(session: Session, deployment: Deployment) -> list[Replica]:
    """What served before this deployment, those that rest by now included; web first, in the order of their slots."""
    query = (
        select(Replica)
        .where(
            Replica.app_id == deployment.app_id,
            Replica.deployment_id != deployment.id,
            Replica.state.in_(SERVING),
        )
        .order_by(Replica.process != WEB, Replica.process, Replica.slot)
        .options(joinedload(Replica.app))
    )
    return list(session.scalars(query))


def started_by(stage: Stage, rows: list[Replica]) -> list[Replica]:
    """Those of a deployment's replicas that a stage has running: so many of web, and all of the others."""
    return [row for row in rows if row.process != WEB or row.slot <= stage.new]
