"""Locks: somebody holds an app's deployments back, and says why.

A lock stops nothing that runs, and never keeps a dead replica from being replaced: that is no deployment. Of the
queued deployments it holds back all but a forced rollback. One whose time has passed is as if it were not there.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy.orm import Session

from longshore.errors import ConflictError, ForbiddenError, UnprocessableError
from longshore.models import App
from longshore.services import apps, idempotency, pipeline
from longshore.services.context import Services
from longshore.services.tokens import Caller, Scope
from longshore.services.views import AppView

LONGEST = timedelta(days=366)


@dataclass(frozen=True)
class NewLock:
    """What is asked for. ``mode``: are new deployments refused, or do they wait? ``until``: an instant with a zone."""

    reason: str
    mode: str = "refuse"
    until: datetime | None = None


def lock(services: Services, app_name: str, new: NewLock, caller: Caller) -> AppView:
    """Hold an app back, or change the lock one has on it. ``ConflictError`` when somebody else holds it."""
    now = services.clock.now()
    until = _until(new.until, now)
    with services.db.write() as session:
        app = apps.lock(session, app_name)
        mine = app.locked(now) and app.lock_owner == caller.name
        if app.locked(now) and not _may_change(app, caller):
            raise ConflictError(refusal(app, now), code="locked", hint=_hint(app))
        app.lock_reason, app.lock_mode, app.lock_owner = new.reason, new.mode, caller.name
        app.lock_since, app.lock_until = app.lock_since if mine else now, until
        facts = {"owner": caller.name, "reason": new.reason, "mode": new.mode}
        apps.tell(services, session, app, "app.locked", **facts, until=until.isoformat() if until else None)
        session.flush()
        view = apps.view_of(services, session, app)
        idempotency.keep(services, session, view)
    return view


def unlock(services: Services, app_name: str, caller: Caller) -> AppView:
    """Let deployments go again: the next in line begins at once. Without a lock there is nothing to do."""
    now = services.clock.now()
    with services.db.write() as session:
        app = apps.lock(session, app_name)
        rings = _lift(services, session, app, caller) if app.locked(now) else []
        view = apps.view_of(services, session, app)
    pipeline.ring(services, rings)
    return view


def refuse(app: App, now: datetime, *, otherwise: str = "") -> None:
    """``ConflictError`` when the lock lets no new deployment in; ``otherwise``: what could be done all the same."""
    if app.locked(now) and app.lock_mode == "refuse":
        raise ConflictError(refusal(app, now), code="locked", hint=_hint(app) + otherwise)


def refuse_deployment(services: Services, app_name: str) -> None:
    """The same, and ``NotFoundError`` without such an app: asked before an upload is read."""
    with services.db.read() as session:
        refuse(apps.find(session, app_name), services.clock.now())


def refuse_configuration(services: Services, app_name: str) -> None:
    """The same for a change that becomes a deployment: asked before anything of the request takes effect."""
    with services.db.read() as session:
        app = apps.find(session, app_name)
        if app.release_id is not None:
            refuse(app, services.clock.now())


def words(app: App, now: datetime) -> str:
    """A lock in words: ``the lock of ci: freeze until 14:00 UTC``."""
    return f"the lock of {app.lock_owner}: {_because(app, now)}"


def refusal(app: App, now: datetime) -> str:
    """The same as an answer to somebody who may not pass."""
    return f"{app.name} is locked by {app.lock_owner}: {_because(app, now)}"


def _because(app: App, now: datetime) -> str:
    if app.lock_until is None:
        return str(app.lock_reason)
    today = app.lock_until.date() == now.date()
    return f"{app.lock_reason} until {app.lock_until:{'%H:%M' if today else '%Y-%m-%d %H:%M'}} UTC"


def _hint(app: App) -> str:
    wait = "Wait until then, or ask" if app.lock_until else "Ask"
    return f"{wait} {app.lock_owner} to lift it: `longshore unlock {app.name}`; an admin may, too."


def _until(until: datetime | None, now: datetime) -> datetime | None:
    """The end of a lock in UTC; ``UnprocessableError`` when it is none."""
    if until is None:
        return None
    if until.tzinfo is None or until <= now:
        hint = "Give an instant with its zone, such as 2030-01-31T14:00:00Z, or none: until it is lifted."
        raise UnprocessableError("until must be in the future", code="bad_until", hint=hint)
    if until > now + LONGEST:
        hint = "Leave it out: then the lock stays until it is lifted."
        raise UnprocessableError(f"until is more than {LONGEST.days} days away", code="bad_until", hint=hint)
    return until.astimezone(UTC)


def _may_change(app: App, caller: Caller) -> bool:
    return app.lock_owner == caller.name or caller.may(Scope.ADMIN)


def _lift(services: Services, session: Session, app: App, caller: Caller) -> list[pipeline.Ring]:
    if not _may_change(app, caller):
        hint = f"Ask {app.lock_owner}, or somebody whose token has the scope admin."
        raise ForbiddenError(f"the token {caller.name} may not lift the lock of {app.lock_owner}", hint=hint)
    apps.tell(services, session, app, "app.unlocked", owner=app.lock_owner, by=caller.name)
    app.lock_reason = app.lock_mode = app.lock_owner = app.lock_since = app.lock_until = None
    session.flush()
    return pipeline.next_of(session, app.id, services.clock.now())
