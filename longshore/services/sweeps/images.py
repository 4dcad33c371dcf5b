"""Images on the host: which releases have theirs, and which need not keep it any more."""

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from longshore.domain.states import DeploymentState, ReplicaState
from longshore.models import App, Deployment, Release, Replica
from longshore.services.context import WorkerServices

WAITS = (DeploymentState.QUEUED, DeploymentState.RUNNING)


@dataclass(frozen=True)
class _Image:
    """The image of a release, and what is known of it."""

    id: int  # the release's
    app_id: int
    number: int
    image: str
    image_id: str
    on_host: bool | None
    gone: bool  # it was let go
    app: str


def let_go(worker: WorkerServices) -> None:
    """Of old releases nobody needs, our own tag goes, and the image with it unless something else names or uses it.

    Kept are the newest of each app, and whatever runs, waits, or is to be gone back to.
    """
    with worker.db.read() as session:
        rows = _of_apps(session)
        kept = _kept(worker, session, rows)
    needed = {text for row in rows if row.id in kept for text in (row.image, row.image_id)}
    for row in rows:
        if row.id not in kept and not row.gone and _ours(worker, row):
            _forget(worker, row, needed)


def look(worker: WorkerServices) -> None:
    """Write down which releases have their image on the host; only where that has changed."""
    there = worker.engine.image_ids()
    with worker.db.read() as session:
        rows = _of_apps(session)
        kept = _kept(worker, session, rows)
    moved = {row.id: row.image_id in there for row in rows if row.on_host is not (row.image_id in there)}
    back = [row.id for row in rows if row.id in kept and row.gone]
    if not (moved or back):
        return
    with worker.db.write() as session:
        for release_id in moved:
            session.get_one(Release, release_id).on_host = moved[release_id]
        for release_id in back:
            session.get_one(Release, release_id).let_go_at = None


def _of_apps(session: Session) -> list[_Image]:
    """The releases of all apps there are, newest first; one query, and little of each."""
    of = Release
    query = (
        select(of.id, of.app_id, of.number, of.image, of.image_id, of.on_host, of.let_go_at.is_not(None), App.name)
        .join(App, of.app_id == App.id)
        .where(App.removed_at.is_(None))
        .order_by(of.app_id, of.number.desc())
    )
    return [_Image(*row) for row in session.execute(query)]


def _kept(worker: WorkerServices, session: Session, rows: Iterable[_Image]) -> set[int]:
    """The ids of the releases whose image stays."""
    newest: set[int] = set()
    seen: dict[int, int] = {}
    for row in rows:
        seen[row.app_id] = seen.get(row.app_id, 0) + 1
        newest |= {row.id} if seen[row.app_id] <= worker.settings.releases_kept else set()
    live = session.scalars(select(App.release_id).where(App.release_id.is_not(None)))
    runs = session.scalars(select(Replica.release_id).where(Replica.state != ReplicaState.REMOVED))
    return newest | {one for one in live if one} | set(runs) | _awaited(session, rows)


def _awaited(session: Session, rows: Iterable[_Image]) -> set[int]:
    """The releases that deployments which are not over make, or go back to."""
    unfinished = session.scalars(select(Deployment).where(Deployment.state.in_(WAITS))).all()
    named = {(one.app_id, one.source.get("release")) for one in unfinished}
    made = {one.release_id for one in unfinished}
    return {row.id for row in rows if row.id in made or (row.app_id, row.number) in named}


def _ours(worker: WorkerServices, release: _Image) -> bool:
    """Whether we gave the image its name: one that somebody else's image came with is not ours to take away."""
    return release.image.startswith(f"{worker.registry.prefix}/{release.app}:")


def _forget(worker: WorkerServices, release: _Image, needed: set[str]) -> None:
    """By its tag, and by its id what has no tag: it was pulled again, by its digest, to be gone back to."""
    for name in (release.image, release.image_id):
        if name not in needed:
            worker.engine.forget_image(name)
    with worker.db.write() as session:
        session.get_one(Release, release.id).let_go_at = worker.clock.now()
