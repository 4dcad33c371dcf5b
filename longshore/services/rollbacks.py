"""Rolling back: an older release goes into service, ahead of everything that waits, and never behind a build."""

from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from longshore.domain.states import DeploymentState, Trigger
from longshore.errors import ConflictError, Fault
from longshore.models import App, Deployment, Release
from longshore.services import (
    apps,
    cancelling,
    changes,
    deployments,
    idempotency,
    locks,
    order,
    pipeline,
    planning,
    releases,
)
from longshore.services.asked import NewDeployment
from longshore.services.changes import ChangesView
from longshore.services.context import Services
from longshore.services.pipeline import Ring
from longshore.services.planning import PlanView
from longshore.services.views import DeploymentView


class RollbackView(DeploymentView):
    """A deployment of an older release, and what changes with it: names only, never values."""

    changes: ChangesView


@dataclass(frozen=True)
class NewRollback:
    """What is asked for: a release by number, or the last good one before the current. ``force`` passes a lock."""

    trigger: Trigger
    actor: str
    release: int | None = None
    force: bool = False
    plan_hash: str | None = None

    def to(self, target: Release) -> NewDeployment:
        """The deployment it comes to."""
        source = {"release": target.number}
        return NewDeployment(source, self.trigger, self.actor, forced=self.force, plan_hash=self.plan_hash)


def roll_back(services: Services, app_name: str, new: NewRollback) -> RollbackView:
    """Cancel the app's running deployment if it has not begun to switch, supersede what waits, and go back.

    ``NotFoundError`` for an unknown release; ``ConflictError`` when there is none to go back to, it is live, or nobody
    can go back to it.
    """
    with services.db.write() as session:
        app = apps.lock(session, app_name)
        if not new.force:
            locks.refuse(app, services.clock.now(), otherwise=f" Or force it: `longshore rollback {app_name} --force`.")
        target = _target(services, session, app, new.release)
        wanted = new.to(target)
        planning.refuse_changed(services, session, app, wanted)
        changed = _changes(services, app, target)
        deployment = deployments.add(services, session, app, wanted)
        deployment.tell("rollback.changes", services.clock.now(), **changed.model_dump())
        rings = _make_way(services, session, deployment)
        session.flush()
        rings += pipeline.advance(session, deployment, services.clock.now())
        view = RollbackView(**deployments.view(services, session, deployment).model_dump(), changes=changed)
        idempotency.keep(services, session, view)
    pipeline.ring(services, rings)
    return view


def plan(services: Services, app_name: str, new: NewRollback) -> PlanView:
    """What it would do, without doing it."""
    with services.db.read() as session:
        app = apps.find(session, app_name)
        target = _target(services, session, app, new.release)
        return planning.view(services, session, app, new.to(target), rollback=True)


def _changes(services: Services, app: App, target: Release) -> ChangesView:
    """In what the app will differ; its environment was looked at already, so it can be decrypted."""
    now = app.declared, services.box.open(app.env)
    return changes.names(now, (target.declared, services.box.open(target.env)))


def _target(services: Services, session: Session, app: App, number: int | None) -> Release:
    """By number; else the last good one, which is the live one while a newer one is only being watched."""
    live, watched = app.release, _watched(session, app)
    if live is None:
        raise ConflictError(f"{app.name} has no live release to go back from", code="nothing_live")
    if number is not None:
        target = releases.numbered(session, app, number)
    else:
        target = live if watched else _last_good(services, session, live)
    if target.id == (watched or live).id:
        raise ConflictError(f"release {target.number} of {app.name} is live already", code="live_already")
    releases.refuse_return(services, target)
    return target


def _watched(session: Session, app: App) -> Release | None:
    """The release of a deployment that has requests already and is watched."""
    found = (one.release for one in order.unfinished(session, app.id) if one.hold_until is not None)
    return next(found, None)


def _last_good(services: Services, session: Session, live: Release) -> Release:
    """The newest one before the live one that was once in service, did not fail since, and can be gone back to."""
    once_good = (
        select(Release)
        .where(
            Release.app_id == live.app_id,
            Release.number < live.number,
            Release.id.in_(select(Deployment.release_id).where(Deployment.state == DeploymentState.SUCCEEDED)),
        )
        .order_by(Release.number.desc())
    )
    for release in session.scalars(once_good):
        if not _failed_last(session, release) and releases.obstacle(services, release) is None:
            return release
    hint = f"`longshore releases {live.app.name}` shows which can be gone back to, and why others cannot."
    message = f"no release before {live.number} was ever in service and can be gone back to"
    raise ConflictError(message, code="nothing_before", hint=hint)


def _failed_last(session: Session, release: Release) -> bool:
    """Whether the last attempt to put it into service failed, and that was its own fault."""
    ended = Deployment.state.in_([DeploymentState.SUCCEEDED, DeploymentState.FAILED])
    newest = select(Deployment).where(Deployment.release_id == release.id, ended).order_by(Deployment.number.desc())
    last = session.scalar(newest.limit(1))
    return last is not None and last.state is DeploymentState.FAILED and last.error_fault == Fault.APP


def _make_way(services: Services, session: Session, deployment: Deployment) -> list[Ring]:
    """What waits is superseded; what runs is cancelled, unless traffic is being switched: that is waited for."""
    now, rings = services.clock.now(), []
    others = [one for one in order.unfinished(session, deployment.app_id) if one.id != deployment.id]
    waiting, running = order.making_way(others, held=deployment.app.locked(now) and not deployment.forced)
    for one in waiting:
        order.supersede(one, deployment, now)
    for one in running:
        rings += cancelling.stop(session, one, deployment.actor, now)
    return rings
