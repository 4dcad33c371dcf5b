"""Apps: declared, shown, changed, deleted."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session, joinedload

from longshore.domain.names import WEB, default_domain
from longshore.domain.specs import Config, merge_patch
from longshore.domain.states import STANDING, DeploymentState, ReplicaState
from longshore.errors import ConflictError, LongshoreError, NotFoundError
from longshore.models import App, Deployment, Event, Replica
from longshore.models.base import one_at_a_time
from longshore.services import idempotency
from longshore.services.context import Services
from longshore.services.pages import Page, page
from longshore.services.views import AppView, app_view
from longshore.services.volume_views import DeletedAppView, kept_volumes
from longshore.services.wait_views import lock_view

DOMAINS_LOCK = 0x646F6D73  # "doms": two apps must not take one host name at the same moment
RECONCILE, CLEAN = "longshore.reconcile", "longshore.clean"


@dataclass(frozen=True)
class NewApp:
    """An app as it is first declared."""

    name: str
    config: dict[str, Any] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    domains: list[str] = field(default_factory=list)
    weight: float = 1.0
    max_rps: float | None = None
    queue: str = "newest"
    routing: dict[str, Any] = field(default_factory=dict)


def create(services: Services, new: NewApp) -> AppView:
    """Declare an app; nothing runs yet. ``ConflictError`` when the name, or a domain, is taken."""
    try:
        with services.db.write() as session:
            if session.scalar(select(App.id).where(App.name == new.name, App.removed_at.is_(None))):
                raise _name_taken(new.name)
            refuse_taken_domains(session, new.domains or [default_domain(new.name)], except_for=None)
            app = App(
                name=new.name,
                config=Config.model_validate(new.config).model_dump(mode="json", exclude_defaults=True),
                env=services.box.seal(new.env),
                domains=new.domains,
                weight=new.weight,
                max_rps=new.max_rps,
                queue=new.queue,
                routing=new.routing,
                generation=_last_generation(session, new.name),
                created_at=services.clock.now(),
            )
            session.add(app)
            session.flush()
            tell(services, session, app, "app.created")
            view = view_of(services, session, app)
            idempotency.keep(services, session, view)
    except IntegrityError:
        raise _name_taken(new.name) from None  # two at the same moment: the database let one in
    ring_quietly(services, RECONCILE)
    return view


def show(services: Services, name: str) -> AppView:
    """One app."""
    with services.db.read() as session:
        return view_of(services, session, find(session, name))


def show_all(services: Services, *, only: str | None, limit: int, cursor: str | None) -> Page:
    """All apps, in the order of their names; ``only`` is the one a token is for."""
    with services.db.read() as session:
        query = select(App).where(App.removed_at.is_(None)).options(joinedload(App.release))
        if only is not None:
            query = query.where(App.name == only)
        states = _states(session)

        def view(app: App) -> AppView:
            return view_of(services, session, app, states)

        return page(session, query, App.name, view, limit=limit, cursor=cursor, newest_first=False)


def change(services: Services, name: str, changes: dict[str, Any]) -> AppView:
    """Change what belongs to the app itself (domains, weight, max_rps, queue, routing, maintenance): at once."""
    with services.db.write() as session:
        app = lock(session, name)
        if "domains" in changes:
            refuse_taken_domains(session, changes["domains"] or [default_domain(name)], except_for=app.id)
        for key, value in changes.items():
            setattr(app, key, _changed(app, key, value))
        tell(services, session, app, "app.changed", fields=sorted(changes))
        session.flush()
        view = view_of(services, session, app)
    ring_quietly(services, RECONCILE)
    return view


def declare(services: Services, session: Session, app: App, config: dict[str, Any], env: dict[str, Any]) -> None:
    """Take a new configuration as the app's own: it has no release yet that could prove it."""
    app.config = Config.model_validate(merge_patch(app.config, config)).model_dump(mode="json", exclude_defaults=True)
    app.env = services.box.seal(merge_patch(services.box.open(app.env), env))
    tell(services, session, app, "app.changed", fields=sorted({*config, *(["env"] if env else [])}))


def delete(services: Services, name: str) -> DeletedAppView:
    """Take an app out of service for good. Its name is free again when its last container is gone; its volumes stay."""
    with services.db.write() as session:
        app = lock(session, name)
        refuse_while_deploying(session, app)
        now = services.clock.now()
        app.deleting_at, app.live_slot = now, None
        for replica in session.scalars(_standing(app)):
            replica.move_to(ReplicaState.DRAINING, now)
        tell(services, session, app, "app.deleting")
        session.flush()
        view = DeletedAppView(**view_of(services, session, app).model_dump(), kept_volumes=kept_volumes(session, name))
    ring_quietly(services, CLEAN)
    return view


