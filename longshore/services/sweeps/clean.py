"""Cleaning: what lost, and what nobody needs any more, is taken away."""

from datetime import timedelta

from sqlalchemy import delete, select

from longshore.domain.states import DEPLOYMENT_ENDED, JobKind, JobState, ReplicaState
from longshore.models import App, Deployment, Event, Job, KeptAnswer, OneOff, Replica
from longshore.services import one_offs, removal, replicas, routing, volumes
from longshore.services.context import WorkerServices
from longshore.services.sweeps import images
from longshore.services.work import folder_of

UPLOAD_KEPT = 60.0  # seconds an upload may wait for its deployment to be written
ANSWERS_KEPT = timedelta(hours=24)  # what the API promises: a client that was away overnight may still repeat itself
ANSWERS_AT_ONCE = 1000  # so that the sweep after a long rest holds the database no longer than any other


def clean(worker: WorkerServices) -> None:
    """What lost is taken away: replicas nobody else removes, deleted apps, uploads no deployment needs, images of
    releases long past, and volumes that somebody named."""
    _remove_losers(worker)
    one_offs.clear(worker)
    if _finish_deletions(worker):
        routing.apply(worker)  # the name leads nowhere any more
    volumes.remove_asked(worker)
    _forget_uploads(worker)
    _forget_builds(worker)
    _forget_answers(worker)
    images.let_go(worker)
    images.look(worker)


def _remove_losers(worker: WorkerServices) -> None:
    """Draining replicas that no drain job will come for: of deleted apps, or of one whose drain failed."""
    with worker.db.read() as session:
        coming = (
            select(Deployment.app_id)
            .join(Job)
            .where(Job.kind == JobKind.DRAIN, Job.state.in_([JobState.QUEUED, JobState.RUNNING]))
        )
        apps = session.scalars(
            select(Replica.app_id)
            .where(Replica.state == ReplicaState.DRAINING, Replica.app_id.not_in(coming))
            .distinct()
        ).all()
        losers = [replica for app_id in apps for replica in replicas.draining(session, app_id)]
    if not losers:
        return
    routing.apply(worker)
    for replica in losers:
        removal.remove(worker, replica, lambda: None)
        with worker.db.write() as session:
            row = session.get_one(Replica, replica.id, with_for_update=True)
            if row.state is ReplicaState.DRAINING:
                row.move_to(ReplicaState.REMOVED, worker.clock.now())
    routing.apply(worker)


def _finish_deletions(worker: WorkerServices) -> bool:
    """The name of a deleted app is free when its last container is gone; whether one became free."""
    finished = False
    with worker.db.write() as session:
        for app in session.scalars(select(App).where(App.deleting_at.is_not(None), App.removed_at.is_(None))):
            standing = select(Replica.id).where(Replica.app_id == app.id, Replica.state != ReplicaState.REMOVED)
            commands = select(OneOff.id).where(OneOff.app_id == app.id, OneOff.removed_at.is_(None))
            if session.scalar(standing.limit(1)) is None and session.scalar(commands.limit(1)) is None:
                app.removed_at, finished = worker.clock.now(), True
                session.add(Event(app_id=app.id, kind="app.removed", facts={}, at=app.removed_at))
    return finished


def _forget_builds(worker: WorkerServices) -> None:
    """Folders of builds that were killed. Listed first: a build is running before its folder is there."""
    folders = worker.files.build_folders()
    if not folders:
        return
    with worker.db.read() as session:
        running = session.scalars(select(Job).where(Job.kind == JobKind.BUILD, Job.state == JobState.RUNNING)).all()
    for name in set(folders) - {folder_of(job) for job in running}:
        worker.files.forget_build(name)


def _forget_uploads(worker: WorkerServices) -> None:
    """Uploads whose deployment has ended: its build was killed before it forgot them. Or there is no deployment."""
    ages = dict(worker.files.uploads())
    if not ages:
        return
    upload = Deployment.source["upload"].as_string()
    with worker.db.read() as session:
        query = select(upload, Deployment.state).where(upload.in_(ages))
        states = {row[0]: row[1] for row in session.execute(query)}
    for name, age in ages.items():
        if states[name] in DEPLOYMENT_ENDED if name in states else age > UPLOAD_KEPT:
            worker.files.forget(name)


def _forget_answers(worker: WorkerServices) -> None:
    """Answers that no repeat will ask for; looked for first, for most sweeps find none and need not write."""
    until = worker.clock.now() - ANSWERS_KEPT
    old = select(KeptAnswer.id).where(KeptAnswer.created_at < until).limit(ANSWERS_AT_ONCE)
    with worker.db.read() as session:
        ids = session.scalars(old).all()
    if ids:
        with worker.db.write() as session:
            session.execute(delete(KeptAnswer).where(KeptAnswer.id.in_(ids)))
