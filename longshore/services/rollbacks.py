"""Rolling back: an older release goes into service, ahead of everything that waits, and never behind a build."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from longshore.domain.states import DeploymentState, Trigger
from longshore.errors import ConflictError
from longshore.models import App, Deployment, Release
from longshore.services import apps, cancelling, deployments, idempotency, locks, order, pipeline, releases
from longshore.services.context import Services
from longshore.services.deployments import NewDeployment
from longshore.services.pipeline import Ring
from longshore.services.views import DeploymentView


@dataclass(frozen=True)
class NewRollback:
    """What is asked for: a release by number, or the last good one before the current. ``force`` passes a lock."""

    trigger: Trigger
    actor: str
    release: int | None = None
    force: bool = False


def roll_back(services: Services, app_name: str, new: NewRollback) -> DeploymentView:
    """Cancel the app's running deployment if it has not begun to switch, supersede what waits, and go back.

    ``NotFoundError`` for an unknown release, ``ConflictError`` when there is none to go back to or it is live.
    """
    with services.db.write() as session:
        app = apps.lock(session, app_name)
        if not new.force:
            locks.refuse(app, services.clock.now(), otherwise=f" Or force it: `longshore rollback {app_name} --force`.")
        target = _target(session, app, new.release)
        asked = NewDeployment({"release": target.number}, new.trigger, new.actor, forced=new.force)
        deployment = deployments.add(services, session, app, asked)
        rings = _make_way(services, session, deployment)
        session.flush()
        rings += pipeline.advance(session, deployment, services.clock.now())
        view = deployments.view(services, session, deployment)
        idempotency.keep(services, session, view)
    pipeline.ring(services, rings)
    return view


def _target(session: Session, app: App, number: int | None) -> Release:
    """By number; else the last good one, which is the live one while a newer one is only being watched."""
    live, watched = app.release, _watched(session, app)
    if live is None:
        raise ConflictError(f"{app.name} has no live release to go back from", code="nothing_live")
    if number is not None:
        target = releases.numbered(session, app, number)
    else:
        target = live if watched else _last_good(session, live)
    if target.id == (watched or live).id:
        raise ConflictError(f"release {target.number} of {app.name} is live already", code="live_already")
    return target


def _watched(session: Session, app: App) -> Release | None:
    """The release of a deployment that has requests already and is watched."""
    found = (one.release for one in order.unfinished(session, app.id) if one.hold_until is not None)
    return next(found, None)


def _last_good(session: Session, live: Release) -> Release:
    """The newest one before the live one that was once put into service."""
    good = session.scalar(
        select(Release)
        .join(Deployment, Deployment.release_id == Release.id)
        .where(
            Release.app_id == live.app_id,
            Release.number < live.number,
            Deployment.state == DeploymentState.SUCCEEDED,
        )
        .order_by(Release.number.desc())
        .limit(1)
    )
    if good is None:
        hint = "Releases there are: `longshore releases`; any of them can be named."
        raise ConflictError(f"no release before {live.number} was ever in service", code="nothing_before", hint=hint)
    return good


def _make_way(services: Services, session: Session, deployment: Deployment) -> list[Ring]:
    """What waits is superseded; what runs is cancelled, unless traffic is being switched: that is waited for.

    Nothing is stopped for a rollback that has to wait for a lock itself.
    """
    now, rings = services.clock.now(), []
    waits = deployment.app.locked(now) and not deployment.forced
    for other in order.unfinished(session, deployment.app_id):
        if other.id == deployment.id:
            continue
        if other.state is DeploymentState.QUEUED:
            order.supersede(other, deployment, now)
        elif not (waits or other.switching or other.halted):
            rings += cancelling.stop(session, other, deployment.actor, now)
    return rings
