"""Volumes: made before the replicas that use them, kept across releases and apps, removed only by name.

A volume belongs to the name of its app: an app of that name that comes later has it again. The web process has no
engine, so it only writes that a volume is to be removed; the sweep does it, as often as it takes.
"""

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from longshore.domain.names import volume_labels, volume_name
from longshore.domain.ports import EngineVolume
from longshore.domain.specs import Config
from longshore.domain.states import DEPLOYMENT_ENDED, ReplicaState, VolumeState
from longshore.errors import (
    ConflictError,
    InvalidRequestError,
    LongshoreError,
    NotFoundError,
    PartDownError,
    TransientError,
)
from longshore.models import App, Deployment, Release, Replica, Volume
from longshore.services import releases
from longshore.services.context import Services, WorkerServices
from longshore.services.pages import Page, page
from longshore.services.volume_views import VolumeView, of_app

if TYPE_CHECKING:
    from longshore.services.work import Work

log = logging.getLogger("longshore.volumes")

CLEAN = "longshore.clean"


def mounts(stack: str, app: str, config: Config) -> Mapping[str, EngineVolume]:
    """Where in a container of the app which volume is. Every process has all of them."""
    return {volume.path: of(stack, app, name) for name, volume in config.volumes.items()}


def of(stack: str, app: str, name: str) -> EngineVolume:
    """What the engine calls a volume."""
    return EngineVolume(volume_name(stack, app, name), volume_labels(stack, app, name))


def reserve(services: Services, session: Session, deployment: Deployment) -> None:
    """The rows of the volumes of this deployment's release, in the transaction that reserves its replicas.

    ``TransientError`` while one of them is being removed: what comes after that is a new one.
    """
    if deployment.release is None:
        return
    app, stack = deployment.app, services.settings.stack
    for name in deployment.release.declared.volumes:
        known = of(stack, app.name, name).name
        standing = select(Volume).where(Volume.engine_name == known, Volume.state != VolumeState.REMOVED)
        there = session.scalar(standing.with_for_update())
        if there is None:
            made = Volume(app_id=app.id, name=name, engine_name=known, created_at=services.clock.now())
            session.add(made)
            deployment.tell("volume.made", made.created_at, name=name)
        elif there.state is VolumeState.REMOVING:
            raise TransientError(f"the volume {name} of {app.name} is just being removed", code="volume_busy")
        else:
            there.app_id = app.id


def ensure(work: "Work", config: Config) -> None:
    """Made by the engine, with our labels, before anything is mounted."""
    for volume in mounts(work.worker.settings.stack, work.app, config).values():
        work.check()
        work.worker.engine.ensure_volume(volume)


def show_all(services: Services, app_name: str, *, limit: int, cursor: str | None) -> Page:
    """The volumes of an app, also of one that was deleted, newest first."""
    with services.db.read() as session:
        query = of_app(app_name, select(Volume))
        if session.scalar(query.limit(1)) is None:
            _refuse_unknown(session, app_name)
        return page(session, query, Volume.id, lambda row: _view(session, row), limit=limit, cursor=cursor)


def remove(services: Services, app_name: str, name: str, *, confirm: str | None, actor: str) -> VolumeView:
    """Ask for a volume to be removed, with all that is in it. ``ConflictError`` while anything uses it.

    ``confirm`` must be its name. Asking again changes nothing.
    """
    if confirm != name:
        hint = f"Add ?confirm={name}: all that is in it will be lost."
        raise InvalidRequestError("the name of the volume must be confirmed", code="not_confirmed", hint=hint)
    with services.db.write() as session:
        session.scalars(select(App).where(App.name == app_name, App.removed_at.is_(None)).with_for_update()).all()
        volume = _find(session, app_name, name)
        used_by = _used_by(session, volume)
        if used_by:
            hint = "Deploy without it first, or delete the app; its volumes are kept."
            message = f"the volume {name} of {app_name} is used by {', '.join(used_by[:5])}"
            raise ConflictError(message, code="volume_in_use", hint=hint)
        if volume.state is VolumeState.PRESENT:
            volume.move_to(VolumeState.REMOVING, services.clock.now(), actor=actor)
        session.flush()
        view = _view(session, volume)
    _ring(services)
    return view


