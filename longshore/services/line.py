"""The line of an app: which of its deployments go first, what holds one back, and how long those before it take."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from sqlalchemy import Subquery, exists, func, select
from sqlalchemy.orm import Session

from longshore.domain.plan import needs_build
from longshore.domain.states import DeploymentState, JobKind, WaitFor
from longshore.models import App, Deployment, Job
from longshore.services import locks

UNFINISHED = (DeploymentState.QUEUED, DeploymentState.RUNNING)
LOOKED_AT = 10  # deployments of a sort that say how long one takes
LOOK_BACK = 200  # deployments of an app, of any sort and end, among which those are looked for

# How long a deployment of an app usually takes: by app, and by whether it builds.
Usual = Mapping[tuple[int, bool], timedelta]


@dataclass(frozen=True)
class Place:
    """An unfinished deployment in its app's line."""

    id: int
    app_id: int
    number: int
    state: DeploymentState
    forced: bool
    builds: bool
    started_at: datetime | None

    def used(self, now: datetime) -> timedelta:
        """How long it has been running."""
        return now - self.started_at if self.started_at else timedelta(0)


@dataclass(frozen=True)
class Held:
    """What keeps a queued deployment from starting: for programs, in words, and by name."""

    reason: WaitFor
    words: str
    blocker: str


def read(session: Session, app_ids: Collection[int]) -> dict[int, list[Place]]:
    """The lines of these apps; one query for all."""
    of = Deployment
    rows = session.execute(
        select(of.id, of.app_id, of.number, of.state, of.forced, of.source, of.started_at)
        .where(of.app_id.in_(app_ids), of.state.in_(UNFINISHED))
        .order_by(of.number)
    )
    lines: dict[int, list[Place]] = {}
    for id_, app_id, number, state, forced, source, started_at in rows:
        place = Place(id_, app_id, number, state, forced, needs_build(source), started_at)
        lines.setdefault(app_id, []).append(place)
    return lines


def before(line: Sequence[Place], deployment: Deployment, now: datetime) -> list[Place]:
    """Those that go before it, first things first."""
    locked = deployment.app.locked(now)
    mine = _turn(deployment, locked)
    return sorted((one for one in line if _turn(one, locked) < mine), key=lambda one: _turn(one, locked))


def _turn(one: Place | Deployment, locked: bool) -> tuple[bool, bool, int]:
    """What runs is first; then the oldest, but while the app is locked what is forced passes what is held back."""
    return one.state is not DeploymentState.RUNNING, locked and not one.forced, one.number


def held(deployment: Deployment, ahead: Sequence[Place], now: datetime) -> Held | None:
    """What keeps a queued deployment from starting: a lock, or one that goes before it."""
    app = deployment.app
    if app.locked(now) and not deployment.forced:
        return Held(WaitFor.LOCK, f"waits for {locks.words(app, now)}", f"lock of {app.lock_owner}")
    if ahead:
        first = f"{app.name}#{ahead[0].number}"
        words = f"waits for {first}, which is {ahead[0].state}; {len(ahead)} before it"
        return Held(WaitFor.DEPLOYMENT, words, first)
    return None


def left(places: Sequence[Place], usual: Usual, now: datetime) -> timedelta | None:
    """How long these still take, one after the other; ``None`` where the app has no history to tell by."""
    rest = timedelta(0)
    for place in places:
        takes = usual.get((place.app_id, place.builds))
        if takes is None:
            return None
        rest += max(takes - place.used(now), timedelta(0))
    return rest


def usual(session: Session, app_ids: Collection[int]) -> Usual:
    """The median of the last successes of each sort, for these apps; one query for all."""
    recent = _recent(app_ids)
    took: dict[tuple[int, bool], list[float]] = {}
    for app_id, builds, started_at, ended_at in session.execute(
        select(recent.c.app_id, recent.c.builds, recent.c.started_at, recent.c.ended_at).where(
            recent.c.place <= LOOKED_AT
        )
    ):
        took.setdefault((app_id, bool(builds)), []).append((ended_at - started_at).total_seconds())
    return {sort: timedelta(seconds=median(seconds)) for sort, seconds in took.items()}


def _recent(app_ids: Collection[int]) -> Subquery:
    """Successes of these apps, counted back from the newest of their sort."""
    of = Deployment
    builds = exists().where(Job.deployment_id == of.id, Job.kind == JobKind.BUILD)
    place = func.row_number().over(partition_by=(of.app_id, builds), order_by=of.number.desc())
    return (
        select(of.app_id, builds.label("builds"), of.started_at, of.ended_at, place.label("place"))
        .join(App, of.app_id == App.id)
        .where(
            of.app_id.in_(app_ids),
            of.state == DeploymentState.SUCCEEDED,
            of.started_at.is_not(None),
            of.number > App.deployments_made - LOOK_BACK,
        )
        .subquery()
    )
