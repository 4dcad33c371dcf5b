"""Deployments: asked for, shown, followed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from longshore.domain.shown_source import public_source
from longshore.domain.specs import Config, compose_patches, merge_patch
from longshore.domain.states import DEPLOYMENT_ENDED, DeploymentState
from longshore.errors import ConflictError, NotFoundError
from longshore.models import App, Deployment, Event, Job, PartStatus
from longshore.services import apps, asked, idempotency, job_plan, locks, order, parts, pipeline, planning, waiting
from longshore.services.asked import CURRENT, RESTART, NewDeployment
from longshore.services.context import Services
from longshore.services.pages import Page, page
from longshore.services.views import AppView, DeploymentView, deployment_view, event_view
from longshore.services.waiting import Surroundings


def create(services: Services, app_name: str, new: NewDeployment) -> DeploymentView:
    """Take a deployment on: rows first, committed, then the doorbell. It runs even when every message is lost.

    A change of configuration joins one that waits already. ``ConflictError`` when a rule must stand back, or when the
    world is not as it was planned on.
    """
    if "git" in new.source:
        services.git.check(new.source["git"]["url"], new.source["git"].get("ref"))
    with services.db.write() as session:
        app = apps.lock(session, app_name)
        if not new.forced:
            locks.refuse(app, services.clock.now())
        planning.refuse_changed(services, session, app, new)
        new = asked.whole(services, session, app, new)
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
    waiting = order.joinable(app, before, new.trigger, new.source) if new.source in (CURRENT, RESTART) else None
    if waiting is None:
        return None
    waiting.config = compose_patches(waiting.config, new.config)
    env = compose_patches(services.box.open(waiting.env) if waiting.env else {}, new.env)
    waiting.env = services.box.seal(env) if env else None
    Config.model_validate(merge_patch(app.config, waiting.config))
    fields = sorted({*new.config, *(["env"] if new.env else [])})
    waiting.tell("deployment.joined", services.clock.now(), actor=new.actor, fields=fields)
    return waiting


def reconfigure(services: Services, app_name: str, new: NewDeployment) -> DeploymentView | AppView:
    """Change what belongs to a release. With a live release that is a deployment; else it is only declared."""
    with services.db.write() as session:
        app = apps.lock(session, app_name)
        if app.release_id is None:
            return _declare(services, session, app, new)
    return create(services, app_name, new)


def _declare(services: Services, session: Session, app: App, new: NewDeployment) -> AppView:
    """As the app's first release will be made of what is declared, nothing may be making it now."""
    planning.refuse_changed(services, session, app, new)
    apps.refuse_while_deploying(session, app)
    apps.declare(services, session, app, new.config, asked.whole(services, session, app, new).env)
    session.flush()
    declared = apps.view_of(services, session, app)
    idempotency.keep(services, session, declared)
    return declared


def show(services: Services, app_name: str, number: int) -> DeploymentView:
    """One deployment with its jobs, and what it waits for."""
    down = parts.down(services)
    with services.db.read() as session:
        deployment = find(session, app_name, number)
        return _view(services, deployment, _around(services, session, deployment, down))


def show_all(services: Services, app_name: str, *, limit: int, cursor: str | None) -> Page:
    """The deployments of an app, newest first; their digests are shown one by one."""
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
            return _view(services, deployment, around).model_copy(update={"digest": None})

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
    asked.refuse_without_release(app, new)
    wanted = asked.outcome(services, session, app, new)
    unchanged = not (new.config or new.env)
    if wanted.older is not None:  # it brings all of its own
        env: dict[str, str | None] = {**wanted.env}
        new = replace(new, config=merge_patch(wanted.older.config, new.config), env=env)
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
        release=wanted.older if unchanged else None,  # with changes it becomes a release of its own
        created_at=services.clock.now(),
    )
    session.add(deployment)
    job_plan.settle(session, deployment)
    session.flush()
    deployment.tell("deployment.queued", services.clock.now(), number=deployment.number, trigger=new.trigger.value)
    return deployment


def _sealed(services: Services, source: dict[str, Any]) -> bytes | None:
    """What of a source must not lie about: a git URL that holds a login."""
    if public_source(source) == source:
        return None
    return services.box.seal({"url": source["git"]["url"]})


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