def remove_asked(worker: WorkerServices) -> None:
    """Take away what was asked for. A worker that dies on the way leaves it to the next look."""
    with worker.db.read() as session:
        asked = session.scalars(
            select(Volume).where(Volume.state == VolumeState.REMOVING).options(joinedload(Volume.app))
        ).all()
    for volume in asked:
        try:
            worker.engine.remove_volume(of(worker.settings.stack, volume.app.name, volume.name))
        except PartDownError:
            raise
        except LongshoreError as error:
            log.warning("%s is not removed: %s", volume.engine_name, error.message)
        else:
            _note_removed(worker, volume.id)


def _note_removed(worker: WorkerServices, volume_id: int) -> None:
    with worker.db.write() as session:
        volume = session.get_one(Volume, volume_id, with_for_update=True)
        if volume.state is VolumeState.REMOVING:
            volume.move_to(VolumeState.REMOVED, worker.clock.now())


def _current(session: Session, app_name: str) -> App | None:
    """The app that has the name now."""
    return session.scalar(select(App).where(App.name == app_name, App.removed_at.is_(None)))


def _find(session: Session, app_name: str, name: str) -> Volume:
    query = of_app(app_name, select(Volume)).where(Volume.name == name)
    volume: Volume | None = session.scalar(query.with_for_update(of=Volume))
    if volume is None:
        hint = f"`longshore volumes {app_name[:60]}` shows those there are."
        raise NotFoundError(f"{app_name[:60]} has no volume named {name[:60]}", hint=hint)
    return volume


def _refuse_unknown(session: Session, app_name: str) -> None:
    if _current(session, app_name) is None:
        raise NotFoundError(f"there is no app named {app_name[:60]}", hint="`longshore apps` shows those there are.")


def _used_by(session: Session, volume: Volume) -> list[str]:
    """What has it, or is about to: the live release, replicas that still stand, deployments that are not over."""
    app, name = _current(session, volume.app.name), volume.name
    if app is None:
        return []
    found: list[str] = []
    if app.deleting_at is None and app.release is not None and name in app.release.declared.volumes:
        found.append(f"release {app.release.number}, which is live")
    standing = select(Replica).where(Replica.app_id == app.id, Replica.state != ReplicaState.REMOVED)
    for replica in session.scalars(standing.options(joinedload(Replica.release)).order_by(Replica.id)):
        if name in replica.release.declared.volumes:
            found.append(replica.name)
    open_ones = select(Deployment).where(Deployment.app_id == app.id, Deployment.state.not_in(list(DEPLOYMENT_ENDED)))
    for deployment in session.scalars(open_ones.order_by(Deployment.number)):
        if name in _will_run(session, deployment).volumes:
            found.append(deployment.label)
    return found


def _will_run(session: Session, deployment: Deployment) -> Config:
    """The configuration of a deployment that is not over."""
    if deployment.release is not None:
        return deployment.release.declared
    if "release" in deployment.source:
        number = deployment.source["release"]
        query = select(Release).where(Release.app_id == deployment.app_id, Release.number == number)
        older = session.scalar(query)
        return older.declared if older else Config()
    return releases.effective_config(deployment)


def _view(session: Session, volume: Volume) -> VolumeView:
    return VolumeView(
        app=volume.app.name,
        name=volume.name,
        engine_name=volume.engine_name,
        state=volume.state,
        used_by=_used_by(session, volume),
        created_at=volume.created_at,
    )


def _ring(services: Services) -> None:
    """At once; should Redis be away, beat asks again."""
    try:
        services.queue.send(CLEAN, "", label="", queue="periodic")
    except LongshoreError:
        return
