"""What is asked for, and what it comes to: the configuration and environment it would put into service."""

from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy.orm import Session

from longshore.domain.specs import Config, merge_patch
from longshore.domain.states import Trigger
from longshore.errors import ConflictError
from longshore.models import App, Release
from longshore.services import order, releases
from longshore.services.context import Services

CURRENT: dict[str, Any] = {"current": True}  # the source of a change of configuration: whatever is live when it starts
RESTART: dict[str, Any] = {"current": True, "restart": True}  # the same, and nothing else changes: no release is made


@dataclass(frozen=True)
class NewDeployment:
    """What is asked for. ``config`` and ``env`` are merge patches over the app's own; ``None`` removes."""

    source: dict[str, Any]
    trigger: Trigger
    actor: str
    config: dict[str, Any] = field(default_factory=dict)
    env: dict[str, str | None] = field(default_factory=dict)
    forced: bool = False  # no lock refuses it or holds it back
    whole_env: bool = False  # ``env`` is all there shall be, instead of a patch
    plan_hash: str | None = None  # what it was planned on; when that has changed, it is refused

    @property
    def by_a_person(self) -> bool:
        """Whether somebody asks for it, rather than a rule."""
        return self.trigger is not Trigger.AUTO

    @property
    def has_source(self) -> bool:
        """Whether it brings code or an image of its own: only such a one supersedes, and is superseded."""
        return not {"release", "current"} & set(self.source)


@dataclass(frozen=True)
class Outcome:
    """What would be in service in the end. ``patch`` is what is asked for, with nothing left open."""

    patch: NewDeployment
    older: Release | None
    config: Config
    env: dict[str, str]


def refuse_without_release(app: App, new: NewDeployment) -> None:
    """``ConflictError`` when what is live is to be restarted, and nothing is."""
    if "restart" in new.source and app.release_id is None:
        hint = "Deploy a source first."
        raise ConflictError(f"{app.name} has no live release", code="nothing_live", hint=hint)


def outcome(services: Services, session: Session, app: App, new: NewDeployment) -> Outcome:
    """What this request comes to, by the app as it is now. Refuses now what would be refused later.

    An older release comes with its own configuration: image and snapshot together.
    """
    older = releases.numbered(session, app, new.source["release"]) if "release" in new.source else None
    if older is not None:
        releases.refuse_return(services, older)
        base, env = older.config, services.box.open(older.env)
    else:
        base, env = app.config, services.box.open(app.env)
    patch = whole(services, session, app, new)
    config = Config.model_validate(merge_patch(base, new.config))
    return Outcome(patch, older, config, merge_patch(env, patch.env))


def whole(services: Services, session: Session, app: App, new: NewDeployment) -> NewDeployment:
    """A whole environment as a patch: whatever the app has by then, or gets by what is before it, goes."""
    if not new.whole_env:
        return new
    known = set(services.box.open(app.env))
    for one in order.unfinished(session, app.id):
        known |= set(services.box.open(one.env)) if one.env else set()
    return replace(new, env={**dict.fromkeys(known), **new.env}, whole_env=False)
