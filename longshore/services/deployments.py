"""Deployments: asked for, shown, followed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from longshore.domain.specs import Config, compose_patches, merge_patch
from longshore.domain.states import DEPLOYMENT_ENDED, DeploymentState, Trigger
from longshore.errors import ConflictError, NotFoundError
from longshore.models import App, Deployment, Event, Job, PartStatus, Release
from longshore.services import apps, idempotency, locks, order, parts, pipeline, planning, releases, waiting
from longshore.services.context import Services
from longshore.services.pages import Page, page
from longshore.services.views import DeploymentView, deployment_view, event_view, public_source
from longshore.services.waiting import Surroundings

CURRENT: dict[str, Any] = {"current": True}  # the source of a change of configuration: whatever is live when it starts


@dataclass(frozen=True)
class NewDeployment:
    """What is asked for. ``config`` and ``env`` are merge patches over the app's own; ``None`` removes."""

    source: dict[str, Any]
    trigger: Trigger
    actor: str
    config: dict[str, Any] = field(default_factory=dict)
    env: dict[str, str | None] = field(default_factory=dict)
    forced: bool = False  # no lock refuses it or holds it back


def create(services: Services, app_name: str, new: NewDeployment) -> DeploymentView:
    """Take a deployment on: rows first, committed, then the doorbell. It runs even when every message is lost.

    A change of configuration joins one that waits already. ``ConflictError`` when a rule must stand back.
    """
    if "git" in new.source:
        services.git.check(new.source["git"]["url"], new.source["git"].get("ref"))
    with services.db.write() as session:
        app = apps.lock(session, app_name)
        if not new.forced:
            locks.refuse(app, services.clock.now())
        before = order.unfinished(session, app.id)
        refused = order.refusal(before, new.trigger)
        if refused is None:
            deployment = _joined(services, app, before, new) or add(services, session, app, new)
            order.give_way(before, deployment, services.clock.now())
            session.flush()
            rings = pipeline.advance(session, deployment, services.clock.now())
            shown = view(services, session, deployment)
            idempotency.keep(services, session, shown)
        else:
            apps.tell(services, session, app, "deployment.dropped", trigger=new.trigger.value, why=refused)
    if refused is not None:
        raise ConflictError(refused, code="not_now", hint="A rule looks again by itself.")
    pipeline.ring(services, rings)
    return shown


def _joined(services: Services, app: App, before: Sequence[Deployment], new: NewDeployment) -> Deployment | None:
    """The waiting change of configuration that this one was made part of, if there is one."""
    waiting = order.joinable(app, before, new.trigger) if new.source == CURRENT else None
    if waiting is None:
        return None
    waiting.config = compose_patches(waiting.config, new.config)
    env = compose_patches(services.box.open(waiting.env) if waiting.env else {}, new.env)
    waiting.env = services.box.seal(env) if env else None
    Config.model_validate(merge_patch(app.config, waiting.config))
    fields = sorted({*new.config, *(["env"] if new.env else [])})
    waiting.tell("deployment.joined", services.clock.now(), actor=new.actor, fields=fields)
    return waiting


def reconfigure(
    services: Services, app_name: str, config: dict[str, Any], env: dict[str, str | None], actor: str
) -> DeploymentView | None:
    """Change what belongs to a release. With a live release that is a deployment; ``None``: it was only declared."""
    with services.db.write() as session:
        app = apps.lock(session, app_name)
        if app.release_id is None:
            apps.refuse_while_deploying(session, app)  # its first release is being made of what was declared
            apps.declare(services, session, app, config, env)
            return None
    return create(services, app_name, NewDeployment(CURRENT, Trigger.API, actor, config, env))


def show(services: Services, app_name: str, number: int) -> DeploymentView:
    """One deployment with its jobs, and what it waits for."""
    down = parts.down(services)
    with services.db.read() as session:
        deployment = find(session, app_name, number)
        return _view(services, deployment, _around(services, session, deployment, down))


def show_all(services: Services, app_name: str, *, limit: int, cursor: str | None) -> Page:
    """The deployments of an app, newest first."""
    down = parts.down(services)
    with services.db.read() as session:
        app = apps.find(session, app_name)
        query = (
            select(Deployment)
            .where(Deployment.app_id == app.id)
            .options(
                joinedload(Deployment.app),
                joinedload(Deployment.release),
                selectinload(Deployment.jobs).selectinload(Job.steps),
            )
        )
        around = waiting.look(session, [app.id], down, services.clock.now())

        def view(deployment: Deployment) -> DeploymentView:
            return _view(services, deployment, around)

        return page(session, query, Deployment.number, view, limit=limit, cursor=cursor)


