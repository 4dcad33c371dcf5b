"""Cancelling: what it means depends on how far a deployment has come, and the answer says so."""

from datetime import datetime

from sqlalchemy.orm import Session

from longshore.domain.states import CancelEffect, DeploymentState
from longshore.errors import ConflictError
from longshore.models import Deployment
from longshore.services import apps, deployments, idempotency, pipeline
from longshore.services.context import Services
from longshore.services.pipeline import Ring
from longshore.services.views import DeploymentView


def cancel(services: Services, app_name: str, number: int, actor: str) -> DeploymentView:
    """Ask for the end of a deployment; the view's ``cancel`` says what that comes to.

    Asking again changes nothing. ``ConflictError`` when it has ended already.
    """
    now = services.clock.now()
    with services.db.write() as session:
        apps.lock(session, app_name)
        deployment = deployments.find(session, app_name, number)
        if deployment.ended:
            raise _ended(deployment)
        rings = stop(session, deployment, actor, now)
        session.flush()
        view = deployments.view(services, session, deployment)
        idempotency.keep(services, session, view)
    pipeline.ring(services, rings)
    return view


def stop(session: Session, deployment: Deployment, actor: str, now: datetime) -> list[Ring]:
    """Stop what may still be stopped, its app held; what is to be rung."""
    if deployment.cancel_asked_at is not None:
        return []
    deployment.ask_cancel(_effect(deployment), actor, now)
    if deployment.cancel_effect is CancelEffect.AT_ONCE:
        return pipeline.end_unstarted(session, deployment, DeploymentState.CANCELLED, now)
    return pipeline.advance(session, deployment, now) if deployment.cancel_effect is CancelEffect.STOPS else []


def _effect(deployment: Deployment) -> CancelEffect:
    if deployment.state is DeploymentState.QUEUED:
        return CancelEffect.AT_ONCE
    return CancelEffect.FINISHES if deployment.switching or deployment.failing else CancelEffect.STOPS


def _ended(deployment: Deployment) -> ConflictError:
    went_well = deployment.state is DeploymentState.SUCCEEDED
    back = f"`longshore rollback {deployment.app.name}` goes back to the release before it."
    hint = back if went_well else "Nothing of it runs any more."
    return ConflictError(f"{deployment.label} has ended already: it is {deployment.state}", code="ended", hint=hint)
