"""Runs: one-off commands that somebody asked for. Asked for, shown, cancelled, and written off."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import BaseModel
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, joinedload

from longshore.domain.names import WEB
from longshore.domain.states import RunState
from longshore.errors import ConflictError, LongshoreError, NotFoundError, PlatformError
from longshore.models import App, Release, Run, RunChunk
from longshore.services import apps, idempotency
from longshore.services.context import Services
from longshore.services.deployments import Glance
from longshore.services.pages import Page, page
from longshore.services.pipeline import LONGEST_PAUSE
from longshore.services.views import ErrorView, LogLine, error_view

TASK, QUEUE = "longshore.run", "deploys"
HOUR = 3600
AT_ONCE = 100  # runs that are rung for again at a time


@dataclass(frozen=True)
class NewRun:
    """What is asked for. ``process``: with the limits of which process; ``deadline`` in seconds."""

    command: list[str]
    actor: str
    process: str | None = None
    deadline: int = HOUR


class RunView(BaseModel):
    """One command, and how it ended."""

    app: str
    number: int
    state: str
    command: list[str]
    process: str
    release: int | None
    actor: str
    deadline: int
    exit_code: int | None
    error: ErrorView | None
    created_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


def create(services: Services, app_name: str, new: NewRun) -> RunView:
    """Take a command on: a row, committed, then the doorbell. ``ConflictError`` when nothing is live to run it in."""
    with services.db.write() as session:
        app = apps.lock(session, app_name)
        if app.release is None:
            hint = f"Deploy first: `longshore deploy --app {app_name}`."
            raise ConflictError(f"{app_name} has no live release to run this in", code="nothing_live", hint=hint)
        run = Run(
            app=app,
            number=1 + (session.scalar(select(func.max(Run.number)).where(Run.app_id == app.id)) or 0),
            command=new.command,
            process=_process(app, app.release, new.process),
            deadline=new.deadline,
            actor=new.actor,
            rung_at=services.clock.now(),
            created_at=services.clock.now(),
        )
        session.add(run)
        session.flush()
        apps.tell(services, session, app, "run.queued", number=run.number, actor=new.actor)
        view = _view(run)
        idempotency.keep(services, session, view)
        run_id, label = run.id, run.label
    _ring(services, run_id, label)
    return view


def _process(app: App, release: Release, named: str | None) -> str:
    """The process whose limits it has: ``web``, or the only one there is, unless somebody says otherwise."""
    there = release.declared.runs
    if named is None:
        return WEB if WEB in there else next(iter(there))
    if named not in there:
        raise NotFoundError(f"{app.name} has no process {named[:40]}", hint=f"It has {', '.join(there)}.")
    return named


def show(services: Services, app_name: str, number: int) -> RunView:
    """One run."""
    with services.db.read() as session:
        return _view(find(session, app_name, number))


def show_all(services: Services, app_name: str, *, limit: int, cursor: str | None) -> Page:
    """The runs of an app, newest first."""
    with services.db.read() as session:
        query = select(Run).where(Run.app_id == apps.find(session, app_name).id)
        query = query.options(joinedload(Run.app), joinedload(Run.release))
        return page(session, query, Run.number, _view, limit=limit, cursor=cursor)


def cancel(services: Services, app_name: str, number: int) -> RunView:
    """Ask for its end; asking again changes nothing. ``ConflictError`` when it has ended already."""
    now = services.clock.now()
    with services.db.write() as session:
        apps.lock(session, app_name)
        run = find(session, app_name, number)
        session.refresh(run, with_for_update=True)
        if run.ended:
            raise ConflictError(f"{run.label} has ended already: it is {run.state}", code="ended")
        run.cancel_asked_at = run.cancel_asked_at or now
        if run.state is RunState.QUEUED:
            run.move_to(session, RunState.CANCELLED, now)
        session.flush()
        return _view(run)


def find(session: Session, app_name: str, number: int) -> Run:
    """A run by app and number; ``NotFoundError`` when there is none."""
    app = apps.find(session, app_name)
    found = session.scalar(select(Run).where(Run.app_id == app.id, Run.number == number))
    if found is None:
        raise NotFoundError(f"there is no run {number} of {app_name}", hint="GET /v1/apps/{app}/runs lists them.")
    return found


def glance(services: Services, app_name: str, number: int) -> Glance:
    """Whether anything moved; small."""
    with services.db.read() as session:
        run = find(session, app_name, number)
        return Glance(run.id, run.ended, (run.version_id, run.log_sequence))


def read(services: Services, run_id: int, *, after: int, limit: int) -> list[LogLine]:
    """What it printed, in chunks after a sequence number, oldest first."""
    query = select(RunChunk).where(RunChunk.run_id == run_id, RunChunk.sequence > after)
    with services.db.read() as session:
        rows = session.scalars(query.order_by(RunChunk.sequence).limit(limit))
        return [LogLine(sequence=row.sequence, job="run", text=row.text, at=row.at) for row in rows]


def ring_again(services: Services) -> None:
    """Ring for queued runs whose message is overdue."""
    now = services.clock.now()
    ago, ahead = now - timedelta(seconds=services.settings.overdue), now + LONGEST_PAUSE
    late = Run.rung_at.is_(None) | ~Run.rung_at.between(ago, ahead)
    query = select(Run).where(Run.state == RunState.QUEUED, late).order_by(Run.id).limit(AT_ONCE)
    with services.db.read() as session:
        waiting = [(run.id, run.label) for run in session.scalars(query.options(joinedload(Run.app)))]
    if not waiting:
        return
    with services.db.write() as session:
        ids = [run_id for run_id, _ in waiting]
        session.execute(
            update(Run)
            .where(Run.id.in_(ids), Run.state == RunState.QUEUED)
            .values(rung_at=now)
            .execution_options(synchronize_session=False)
        )
    for run_id, label in waiting:
        _ring(services, run_id, label)


def lose(services: Services, owner: str) -> None:
    """The runs of a worker that is gone have failed: what they had done by then, nobody knows."""
    now = services.clock.now()
    mine = select(Run).where(Run.owner == owner, Run.state == RunState.RUNNING)
    with services.db.read() as session:
        if session.scalar(mine.limit(1)) is None:
            return
    with services.db.write() as session:
        for run in session.scalars(mine.with_for_update()):
            hint = "It is not begun again by itself: it may have done a part of its work."
            run.fail_with(PlatformError("its worker went away", code="worker_lost", hint=hint))
            run.move_to(session, RunState.FAILED, now)


def _ring(services: Services, run_id: int, label: str) -> None:
    """As best effort: what is not sent now is sent again by ``longshore.dispatch``."""
    try:
        services.queue.send(TASK, str(run_id), label=label, queue=QUEUE)
    except LongshoreError:
        return


def _view(run: Run) -> RunView:
    return RunView(
        app=run.app.name,
        number=run.number,
        state=run.state,
        command=run.command,
        process=run.process,
        release=run.release.number if run.release else None,
        actor=run.actor,
        deadline=run.deadline,
        exit_code=run.exit_code,
        error=error_view(run),
        created_at=run.created_at,
        started_at=run.started_at,
        ended_at=run.ended_at,
    )