def show_events(services: Services, app_name: str, number: int, *, limit: int, cursor: str | None) -> Page:
    """What happened to a deployment, oldest first."""
    with services.db.read() as session:
        query = select(Event).where(Event.deployment_id == find(session, app_name, number).id)
        return page(session, query, Event.id, event_view, limit=limit, cursor=cursor, newest_first=False)


@dataclass(frozen=True)
class Glance:
    """As little as a follower needs to know whether to look closer: ``mark`` changes when the view may have."""

    row_id: int
    over: bool
    mark: tuple[int, ...]


def glance(services: Services, app_name: str, number: int) -> Glance:
    """Whether anything moved; one small query. ``over`` once the last job has ended, too."""
    with services.db.read() as session:
        row = session.execute(
            select(
                Deployment.id,
                Deployment.state,
                Deployment.version_id,
                App.version_id,  # its lock, and others of its app that start: what a wait depends on
                Deployment.log_sequence,
                func.sum(Job.version_id),
                func.count(Job.ended_at) == func.count(Job.id),
            )
            .join(Job, Job.deployment_id == Deployment.id)
            .join(App, Deployment.app_id == App.id)
            .where(App.name == app_name, App.removed_at.is_(None), Deployment.number == number)
            .group_by(Deployment.id, App.version_id)
        ).first()
    if row is None:
        raise _missing(app_name, number)
    deployment_id, state, *mark, all_ended = row
    return Glance(deployment_id, state in DEPLOYMENT_ENDED and bool(all_ended), tuple(mark))


def find(session: Session, app_name: str, number: int) -> Deployment:
    """A deployment by app and number; ``NotFoundError`` when there is none."""
    app = apps.find(session, app_name)
    found = session.scalar(
        select(Deployment)
        .where(Deployment.app_id == app.id, Deployment.number == number)
        .options(selectinload(Deployment.jobs).selectinload(Job.steps))
    )
    if found is None:
        raise _missing(app_name, number)
    return found


def _missing(app_name: str, number: int) -> NotFoundError:
    hint = f"`longshore deployments {app_name}` shows them."
    return NotFoundError(f"there is no deployment {app_name}#{number}", hint=hint)


def add(services: Services, session: Session, app: App, new: NewDeployment) -> Deployment:
    """The rows of a new deployment and its jobs; the app must be held."""
    older = releases.numbered(session, app, new.source["release"]) if "release" in new.source else None
    unchanged = older is not None and not (new.config or new.env)
    if older is not None:
        new = _as_of(services, older, new)
    base = {} if "release" in new.source else app.config
    Config.model_validate(merge_patch(base, new.config))  # refuse now what would be refused later
    app.deployments_made += 1
    deployment = Deployment(
        app=app,
        number=app.deployments_made,
        trigger=new.trigger,
        actor=new.actor,
        source=public_source(new.source),
        sealed_source=_sealed(services, new.source),
        config=new.config,
        env=services.box.seal(new.env) if new.env else None,  # type: ignore[arg-type]  # null removes a variable
        forced=new.forced,
        release=older if unchanged else None,  # with changes it becomes a release of its own
        created_at=services.clock.now(),
    )
    session.add(deployment)
    planning.settle(session, deployment)
    session.flush()
    deployment.tell("deployment.queued", services.clock.now(), number=deployment.number, trigger=new.trigger.value)
    return deployment


def _sealed(services: Services, source: dict[str, Any]) -> bytes | None:
    """What of a source must not lie about: a git URL that holds a login."""
    if public_source(source) == source:
        return None
    return services.box.seal({"url": source["git"]["url"]})


def _as_of(services: Services, release: Release, new: NewDeployment) -> NewDeployment:
    """An older release comes with its own configuration: image and snapshot together."""
    return NewDeployment(
        source=new.source,
        trigger=new.trigger,
        actor=new.actor,
        config=merge_patch(release.config, new.config),
        env={**services.box.open(release.env), **new.env},
        forced=new.forced,
    )


def view(services: Services, session: Session, deployment: Deployment) -> DeploymentView:
    """A deployment just written, as outsiders see it."""
    return _view(services, deployment, _around(services, session, deployment, []))


def _around(services: Services, session: Session, deployment: Deployment, down: list[PartStatus]) -> Surroundings:
    """What its wait depends on; nothing is read for one that is over."""
    app_ids = [] if deployment.ended else [deployment.app_id]
    return waiting.look(session, app_ids, down, services.clock.now())


def _view(services: Services, deployment: Deployment, around: Surroundings) -> DeploymentView:
    live = deployment.state is DeploymentState.SUCCEEDED
    url = apps.url_of(services, deployment.app) if live else None
    return deployment_view(deployment, waiting.explain(around, deployment), url)