def find(session: Session, name: str) -> App:
    """The app of that name; ``NotFoundError`` when there is none."""
    app = session.scalar(select(App).where(App.name == name, App.removed_at.is_(None)))
    return app or _missing(name)


def lock(session: Session, name: str) -> App:
    """The app, held until the end of the transaction: whoever changes deployments of an app takes its row first."""
    app = session.scalar(select(App).where(App.name == name, App.removed_at.is_(None)).with_for_update())
    if app is None:
        return _missing(name)
    if app.deleting_at is not None:
        raise ConflictError(f"{name} is being deleted", hint="Wait until it is gone; that takes seconds.")
    return app


def refuse_taken_domains(session: Session, domains: list[str], *, except_for: int | None) -> None:
    """``ConflictError`` when one of the host names leads to another app."""
    one_at_a_time(session, DOMAINS_LOCK)
    wanted = set(domains)
    for app in session.scalars(select(App).where(App.removed_at.is_(None))):
        taken = wanted & set(app.hosts)
        if taken and app.id != except_for:
            message = f"{sorted(taken)[0]} belongs to the app {app.name} already"
            raise ConflictError(message, code="domain_taken", hint="Remove it there first.")


def refuse_while_deploying(session: Session, app: App) -> None:
    """``ConflictError`` when a deployment of the app is waiting or under way."""
    active = select(Deployment).where(
        Deployment.app_id == app.id, Deployment.state.in_([DeploymentState.QUEUED, DeploymentState.RUNNING])
    )
    if (busy := session.scalar(active.limit(1))) is not None:
        raise ConflictError(f"{busy.label} is {busy.state}", code="busy", hint="Wait until it has ended.")


def url_of(services: Services, app: App) -> str | None:
    """Where people reach it; nowhere without a process that is routed."""
    if WEB not in app.declared.runs:
        return None
    return f"http://{app.hosts[0]}:{services.settings.router_port}/"


def ring_quietly(services: Services, task: str) -> None:
    """Ask for a periodic task now; should Redis be away, beat asks again."""
    try:
        services.queue.send(task, "", label="", queue="periodic")
    except LongshoreError:
        return


def _last_generation(session: Session, name: str) -> int:
    """Counting goes on where an earlier app of that name stopped: its late workers must not fit this one's fence."""
    return session.scalar(select(func.max(App.generation)).where(App.name == name)) or 0


def _standing(app: App) -> Any:
    return select(Replica).where(Replica.app_id == app.id, Replica.state.in_(STANDING))


def _name_taken(name: str) -> ConflictError:
    hint = "Choose another name, or deploy to that app."
    return ConflictError(f"an app named {name} exists already", code="name_taken", hint=hint)


def _missing(name: str) -> App:
    raise NotFoundError(f"there is no app named {name[:60]}", hint="`longshore apps` shows those there are.")


def _changed(app: App, key: str, value: Any) -> Any:
    return merge_patch(app.routing, value) if key == "routing" and value else _unless_null(key, value)


def _unless_null(key: str, value: Any) -> Any:
    return {"domains": [], "weight": 1.0, "queue": "newest", "routing": {}}.get(key) if value is None else value


def tell(services: Services, session: Session, app: App, kind: str, **facts: Any) -> None:
    """Append an event of this app."""
    session.add(Event(app_id=app.id, kind=kind, facts=facts, at=services.clock.now()))


def view_of(services: Services, session: Session, app: App, states: dict[int, str] | None = None) -> AppView:
    """An app as outsiders see it; ``states`` of all apps where they are known already."""
    env = services.box.open(app.env)
    known = states if states is not None else _states(session, app.id)
    held = lock_view(app, services.clock.now())
    return app_view(app, _state(app, known), sorted(env), url_of(services, app), held)


def _states(session: Session, app_id: int | None = None) -> dict[int, str]:
    """For apps with a deployment under way: its state. One query for all."""
    query = select(Deployment.app_id, Deployment.state).where(
        Deployment.state.in_([DeploymentState.QUEUED, DeploymentState.RUNNING])
    )
    if app_id is not None:
        query = query.where(Deployment.app_id == app_id)
    return {app: "deploying" for app, _ in session.execute(query)}


def _state(app: App, deploying: dict[int, str]) -> str:
    if app.deleting_at is not None:
        return "deleting"
    if app.id in deploying:
        return deploying[app.id]
    return "running" if app.live_slot else "new"
