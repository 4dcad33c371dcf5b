"""The plan: what a request would do, told without doing it; and whether the world is still as it was then."""

import json
from dataclasses import dataclass

from pydantic import BaseModel
from sqlalchemy.orm import Session

from longshore.domain.names import WEB
from longshore.domain.rollout import stages_of
from longshore.domain.shown_source import public_source, shown_source
from longshore.domain.specs import Config
from longshore.errors import ConflictError
from longshore.models import App
from longshore.services import apps, asked, changes, job_plan, locks, order
from longshore.services.asked import CURRENT, NewDeployment, Outcome
from longshore.services.changes import Change
from longshore.services.context import Services

HASH_LENGTH = 32  # characters


class PlannedJobView(BaseModel):
    """One step, and those that come before it."""

    kind: str
    needs: list[str]


class StrategyView(BaseModel):
    """How the new replicas would take over. ``reason``: why there is a time when nothing answers."""

    kind: str
    stages: list[str]
    reason: str | None


class PlanView(BaseModel):
    """What would be done, and what would change. Sent back as ``plan_hash``, the hash holds the request to it.

    ``declared_only``: nothing is live, so nothing would run. Values of the environment are short keyed hashes.
    """

    app: str
    plan_hash: str
    live: int | None
    declared_only: bool
    jobs: list[PlannedJobView]
    strategy: StrategyView
    image: Change
    config: dict[str, Change]
    env: dict[str, Change]
    supersedes: list[str]
    cancels: list[str]
    joins: str | None
    waits_for: list[str]


def show(services: Services, app_name: str, new: NewDeployment, *, rollback: bool = False) -> PlanView:
    """The plan of a request. Nothing is written, and nothing is held."""
    with services.db.read() as session:
        return view(services, session, apps.find(session, app_name), new, rollback=rollback)


def view(services: Services, session: Session, app: App, new: NewDeployment, *, rollback: bool = False) -> PlanView:
    """The same within a transaction. A rollback makes others give way that nothing else does."""
    wanted = asked.outcome(services, session, app, new)
    declared_only = new.source == CURRENT and app.release_id is None
    asked.refuse_without_release(app, new)
    around = _around(services, session, app, new, rollback)
    live = app.release
    return PlanView(
        app=app.name,
        plan_hash=_hash(services, app, wanted),
        live=live.number if live else None,
        declared_only=declared_only,
        jobs=[] if declared_only else _jobs(new, wanted.config),
        strategy=_strategy(wanted.config, app, back="release" in new.source),
        image=Change(old=live.image if live else None, new=_image(app, wanted)),
        config=changes.of_config(app.declared, wanted.config),
        env=changes.of_env(services, app.name, services.box.open(app.env), wanted.env),
        supersedes=around.supersedes,
        cancels=around.cancels,
        joins=around.joins,
        waits_for=around.waits_for,
    )


def refuse_changed(services: Services, session: Session, app: App, new: NewDeployment) -> None:
    """``ConflictError`` when what was planned would come to something else now. The app must be held."""
    if new.plan_hash is None or new.plan_hash == _hash(services, app, asked.outcome(services, session, app, new)):
        return
    hint = "Ask for the plan again, with `?plan=true` or --plan, and look at it."
    raise ConflictError(f"{app.name} is not as it was when this was planned", code="plan_changed", hint=hint)


def _hash(services: Services, app: App, wanted: Outcome) -> str:
    """Over what was decided on: the live release, what would be in service, and where it comes from.

    Of an upload it says only that it is one: the plan is asked for before anything is sent.
    """
    source = public_source(wanted.patch.source)
    facts = {
        "app": app.id,
        "live": app.release_id,
        "config": wanted.config.model_dump(mode="json"),
        "env": wanted.env,
        "source": {"upload": True} if "upload" in source else source,
    }
    return services.box.mark(json.dumps(facts, sort_keys=True))[:HASH_LENGTH]


def _jobs(new: NewDeployment, config: Config) -> list[PlannedJobView]:
    anew = new.has_source or bool(new.config) or bool(new.env)
    planned = job_plan.jobs_of(new.source, config, changes=anew)
    return [PlannedJobView(kind=job.kind, needs=[need.value for need in job.needs]) for job in planned]


def _strategy(config: Config, app: App, *, back: bool) -> StrategyView:
    """How it would take over, in words."""
    old = app.declared.replicas_of(WEB) if app.live_slot else 0
    kind = config.rollout.kind
    return StrategyView(
        kind=kind,
        stages=[stage.words for stage in stages_of(config, new=config.replicas_of(WEB), old=old, back=back)],
        reason=_reason(config) if kind == "recreate" else None,
    )


def _reason(config: Config) -> str:
    kept = sorted(name for name, volume in config.volumes.items() if not volume.shared)
    if config.strategy is not None or not kept:
        return "it was declared"
    return f"the volume {kept[0]} is not shared, so two releases never have it at the same time"


def _image(app: App, wanted: Outcome) -> str | None:
    """Where the image comes from; one that is to be built has no name yet."""
    source = shown_source(public_source(wanted.patch.source))
    if wanted.older is not None:
        return wanted.older.image
    if "image" in source:
        return str(source["image"])
    if "git" in source:
        ref = source["git"].get("ref")
        return f"built from {source['git']['url']}" + (f" at {ref}" if ref else "")
    return "built from the upload" if "upload" in source else app.release.image if app.release else None


@dataclass(frozen=True)
class _Around:
    """What a request means for the app's other deployments, and they for it; by their labels, and in words."""

    supersedes: list[str]
    cancels: list[str]
    joins: str | None
    waits_for: list[str]


def _around(services: Services, session: Session, app: App, new: NewDeployment, rollback: bool) -> _Around:
    now, others = services.clock.now(), order.unfinished(session, app.id)
    held = app.locked(now) and not new.forced
    joined = order.joinable(app, others, new.trigger, new.source) if "current" in new.source else None
    yielding = order.yielding(others, app, by_a_person=new.by_a_person, has_source=new.has_source)
    waiting, stopped = order.making_way(others, held=held) if rollback else (yielding, [])
    before = [one for one in others if one not in waiting and one is not joined]
    return _Around(
        supersedes=[one.label for one in waiting],
        cancels=[one.label for one in stopped],
        joins=joined.label if joined else None,
        waits_for=[locks.words(app, now)] * held + [f"{one.label}, which is {one.state}" for one in before],
    )
